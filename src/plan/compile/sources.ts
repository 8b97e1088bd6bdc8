// Sources that the container's own root may not reach: opened by the launcher, inside the child's mount namespace.
//
// In a user namespace made by root the child is nobody on the host: a source below a directory of mode 0700 (state,
// /root) is closed to it. The launcher, still privileged, enters the child's mount namespace (so that the kernel lets
// the child attach what was opened there: fact G9), clones each tree, and passes the descriptors over a socket.
// Into a user namespace that is joined the launcher goes itself, before the fork: it clones the trees before that, and
// the child inherits the descriptors. An id map below the root is of a tree that only the child can clone: it sends it to
// the launcher, which sets the map.
import type { Bytes } from '../../linux/bytes.ts';
import { MS_SLAVE } from '../../linux/constants/mount.ts';
import { AT_EMPTY_PATH, AT_RECURSIVE, O_CLOEXEC, O_RDONLY } from '../../linux/constants/open.ts';
import { CLONE_NEWNS } from '../../linux/constants/process.ts';
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from '../../linux/constants/socket.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import {
  type Call,
  call,
  isSlot,
  number,
  outBuffer,
  pointer,
  type Slot,
  slot,
  struct,
  value,
} from '../call.ts';
import { type Step, step } from '../step.ts';
import * as sys from '../syscalls.ts';
import type { Context } from './context.ts';
import { receiveDescriptor, sendDescriptor } from './descriptor.ts';

/** The socket between launcher and child. */
interface Passage {
  readonly parent: Slot;
  readonly child: Slot;
}

/** What becomes of a clone of a tree that the launcher makes: calls of the launcher, and of the child in its place. */
interface Moved {
  readonly parent: readonly Call[];
  readonly child: readonly Call[];
}

function clonesTree({ name, args }: Call): boolean {
  const [directory, path] = args;
  return (
    name === 'open_tree' &&
    directory?.kind === 'number' &&
    directory.value === sys.AT_FDCWD &&
    path?.kind === 'memory' &&
    path.memory.kind === 'string' &&
    path.memory.bytes.startsWith('/')
  );
}

/**
 * Whether a call clones a tree of the host by an absolute path. Below the root there are the container's own mounts, of
 * which the child alone sees those that it has made by then.
 */
function clonesHostTree(c: Context): (call: Call) => boolean {
  const root = c.spec.root?.path ?? '';
  if (root === '' || root === '/') return clonesTree;
  return (each) => clonesTree(each) && !pathOf(each).startsWith(`${root}/`);
}

