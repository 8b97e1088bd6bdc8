// Sources that the container's own root may not reach: opened by the launcher, inside the child's mount namespace.
//
// In a user namespace made by root the child is nobody on the host: a source below a directory of mode 0700 (state,
// /root) is closed to it. The launcher, still privileged, enters the child's mount namespace (so that the kernel lets
// the child attach what was opened there: fact G9), clones each tree, and passes the descriptors over a socket.
// Into a user namespace that is joined the launcher goes itself, before the fork: it clones the trees before that, and
// the child inherits the descriptors.
import type { Bytes } from '../../linux/bytes.ts';
import { MS_SLAVE } from '../../linux/constants/mount.ts';
import { AT_EMPTY_PATH, AT_RECURSIVE, O_CLOEXEC, O_RDONLY } from '../../linux/constants/open.ts';
import { CLONE_NEWNS } from '../../linux/constants/process.ts';
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from '../../linux/constants/socket.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import { type Call, call, isSlot, number, pointer, type Slot, slot, struct, value } from '../call.ts';
import { type Step, step } from '../step.ts';
import * as sys from '../syscalls.ts';
import type { Context } from './context.ts';
import { receiveDescriptor, sendDescriptor } from './descriptor.ts';

/** The socket between launcher and child. */
interface Passage {
  readonly parent: Slot;
  readonly child: Slot;
}

/**
 * Whether a call of a step clones a tree of the host by an absolute path. Below the root there are the container's own
 * mounts, of which the child sees those that it has made by then: only an id map makes it the launcher's.
 */
function clonesHostTree(c: Context, calls: readonly Call[]): (call: Call) => boolean {
  const root = c.spec.root?.path ?? '';
  const own = root === '' || root === '/' || calls.some(setsIdMap) ? undefined : `${root}/`;
  return (each) => clonesTree(each, own);
}

function clonesTree({ name, args }: Call, own: Bytes | undefined): boolean {
  const [directory, path] = args;
  return (
    name === 'open_tree' &&
    directory?.kind === 'number' &&
    directory.value === sys.AT_FDCWD &&
    path?.kind === 'memory' &&
    path.memory.kind === 'string' &&
    path.memory.bytes.startsWith('/') &&
    (own === undefined || !path.memory.bytes.startsWith(own))
  );
}

/** Whether a call sets an id map, which only root of the first user namespace may. */
function setsIdMap({ name, args }: Call): boolean {
  const attributes = args[3];
  return (
    name === 'mount_setattr' &&
    attributes?.kind === 'memory' &&
    attributes.memory.kind === 'struct' &&
    attributes.memory.fields.some((field) => field.name === 'userns_fd' && isSlot(field.value))
  );
}

/** The launcher's own clone of the tree, with its id map, and what sends it to the child. */
function openAndSend(
  clone: Call,
  idmap: Call | undefined,
  index: number,
  passage: Passage,
): { open: Call[]; send: Call[] } {
  const tree = slot(`source_${index}`);
  const open: Call[] = [{ ...clone, result: tree }];
  if (idmap !== undefined) open.push({ ...idmap, args: [value(tree), ...idmap.args.slice(1)] });
  return { open, send: [...sendDescriptor(passage.parent, tree), sys.close(tree)] };
}

function receive(clone: Call, index: number, passage: Passage): Call[] {
  const received = slot(`received_${index}`, { width: 4 });
  const calls = receiveDescriptor(passage.child, received);
  return clone.result === undefined
    ? calls
    : [...calls, sys.check(received, 'GE', 0, ERRNO.EBADF, { result: clone.result })];
}

/** Moves the opening of sources from the child to the launcher, where the child could not do it. */
export function openSourcesOutside(c: Context, pidfd: Slot): void {
  if (!c.inUserNamespace || !c.isNew('mount') || !c.facts.privileged) return;
  if (!c.isNew('user')) {
    openBeforeJoining(c);
    return;
  }
  const passage: Passage = {
    parent: slot('sources_parent', { width: 4 }),
    child: slot('sources_child', { width: 4 }),
  };
  const opened: Step[] = [];
  const sent: Call[] = [];
  let count = 0;
  const steps = c.steps.map((each): Step => {
    const isOutside = clonesHostTree(c, each.calls);
    if (each.actor !== 'child' || !each.calls.some(isOutside)) return each;
    const idmap = each.calls.find(setsIdMap);
    const opens: Call[] = [];
    const calls = each.calls.flatMap((inner) => {
      if (inner === idmap) return [];
      if (!isOutside(inner)) return [inner];
      // Of the launcher's end no copy may stay here, or the launcher's death would never end the wait.
      const begin = count === 0 ? [sys.close(passage.parent)] : [];
      const { open, send } = openAndSend(inner, idmap, count, passage);
      opens.push(...open);
      sent.push(...send);
      return [...begin, ...receive(inner, count++, passage)];
    });
    opened.push(step('parent', 'open-source', `open for the child: ${each.title}`, each.provenance, opens));
    return { ...each, calls };
  });
  if (count > 0) c.steps.splice(0, c.steps.length, ...insert(steps, { opened, sent }, passage, pidfd));
}

