// What the kernel lets the caller do, found out by doing it: each in a launcher of its own, which then ends.
import type { Port } from '../../host/port.ts';
import { enterOwnUserNamespace } from '../../image/user-namespace.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { MOVE_MOUNT_F_EMPTY_PATH, MS_PRIVATE } from '../../linux/constants/mount.ts';
import { AT_RECURSIVE } from '../../linux/constants/open.ts';
import { CLONE_NEWNS, CLONE_NEWPID, CLONE_PIDFD } from '../../linux/constants/process.ts';
import { call, NULL, number, slot, value } from '../../plan/call.ts';
import { CLONE_FLAG } from '../../plan/compile/namespaces.ts';
import { type Step, step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { withLauncher } from '../../runtime/removal.ts';
import { CaissonError } from '../../spec/error.ts';
import type { LinuxNamespaceType } from '../../spec/runtime-spec.ts';

/** How a trial went: undefined when all of it worked. */
export interface Failure {
  /** `mount a tmpfs: operation not permitted (EPERM)` */
  readonly message: string;
  readonly step: string;
  readonly errno: number;
}

export interface Trials {
  /** The launcher cannot be started at all. */
  readonly launcher: Failure | undefined;
  /** Kinds of namespaces that cannot be made; for an ordinary user inside of a user namespace. */
  readonly namespaces: ReadonlyMap<LinuxNamespaceType, Failure>;
  /** A user namespace with a map, and a mount inside of it. */
  readonly userNamespace: Failure | undefined;
  /** An overlay: in a user namespace for an ordinary user. */
  readonly overlay: Failure | undefined;
  readonly userOverlay: Failure | undefined;
  /** A procfs of a new pid namespace, in a user namespace: refused while the caller's own has covered parts. */
  readonly userProcfs: Failure | undefined;
}

const CAUSE = 'caisson doctor';

function part(id: string, title: string, ...calls: Step['calls']): Step {
  return step('parent', id, title, CAUSE, calls);
}

async function attempt(port: Port, steps: readonly Step[]): Promise<Failure | undefined> {
  try {
    await withLauncher(port, (player) => player.play(steps));
    return undefined;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!(error instanceof CaissonError)) return { message, step: 'launcher', errno: 0 };
    const failed = steps.find(({ title }) => error.message.startsWith(`${title}: `));
    return { message, step: failed?.id ?? 'launcher', errno: error.errno ?? 0 };
  }
}

/** A place that every machine has, to mount over in a namespace of one's own. */
const PLACE: Bytes = '/proc';

function tmpfs(): Step[] {
  const context = slot('tmpfs');
  const mounted = slot('mount');
  return [
    part(
      'private',
      'make the mounts private',
      sys.mountSetattr(sys.AT_FDCWD, '/', AT_RECURSIVE, { set: 0, clear: 0, propagation: MS_PRIVATE }),
    ),
    part(
      'tmpfs',
      'mount a tmpfs',
      sys.fsopen('tmpfs', 0, { result: context }),
      sys.fsconfigCreate(context),
      sys.fsmount(context, 0, 0, { result: mounted }),
      sys.moveMount(mounted, sys.AT_FDCWD, MOVE_MOUNT_F_EMPTY_PATH, {}, PLACE),
    ),
  ];
}

function overlay(user: boolean): Step[] {
  const context = slot('overlay');
  const names: readonly Bytes[] = ['lower', 'upper', 'work'];
  return [
    ...tmpfs(),
    part(
      'directories',
      'make directories',
      ...names.map((name) => sys.mkdirat(sys.AT_FDCWD, `${PLACE}/${name}`, 0o755)),
    ),
    part(
      'overlay',
      'mount an overlay',
      sys.fsopen('overlay', 0, { result: context }),
      ...names.map((name) => sys.fsconfigString(context, `${name}dir`, `${PLACE}/${name}`)),
      ...(user ? [sys.fsconfigFlag(context, 'userxattr')] : []),
      sys.fsconfigCreate(context),
      sys.fsmount(context, 0, 0),
    ),
  ];
}

/** A procfs belongs to the pid namespace of the process that mounts it (fact D of launcher.md). */
function procfs(): Step[] {
  const context = slot('procfs');
  const pid = slot('pid');
  const clone = { flags: CLONE_PIDFD, pidfd: slot('pidfd', { width: 4 }) };
  return [
    part('unshare', 'make a pid namespace', sys.unshare(CLONE_NEWPID)),
    part('fork', 'clone a process', sys.fork(clone, { result: pid })),
    step('child', 'procfs', 'mount a procfs', CAUSE, [
      sys.fsopen('proc', 0, { result: context }),
      sys.fsconfigCreate(context),
      sys.fsmount(context, 0, 0),
      sys.exitGroup(0),
    ]),
    part('wait', 'wait for the process', call('wait4', [value(pid), NULL, number(0), NULL])),
  ];
}

/** In the order in which a kernel's missing option is the likeliest. */
const KINDS: readonly LinuxNamespaceType[] = ['mount', 'pid', 'network', 'ipc', 'uts', 'cgroup', 'time'];

/** Plays all trials; about a millisecond each. Nothing of them stays. */
export async function trials(port: Port, privileged: boolean): Promise<Trials> {
  const launcher = await attempt(port, []);
  if (launcher !== undefined) {
    const all = {
      launcher,
      userNamespace: launcher,
      overlay: launcher,
      userOverlay: launcher,
      userProcfs: launcher,
    };
    return { ...all, namespaces: new Map() };
  }
  const own = enterOwnUserNamespace(port.uid, port.gid, CAUSE);
  const namespaces = new Map<LinuxNamespaceType, Failure>();
  for (const kind of KINDS) {
    const alone = part('unshare', `make a ${kind} namespace`, sys.unshare(CLONE_FLAG[kind]));
    const failure = await attempt(port, privileged ? [alone] : [...own, alone]);
    if (failure !== undefined) namespaces.set(kind, failure);
  }
  const mounts = part('mount-namespace', 'make a mount namespace', sys.unshare(CLONE_NEWNS));
  return {
    launcher,
    namespaces,
    userNamespace: await attempt(port, [...own, ...tmpfs()]),
    overlay: privileged ? await attempt(port, [mounts, ...overlay(false)]) : undefined,
    userOverlay: await attempt(port, [...own, ...overlay(true)]),
    userProcfs: await attempt(port, [...own, ...procfs()]),
  };
}