function pathOf({ args }: Call): Bytes {
  const path = args[1];
  return path?.kind === 'memory' && path.memory.kind === 'string' ? path.memory.bytes : '';
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

/** The id map of a tree, set by the launcher. */
function mapped(idmap: Call | undefined, tree: Slot): Call[] {
  return idmap === undefined ? [] : [{ ...idmap, args: [value(tree), ...idmap.args.slice(1)] }];
}

/**
 * Takes the clones of trees of the host, and their id maps, out of the child's steps; `map` does the same with the id map
 * of another tree. The result is the steps of all, and those of the launcher that open the trees.
 */
function takeOut(
  c: Context,
  move: (clone: Call, idmap: Call | undefined) => Moved,
  map: (idmap: Call, of: Step) => readonly Call[] = (idmap) => [idmap],
): { readonly steps: Step[]; readonly opened: Step[] } {
  const isOutside = clonesHostTree(c);
  const opened: Step[] = [];
  const steps = c.steps.map((each): Step => {
    const idmap = each.actor === 'child' ? each.calls.find(setsIdMap) : undefined;
    if (each.actor !== 'child' || !each.calls.some(isOutside)) {
      if (idmap === undefined) return each;
      return {
        ...each,
        calls: each.calls.flatMap((inner) => (inner === idmap ? map(idmap, each) : [inner])),
      };
    }
    const opens: Call[] = [];
    const calls = each.calls.flatMap((inner) => {
      if (inner === idmap) return [];
      if (!isOutside(inner)) return [inner];
      const { parent, child } = move(inner, idmap);
      opens.push(...parent);
      return child;
    });
    opened.push(step('parent', 'open-source', `open for the child: ${each.title}`, each.provenance, opens));
    return { ...each, calls };
  });
  return { steps, opened };
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
  // What the launcher does on the socket, in the order in which the child waits for it.
  const served: Step[] = [];
  let sends: Call[] = [];
  const send = () => {
    if (sends.length > 0)
      served.push(step('parent', 'send-sources', 'pass the sources to the child', CAUSE, sends));
    sends = [];
  };
  let count = 0;
  // Of the launcher's end no copy may stay in the child, or the launcher's death would never end the wait.
  const begin = () => (count++ === 0 ? [sys.close(passage.parent)] : []);
  const { steps, opened } = takeOut(
    c,
    (clone, idmap) => {
      const tree = slot(`source_${count}`);
      sends.push(...sendDescriptor(passage.parent, tree), sys.close(tree));
      return {
        parent: [{ ...clone, result: tree }, ...mapped(idmap, tree)],
        child: [...begin(), ...receive(clone, count - 1, passage)],
      };
    },
    (idmap, of) => {
      const tree = idmap.args[0];
      if (tree?.kind !== 'slot') return [idmap];
      send();
      const first = begin();
      const { parent, child } = mapOutside(idmap, tree, count, passage);
      served.push(
        step('parent', 'map-source', `map the ids for the child: ${of.title}`, of.provenance, parent),
      );
      return [...first, ...child];
    },
  );
  send();
  if (count > 0) c.steps.splice(0, c.steps.length, ...insert(steps, { opened, served }, passage, pidfd));
}

const CAUSE = 'default: sources are opened with the rights of the caller';

function receive(clone: Call, index: number, passage: Passage): Call[] {
  const received = slot(`received_${index}`, { width: 4 });
  const calls = receiveDescriptor(passage.child, received);
  return clone.result === undefined
    ? calls
    : [...calls, sys.check(received, 'GE', 0, ERRNO.EBADF, { result: clone.result })];
}

/** A tree of the container's own mounts: the child clones it when they are there, and the launcher sets its id map. */
function mapOutside(idmap: Call, tree: Slot, index: number, passage: Passage): Moved {
  const received = slot(`to_map_${index}`, { width: 4 });
  const answer = outBuffer('mapped_answer', 1, false);
  const length = slot('mapped_answer_length');
  return {
    parent: [
      ...receiveDescriptor(passage.parent, received),
      ...mapped(idmap, received),
      sys.close(received),
      sys.write(passage.parent, 'm'),
    ],
    child: [
      ...sendDescriptor(passage.child, tree),
      sys.read(passage.child, answer, { result: length }),
      sys.check(length, 'EQ', 1, ERRNO.ECANCELED),
    ],
  };
}

/**
 * Each tree is made a slave, as all mounts are that a new mount namespace copies for another user namespace
 * (mount_namespaces(7)): what the container mounts never reaches the host. Its flags are not locked as those are:
 * root of a container that keeps CAP_SYS_ADMIN could make a read-only source writable, so that it gets only what it
 * can open itself.
 */
function openBeforeJoining(c: Context): void {
  if (c.spec.process?.capabilities?.bounding?.includes('CAP_SYS_ADMIN')) return;
  let count = 0;
  const { steps, opened } = takeOut(c, (clone, idmap) => {
    const tree = slot(`source_${count++}`);
    const slave = { set: 0, clear: 0, propagation: MS_SLAVE };
    return {
      parent: [
        { ...clone, result: tree },
        sys.mountSetattr(tree, '', AT_EMPTY_PATH | AT_RECURSIVE, slave),
        ...mapped(idmap, tree),
      ],
      child:
        clone.result === undefined ? [] : [sys.check(tree, 'GE', 0, ERRNO.EBADF, { result: clone.result })],
    };
  });
  const join = steps.findIndex(({ id }) => id === 'join-user');
  c.steps.splice(0, c.steps.length, ...steps.slice(0, join), ...opened, ...steps.slice(join));
}

interface Outside {
  readonly opened: readonly Step[];
  readonly served: readonly Step[];
}

/**
 * The socket before the fork; the launcher's visit to the child's mount namespace while the child still waits for its
 * identity map, because later its root may be covered; and the sending when the child is on its way to receive.
 */
function insert(steps: readonly Step[], { opened, served }: Outside, passage: Passage, pidfd: Slot): Step[] {
  const own = slot('own_mount_namespace');
  const pair = struct(
    { name: 'parent', width: 4, value: passage.parent },
    { name: 'child', width: 4, value: passage.child },
  );
  const before = step('parent', 'source-socket', 'a socket for the sources of mounts', CAUSE, [
    call('socketpair', [
      number(AF_UNIX, F.ADDRESS_FAMILIES),
      number(SOCK_STREAM | SOCK_CLOEXEC, F.SOCKET_TYPES),
      number(0),
      pointer(pair, 'fixed'),
    ]),
    sys.openat(sys.AT_FDCWD, '/proc/self/ns/mnt', O_RDONLY | O_CLOEXEC, 0, { result: own }),
  ]);
  const enter = step('parent', 'enter-mounts', "enter the child's mount namespace", CAUSE, [
    sys.setns(pidfd, CLONE_NEWNS),
  ]);
  const leave = step('parent', 'leave-mounts', 'return to the own mount namespace', CAUSE, [
    sys.setns(own, CLONE_NEWNS),
  ]);
  const [first, ...more] = served;
  const serving =
    first === undefined ? [] : [{ ...first, calls: [sys.close(passage.child), ...first.calls] }, ...more];
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
    ...serving,
    ...steps.slice(mapped + 1),
  ];
}
