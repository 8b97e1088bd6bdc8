// SCMP_ACT_NOTIFY: the listener of the filter goes to the agent without a call of the container after the filter.
//
// config-linux.md, Seccomp and The Container Process State; seccomp_unotify(2). The kernel makes the listener in the
// table of descriptors of the process that loads the filter, and its execve closes it there. So a third process, the
// notifier, shares that table: it is the launcher's child, it clones the container's first process (which becomes the
// launcher's child too, and is alone in a new pid namespace: its PID 1 may not have siblings of its own making), keeps
// the table beyond the execve, sends the listener, and is gone before the start is over.
import type { Arch } from '../../linux/abi/index.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { F_DUPFD_CLOEXEC } from '../../linux/constants/open.ts';
import { POLLIN } from '../../linux/constants/poll.ts';
import { CLONE_FILES, CLONE_PARENT, CLONE_PIDFD, PR_SET_DUMPABLE } from '../../linux/constants/process.ts';
import {
  AF_UNIX,
  MSG_CMSG_CLOEXEC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SCM_RIGHTS,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../linux/constants/socket.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import { compileSeccomp, type SeccompFilter } from '../../seccomp/compile.ts';
import { stringifyJson } from '../../spec/json.ts';
import type { LinuxSeccomp } from '../../spec/linux-spec.ts';
import type { State } from '../../spec/runtime-spec.ts';
import {
  type Call,
  call,
  type Field,
  type Memory,
  NULL,
  number,
  pointer,
  type Slot,
  slot,
  struct,
  value,
} from '../call.ts';
import * as sys from '../syscalls.ts';
import type { Context } from './context.ts';
import { connectCalls } from './sockets.ts';

/** The pause of the notifier: it goes on once the filter is loaded, which TypeScript sees in procfs. */
export const PAUSE_NOTIFY = 7;

/** What the agent is told about the container; absent: one that is being created and has no bundle. */
export interface AgentState {
  readonly bundle: Bytes;
  readonly status: State['status'];
  /** The container's first process; absent where it is the one that loads the filter. */
  readonly pid?: number;
}

const CAUSE = '/linux/seccomp/listenerPath';

/** By profile: a sandbox compiles many processes with the same one. */
const filters = new WeakMap<LinuxSeccomp, { readonly arch: Arch; readonly filter: SeccompFilter }>();

/** The compiled filter, once. */
export function filterOf(c: Context): SeccompFilter | undefined {
  const profile = c.spec.linux?.seccomp;
  if (profile === undefined) return undefined;
  const known = filters.get(profile);
  if (known !== undefined && known.arch === c.facts.arch) return known.filter;
  const filter = compileSeccomp(profile, c.facts.arch);
  filters.set(profile, { arch: c.facts.arch, filter });
  return filter;
}

/** Whether an agent decides about calls of the container. */
export function notifies(c: Context): boolean {
  // Compiling a filter takes its time, and without such a rule there is nothing to see in it.
  const asks = c.spec.linux?.seccomp?.syscalls?.some(({ action }) => action === 'SCMP_ACT_NOTIFY') ?? false;
  return asks && (filterOf(c)?.needsListener ?? false);
}

/** What TypeScript needs to see the listener: slots of the notifier's answer. */
export interface Notified {
  /** The notifier's own process id, on the host. */
  readonly pid: Slot;
  /** The number of the listener in its table. */
  readonly listener: Slot;
}

interface Notifier {
  /** The launcher's end of the pair, and the container's until its execve. */
  readonly outer: Slot;
  /** The notifier's end. */
  readonly inner: Slot;
  readonly agent: Slot;
  readonly pid: Slot;
  readonly own: Slot;
  /** The number that the listener will have, as the notifier receives it. */
  readonly listener: Slot;
}

const notifiers = new WeakMap<Context, Notifier>();

/** Before the fork: the connection to the agent, and the pair by which launcher, notifier and child speak. */
export function connectAgent(c: Context): void {
  if (!notifies(c)) return;
  const made: Notifier = {
    outer: slot('notifier_outer', { width: 4 }),
    inner: slot('notifier_inner', { width: 4 }),
    agent: slot('agent'),
    pid: slot('notifier_pid'),
    own: slot('notifier_own_pid', { reply: true }),
    listener: slot('listener', { width: 4, reply: true }),
  };
  notifiers.set(c, made);
  const path = c.spec.linux?.seccomp?.listenerPath ?? '';
  const pair = struct(
    { name: 'outer', width: 4, value: made.outer },
    { name: 'inner', width: 4, value: made.inner },
  );
  c.parent('agent', `connect to the agent at ${path}`, CAUSE, [
    ...connectCalls(path, made.agent),
    call('socketpair', [
      number(AF_UNIX, F.ADDRESS_FAMILIES),
      number(SOCK_STREAM | SOCK_CLOEXEC, F.SOCKET_TYPES),
      number(0),
      pointer(pair, 'fixed'),
    ]),
  ]);
}

/** The clone of the container's first process, where the notifier makes it. */
export interface NotifiedClone {
  /** As clone3(2) takes them, without what concerns the notifier. */
  readonly flags: number;
  readonly cgroup?: Slot;
  readonly pid: Slot;
  readonly pidfd: Slot;
  /** The pid namespace is joined by the notifier, which is to see the numbers of the host itself. */
  readonly join: readonly Call[];
  readonly title: string;
  readonly cause: string | readonly string[];
}

/** In place of the fork: the launcher clones the notifier, and learns from it the child's number and pidfd. */
export function cloneByNotifier(c: Context, clone: NotifiedClone): void {
  const made = notifierOf(c);
  const born = rightsMessage(struct({ name: 'pid', width: 8, value: clone.pid }), 8, clone.pidfd);
  const length = slot('born_length');
  c.parent('fork', 'clone the notifier, which clones the container', CAUSE, [
    forkCall({ flags: 0, exitSignal: 17 }, made.pid),
    ...[made.inner, made.agent].map((fd) => sys.close(fd)),
    call('recvmsg', [value(made.outer), pointer(born, 'fixed'), number(MSG_CMSG_CLOEXEC, F.MESSAGE_FLAGS)], {
      result: length,
    }),
    sys.check(length, 'EQ', 8, ERRNO.ECANCELED),
    sys.close(made.outer),
  ]);
  const pidfd = slot('child_pidfd', { width: 4 });
  const flags = clone.flags - CLONE_PIDFD + CLONE_FILES + CLONE_PARENT;
  c.add('notifier', 'notifier-clone', clone.title, clone.cause, [
    ...clone.join,
    forkCall({ flags: flags + CLONE_PIDFD, exitSignal: 0, pidfd, cgroup: clone.cgroup }, clone.pid),
    sys.check(pidfd, 'GE', 0, ERRNO.EBADF, { result: clone.pidfd }),
    call('sendmsg', [value(made.inner), pointer(born, 'fixed'), number(MSG_NOSIGNAL, F.MESSAGE_FLAGS)]),
  ]);
  awaitNumber(c, made, pidfd);
  sendListener(c, made, clone.pid);
}

/** The child is about to load its filter, or is dead. */
function awaitNumber(c: Context, made: Notifier, pidfd: Slot): void {
  const polled = [made.inner, pidfd].map((fd) => ({ fd, place: slot(`poll_${fd.name}`, { width: 4 }) }));
  const fields = polled.flatMap(({ place }): Field[] => [
    { name: 'fd', width: 4, value: place },
    { name: 'events', width: 4, value: POLLIN, format: F.POLL_EVENTS },
  ]);
  const length = slot('number_length');
  c.add('notifier', 'notifier-wait', 'wait for the number that the listener will have', CAUSE, [
    ...polled.map(({ fd, place }) => sys.check(fd, 'GE', 0, ERRNO.EBADF, { result: place })),
    call('ppoll', [pointer(struct(...fields), 'fixed'), number(polled.length), NULL, NULL, number(0)]),
    call(
      'recvfrom',
      [
        value(made.inner),
        pointer(cell(made.listener), 2),
        number(4),
        number(MSG_DONTWAIT, F.MESSAGE_FLAGS),
        NULL,
        NULL,
      ],
      { result: length },
    ),
    sys.check(length, 'EQ', 4, ERRNO.ECANCELED),
  ]);
}

function sendListener(c: Context, made: Notifier, pid: Slot): void {
  const { calls, message } = stateMessage(c, pid, made.listener);
  // TypeScript looks into the table of a user's notifier. No process of the container sees it: it is in the launcher's
  // pid namespace.
  const visible = c.facts.privileged ? [] : [sys.prctl(PR_SET_DUMPABLE, 1)];
  c.add('notifier', 'notifier-send', 'send the listener to the agent', CAUSE, [
    ...visible,
    call('getpid', [], { result: made.own }),
    sys.pause(PAUSE_NOTIFY),
    ...calls,
    call('sendmsg', [value(made.agent), pointer(message, 'fixed'), number(MSG_NOSIGNAL, F.MESSAGE_FLAGS)]),
    sys.exitGroup(0),
  ]);
}

/** The Container Process State: text around numbers that are known when it is sent. */
function stateMessage(c: Context, pid: Slot, listener: Slot): { calls: Call[]; message: Memory } {
  const { ociVersion, annotations } = c.spec;
  const metadata = c.spec.linux?.seccomp?.listenerMetadata;
  const { bundle, status, pid: first } = c.options.agent ?? { bundle: '', status: 'creating' };
  const json = (from: unknown) => stringifyJson(from);
  const before = `{"ociVersion":${json(ociVersion)},"fds":["seccompFd"],"pid":`;
  const between =
    (metadata === undefined ? '' : `,"metadata":${json(metadata)}`) +
    `,"state":{"ociVersion":${json(ociVersion)},"id":${json(c.options.id)},"status":${json(status)},"pid":`;
  const after =
    `,"bundle":${json(bundle)}` +
    `${annotations === undefined ? '' : `,"annotations":${json(annotations)}`}}}`;
  const [own, firstPid] = [decimalPiece('pid', pid), decimalPiece('state_pid', pid)];
  const pieces: readonly Piece[] = [
    textPiece(before),
    own,
    textPiece(first === undefined ? between : `${between}${first}`),
    ...(first === undefined ? [firstPid] : []),
    textPiece(after),
  ];
  const copy = slot('listener_sent', { width: 4 });
  return {
    calls: [
      ...pieces.flatMap(({ calls }) => calls),
      sys.check(listener, 'GE', 3, ERRNO.EBADF, { result: copy }),
    ],
    message: rightsOf(pieces, copy),
  };
}

interface Piece {
  readonly calls: readonly Call[];
  readonly base: Memory;
  readonly length: number | Slot;
}

function textPiece(text: Bytes): Piece {
  return { calls: [], base: { kind: 'buffer', bytes: text }, length: text.length };
}

function decimalPiece(name: string, from: Slot): Piece {
  const base: Memory & { kind: 'decimal' } = { kind: 'decimal', prefix: '', slot: from };
  const length = slot(`${name}_digits`);
  return { calls: [sys.dec(from, base, { result: length })], base, length };
}

function rightsMessage(base: Memory, length: number, fd: Slot): Memory {
  return rightsOf([{ calls: [], base, length }], fd);
}

/** struct msghdr with one descriptor (cmsg(3)). */
function rightsOf(pieces: readonly Piece[], fd: Slot): Memory {
  const control = struct(
    { name: 'cmsg_len', width: 8, value: 20 },
    { name: 'cmsg_level', width: 4, value: SOL_SOCKET },
    { name: 'cmsg_type', width: 4, value: SCM_RIGHTS },
    { name: 'fd', width: 4, value: fd },
    { name: 'padding', width: 4, value: 0 },
  );
  const iovec = struct(
    ...pieces.flatMap(({ base, length }): Field[] => [
      { name: 'iov_base', width: 8, value: base },
      { name: 'iov_len', width: 8, value: length },
    ]),
  );
  return struct(
    { name: 'msg_name', width: 8, value: 0 },
    { name: 'msg_namelen', width: 8, value: 0 },
    { name: 'msg_iov', width: 8, value: iovec },
    { name: 'msg_iovlen', width: 8, value: pieces.length },
    { name: 'msg_control', width: 8, value: control },
    { name: 'msg_controllen', width: 8, value: 24 },
    { name: 'msg_flags', width: 8, value: 0 },
  );
}

/** In the child, right before the filter: tells the notifier which number the listener gets, the lowest that is free. */
export function announceListener(c: Context): void {
  const { outer } = notifierOf(c);
  const listener = slot('listener_number', { width: 4 });
  c.child('listener', 'say which descriptor the listener will be', CAUSE, [
    call('fcntl', [value(outer), number(F_DUPFD_CLOEXEC, F.FCNTL_COMMANDS), number(0)], { result: listener }),
    sys.close(listener),
    call('write', [value(outer), pointer(cell(listener), 2), number(4)]),
  ]);
}

/** In the launcher, once the child has executed its program or waits at its barrier: the notifier is gone too. */
export function reapNotifier(c: Context): Call[] {
  const made = notifiers.get(c);
  return made === undefined ? [] : [call('wait4', [value(made.pid), NULL, number(0), NULL])];
}

/** Where there is a notifier, what its answer says. */
export function notified(c: Context): Notified | undefined {
  const made = notifiers.get(c);
  return made && { pid: made.own, listener: made.listener };
}

const cell = (from: Slot): Memory => struct({ name: from.name, width: 4, value: from });

function notifierOf(c: Context): Notifier {
  const made = notifiers.get(c);
  if (made === undefined) throw new Error('no agent has been connected for SCMP_ACT_NOTIFY');
  return made;
}

/** clone3(2) with and without a pidfd; CLONE_PARENT forbids a signal of its own. */
function forkCall(
  clone: {
    readonly flags: number;
    readonly exitSignal: number;
    readonly pidfd?: Slot;
    readonly cgroup?: Slot | undefined;
  },
  result: Slot,
): Call {
  const names = ['child_tid', 'parent_tid'];
  const rest = ['stack', 'stack_size', 'tls', 'set_tid', 'set_tid_size'];
  const zero = (name: string): Field => ({ name, width: 8, value: 0 });
  const fields: Field[] = [
    { name: 'flags', width: 8, value: clone.flags, format: F.CLONE_FLAGS },
    { name: 'pidfd', width: 8, value: clone.pidfd === undefined ? 0 : cell(clone.pidfd) },
    ...names.map(zero),
    { name: 'exit_signal', width: 8, value: clone.exitSignal, format: F.SIGNALS },
    ...rest.map(zero),
    { name: 'cgroup', width: 8, value: clone.cgroup ?? 0 },
  ];
  return call('FORK', [pointer(struct(...fields), 1), number(88), number(0)], { result });
}
