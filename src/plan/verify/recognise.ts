// Names for the kinds of calls that the constraints of verify speak about.

import type { Bytes } from '../../linux/bytes.ts';
import { MOUNT_ATTR_RDONLY, MS_MOVE } from '../../linux/constants/mount.ts';
import {
  CLONE_NEWUSER,
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_RAISE,
  PR_CAPBSET_DROP,
  PR_SET_KEEPCAPS,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_PDEATHSIG,
} from '../../linux/constants/process.ts';
import { TIOCGPTPEER, TIOCSCTTY } from '../../linux/constants/terminal.ts';
import { type Call, isSlot, type Slot } from '../call.ts';
import type { Is } from './timeline.ts';

/** The number at `index`, undefined where there is none. */
export function numberAt(call: Call, index: number): number | undefined {
  const arg = call.args[index];
  return arg?.kind === 'number' ? Number(arg.value) : undefined;
}

export function textAt(call: Call, index: number): Bytes | undefined {
  const arg = call.args[index];
  return arg?.kind === 'memory' && arg.memory.kind === 'string' ? arg.memory.bytes : undefined;
}

export function slotAt(call: Call, index: number): Slot | undefined {
  const arg = call.args[index];
  return arg?.kind === 'slot' ? arg : undefined;
}

/** A number in a structure that `call` points to. */
export function fieldAt(call: Call, index: number, name: string): number | undefined {
  const arg = call.args[index];
  if (arg?.kind !== 'memory' || arg.memory.kind !== 'struct') return undefined;
  const value = arg.memory.fields.find((field) => field.name === name)?.value;
  return typeof value === 'object' || value === undefined ? undefined : Number(value);
}

export function hasSlotField(call: Call, index: number, name: string): boolean {
  const arg = call.args[index];
  if (arg?.kind !== 'memory' || arg.memory.kind !== 'struct') return false;
  return arg.memory.fields.some((field) => field.name === name && isSlot(field.value));
}

export const named =
  (...names: readonly string[]): Is =>
  ({ call }) =>
    names.includes(call.name);

export const inStep =
  (...ids: readonly string[]): Is =>
  ({ step }) =>
    ids.includes(step.id);

export const both =
  (...conditions: readonly Is[]): Is =>
  (moment) =>
    conditions.every((is) => is(moment));

export const either =
  (...conditions: readonly Is[]): Is =>
  (moment) =>
    conditions.some((is) => is(moment));

export const not =
  (condition: Is): Is =>
  (moment) =>
    !condition(moment);

export const child: Is = ({ actor }) => actor === 'child';
export const parent: Is = ({ actor }) => actor === 'parent';

const prctl =
  (operation: number): Is =>
  ({ call }) =>
    call.name === 'prctl' && numberAt(call, 0) === operation;

const has = (flags: number | undefined, flag: number) =>
  flags !== undefined && Math.floor(flags / flag) % 2 === 1;

/** clone3, unshare or setns of the namespace `flag`, with clone3's flags in a structure. */
export const enters =
  (flag: number): Is =>
  ({ call }) =>
    call.name === 'FORK'
      ? has(fieldAt(call, 0, 'flags'), flag)
      : call.name === 'unshare'
        ? has(numberAt(call, 0), flag)
        : call.name === 'setns' && has(numberAt(call, 1), flag);

export const unshares =
  (flag: number): Is =>
  ({ call }) =>
    call.name === 'unshare' && has(numberAt(call, 0), flag);

export const joins =
  (flag: number): Is =>
  ({ call }) =>
    call.name === 'setns' && has(numberAt(call, 1), flag);

/** A file system of `type` is opened. */
export const opensFileSystem =
  (type: Bytes): Is =>
  ({ call }) =>
    call.name === 'fsopen' && textAt(call, 0) === type;

export const dropsBounding = prctl(PR_CAPBSET_DROP);
export const keepsCapabilities: Is = (moment) =>
  prctl(PR_SET_KEEPCAPS)(moment) && numberAt(moment.call, 1) === 1;
export const noNewPrivileges = prctl(PR_SET_NO_NEW_PRIVS);
/** The one that lasts, not the one that ends with the creation. */
export const deathSignal = both(prctl(PR_SET_PDEATHSIG), inStep('death-signal'));
export const raisesAmbient: Is = (moment) =>
  prctl(PR_CAP_AMBIENT)(moment) && numberAt(moment.call, 1) === PR_CAP_AMBIENT_RAISE;

/** The change to the container's user, not the one to root of a new user namespace. */
const final = both(child, not(inStep('become-root')));
export const changesUid = both(named('setresuid'), final);
export const changesGid = both(named('setresgid'), final);
export const changesGroups = both(named('setgroups'), final);
export const setsCapabilities = both(named('capset'), child);
export const loadsFilter = both(named('seccomp'), child);
export const executes = both(named('execve', 'execveat'), child);

export const newUserNamespace: Is = both(named('FORK'), enters(CLONE_NEWUSER));

export const attaches = either(
  named('move_mount'),
  ({ call }) => call.name === 'mount' && !has(numberAt(call, 3), MS_MOVE),
);
export const changesRoot = either(named('pivot_root'), both(inStep('pivot-root'), named('chroot')));
/** Stops propagation of the whole copy of the host's mounts. */
export const isolates: Is = ({ call }) =>
  call.name === 'mount_setattr' && textAt(call, 1) === '/' && (fieldAt(call, 3, 'propagation') ?? 0) !== 0;
export const setsReadOnly: Is = ({ call }) =>
  call.name === 'mount_setattr' && has(fieldAt(call, 3, 'attr_set'), MOUNT_ATTR_RDONLY);

export const makesFiles = named('mkdirat', 'mknodat', 'symlinkat', 'linkat');
export const opens = named(
  'openat',
  'openat2',
  'open_tree',
  'fsopen',
  'fsmount',
  'socket',
  'pipe2',
  'socketpair',
);
export const makesTerminal = both(
  child,
  ({ call }) => call.name === 'ioctl' && numberAt(call, 1) === TIOCGPTPEER,
);
export const takesTerminal: Is = ({ call }) => call.name === 'ioctl' && numberAt(call, 1) === TIOCSCTTY;

/** A write to the file that was opened by this name in the same step. */
export const writesFile =
  (...names: readonly Bytes[]): Is =>
  ({ step, call }) => {
    if (call.name !== 'write') return false;
    const file = slotAt(call, 0);
    const opened = step.calls.find(({ result }) => result !== undefined && result === file);
    const path = opened === undefined ? undefined : textAt(opened, 1);
    return path !== undefined && names.some((name) => path === name || path.endsWith(`/${name}`));
  };