/**
 * Each tree is made a slave, as all mounts are that a new mount namespace copies for another user namespace
 * (mount_namespaces(7)): what the container mounts never reaches the host. Its flags are not locked as those are:
 * root of a container that keeps CAP_SYS_ADMIN could make a read-only source writable, so that it gets only what it
 * can open itself.
 */
function openBeforeJoining(c: Context): void {
  if (c.spec.process?.capabilities?.bounding?.includes('CAP_SYS_ADMIN')) return;
  const opened: Step[] = [];
  let count = 0;
  const steps = c.steps.map((each): Step => {
    const isOutside = clonesHostTree(c, each.calls);
    if (each.actor !== 'child' || !each.calls.some(isOutside)) return each;
    const idmap = each.calls.find(setsIdMap);
    const opens: Call[] = [];
    const calls = each.calls.flatMap((inner) => {
      if (inner === idmap) return [];
      if (!isOutside(inner)) return [inner];
      const tree = slot(`source_${count++}`);
      const slave = { set: 0, clear: 0, propagation: MS_SLAVE };
      opens.push({ ...inner, result: tree }, sys.mountSetattr(tree, '', AT_EMPTY_PATH | AT_RECURSIVE, slave));
      if (idmap !== undefined) opens.push({ ...idmap, args: [value(tree), ...idmap.args.slice(1)] });
      return inner.result === undefined
        ? []
        : [sys.check(tree, 'GE', 0, ERRNO.EBADF, { result: inner.result })];
    });
    opened.push(step('parent', 'open-source', `open for the child: ${each.title}`, each.provenance, opens));
    return { ...each, calls };
  });
  const join = steps.findIndex(({ id }) => id === 'join-user');
  c.steps.splice(0, c.steps.length, ...steps.slice(0, join), ...opened, ...steps.slice(join));
}

interface Outside {
  readonly opened: readonly Step[];
  readonly sent: readonly Call[];
}

/**
 * The socket before the fork; the launcher's visit to the child's mount namespace while the child still waits for its
 * identity map, because later its root may be covered; and the sending when the child is on its way to receive.
 */
function insert(steps: readonly Step[], { opened, sent }: Outside, passage: Passage, pidfd: Slot): Step[] {
  const own = slot('own_mount_namespace');
  const cause = 'default: sources are opened with the rights of the caller';
  const pair = struct(
    { name: 'parent', width: 4, value: passage.parent },
    { name: 'child', width: 4, value: passage.child },
  );
  const before = step('parent', 'source-socket', 'a socket for the sources of mounts', cause, [
    call('socketpair', [
      number(AF_UNIX, F.ADDRESS_FAMILIES),
      number(SOCK_STREAM | SOCK_CLOEXEC, F.SOCKET_TYPES),
      number(0),
      pointer(pair, 'fixed'),
    ]),
    sys.openat(sys.AT_FDCWD, '/proc/self/ns/mnt', O_RDONLY | O_CLOEXEC, 0, { result: own }),
  ]);
  const enter = step('parent', 'enter-mounts', "enter the child's mount namespace", cause, [
    sys.setns(pidfd, CLONE_NEWNS),
  ]);
  const leave = step('parent', 'leave-mounts', 'return to the own mount namespace', cause, [
    sys.setns(own, CLONE_NEWNS),
  ]);
  const send = step('parent', 'send-sources', 'pass the sources to the child', cause, [
    sys.close(passage.child),
    ...sent,
  ]);
  const fork = steps.findIndex(({ calls }) => calls.some(({ name }) => name === 'FORK'));
  const mapped = steps.findIndex(({ id }) => id === 'id-maps-done');
  return [
    ...steps.slice(0, fork),
    before,
    ...steps.slice(fork, mapped),
    enter,
    ...opened,
    leave,
    ...steps.slice(mapped, mapped + 1),
    send,
    ...steps.slice(mapped + 1),
  ];
}
