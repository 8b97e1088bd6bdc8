// The start barrier: a created container waits on a unix socket for `start`, whose connection becomes its channel.
//
// runtime-spec runtime.md, Lifecycle: `create` ends before the program runs. The launcher binds the socket, because
// the path is the host's; the child listens, so that the socket dies with it, and with it everybody's hope to start it.

import { CLOSE_RANGE_UNSHARE, F_SETFD, O_CLOEXEC } from '../../linux/constants/open.ts';
import { POLLIN } from '../../linux/constants/poll.ts';
import { P_PIDFD, WEXITED, WNOHANG, WNOWAIT } from '../../linux/constants/process.ts';
import { SFD_CLOEXEC } from '../../linux/constants/signal.ts';
import { SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from '../../linux/constants/socket.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import { SIGNALS } from '../../linux/signals.ts';
import {
  type Call,
  call,
  NULL,
  number,
  type OutBuffer,
  outBuffer,
  pointer,
  type Slot,
  slot,
  struct,
  value,
} from '../call.ts';
import * as sys from '../syscalls.ts';
import type { Context } from './context.ts';
import { type ForkSlots, PAUSE_START, PAUSE_STARTED } from './namespaces.ts';
import { notifies, reapNotifier } from './notify.ts';
import { parentDeathSignal, parentLives } from './process.ts';
import { signalMask } from './signal-mask.ts';
import { bindCalls } from './sockets.ts';

const BARRIER = 'default: create ends before the program runs (runtime.md, Lifecycle)';

/** Before the fork: the socket that `start` connects to. */
export function startSocket(c: Context): Slot | undefined {
  const { barrier } = c.options;
  if (barrier === undefined) return undefined;
  const listener = slot('start_socket');
  // One that also waits for signals must not wait in accept4(2).
  const type = waitsForSignals(c) ? SOCK_STREAM | SOCK_NONBLOCK : SOCK_STREAM;
  c.parent(
    'start-socket',
    `make the socket ${barrier.socket}`,
    BARRIER,
    bindCalls(barrier.socket, listener, type),
  );
  return listener;
}

/** What ends a created container, as runc's own program that waits in its place: signals that ask a process to end. */
const ENDING = [SIGNALS.SIGHUP, SIGNALS.SIGINT, SIGNALS.SIGQUIT, SIGNALS.SIGABRT, SIGNALS.SIGTERM];

/**
 * The kernel drops a signal for PID 1 of a pid namespace that has no handler for it, unless it is blocked
 * (pid_namespaces(7), signal(7)): so these stay blocked up to the start, and are waited for beside the connection.
 */
function waitsForSignals(c: Context): boolean {
  return c.options.barrier !== undefined && c.isNew('pid');
}

/** The signal mask of the container's first process until it executes its program or is started. */
export function maskUntilStart(c: Context): bigint {
  return waitsForSignals(c) ? ENDING_MASK : 0n;
}

const ENDING_MASK = ENDING.reduce((mask, signal) => mask | (1n << BigInt(signal - 1)), 0n);

/** In the child, before a filter or a limit could be in the way: the signals that will end its wait for start. */
export function openSignals(c: Context): Slot | undefined {
  if (!waitsForSignals(c)) return undefined;
  const signals = slot('signals');
  c.child('end-signals', 'open the signals that end a created container', BARRIER, [
    call(
      'signalfd4',
      [
        number(-1),
        pointer(struct({ name: 'mask', width: 8, value: ENDING_MASK, format: 'hex' }), 2),
        number(8),
        number(SFD_CLOEXEC, F.SIGNALFD_FLAGS),
      ],
      { result: signals },
    ),
  ]);
  return signals;
}

/** In the child, first of all: it must not hold the command's lock, and dies with the launcher until it is created. */
export function beginCreation(c: Context): void {
  if (c.options.lock !== undefined)
    c.child('unlock', 'do not keep the lock of the command', 'default: a lock ends with its command', [
      sys.close(c.options.lock),
    ]);
  if (c.options.barrier === undefined) return;
  c.child(
    'creation-death-signal',
    'die with the launcher until it is created',
    'default: nothing outlives a create that was killed',
    [parentDeathSignal(SIGNALS.SIGKILL)],
  );
}

/**
 * In the child: tells the launcher, by closing their pipe, that it is created; from here on it needs nobody. A change
 * of uid has cleared the death signal before, hence the look whether the launcher lives. The socket takes the place of
 * the channel, and nothing else stays open: a container may wait for long, and must not hold directories, cgroups and
 * mounts. A failure from here on cannot be told (ENOTCONN), and ends the child.
 */
export function waitForStart(c: Context, forked: ForkSlots, waited: Waited): void {
  const { listener, signals } = waited;
  if (listener === undefined) return;
  const filtered = c.spec.linux?.seccomp !== undefined && !c.spec.process?.noNewPrivileges;
  const first = signals === undefined ? c.channel + 1 : c.channel + 2;
  c.child('created', 'say that it is created', BARRIER, [
    call('listen', [value(listener), number(1)]),
    ...parentLives(forked),
    parentDeathSignal(0),
    // The notifier may still have to send a listener that is in the table which the two share.
    ...(notifies(c) ? [sys.closeRange(HIGHEST, HIGHEST, CLOSE_RANGE_UNSHARE)] : []),
    // A filter that is on already may be older than close_range(2): the rest is then left to execve(2).
    ...(filtered ? [sys.close(forked.executedEnd, { tolerate: [ERRNO.EBADF] })] : []),
    sys.dup3(listener, c.channel, O_CLOEXEC),
    // EINVAL: it has that number.
    ...(signals === undefined
      ? []
      : [sys.dup3(signals, c.channel + 1, O_CLOEXEC, { tolerate: [ERRNO.EINVAL] })]),
    sys.closeRange(first, HIGHEST, 0, { tolerate: [ERRNO.EPERM, ERRNO.ENOSYS] }),
  ]);
  const connection = slot('start_connection');
  c.child('await-start', 'wait for start', BARRIER, [
    ...(signals === undefined ? [] : [pollBoth(c.channel, c.channel + 1)]),
    // EAGAIN: a signal has come instead.
    call('accept4', [number(c.channel), NULL, NULL, number(SOCK_CLOEXEC, F.SOCKET_TYPES)], {
      result: connection,
      retry: signals === undefined,
    }),
    sys.dup3(connection, c.channel, O_CLOEXEC),
    sys.close(connection),
    ...(signals === undefined ? [] : [signalMask(0n)]),
    sys.pause(PAUSE_START),
  ]);
}

/** What a created container waits for: the socket, and signals that end it. */
export interface Waited {
  readonly listener: Slot | undefined;
  readonly signals: Slot | undefined;
}

/** The last descriptor that close_range(2) can speak of. */
const HIGHEST = 0xffffffff;

function pollBoth(listener: number, signals: number): Call {
  const events = { name: 'events', width: 4, value: POLLIN, format: F.POLL_EVENTS };
  const polled = struct(
    { name: 'fd', width: 4, value: listener },
    events,
    { name: 'fd', width: 4, value: signals },
    events,
  );
  return call('ppoll', [pointer(polled, 'fixed'), number(2), NULL, NULL, number(0)], { retry: true });
}

/** In the launcher, after the fork: waits until the child is created, or dead, which `exit` tells. */
export function awaitCreated(c: Context, { executed, pidfd }: ForkSlots, listener: Slot): OutBuffer {
  const exit = outBuffer('siginfo', 128);
  c.parent('await-created', 'wait until the container is created', BARRIER, [
    sys.close(listener),
    sys.read(executed, outBuffer('executed_byte', 1, false)),
    ...reapNotifier(c),
    call('waitid', [
      number(P_PIDFD, F.WAIT_TYPES),
      value(pidfd),
      pointer({ kind: 'out', buffer: exit }, 'fixed'),
      number(WEXITED | WNOHANG | WNOWAIT, F.WAIT_FLAGS),
      NULL,
    ]),
    sys.pause(PAUSE_STARTED),
  ]);
  return exit;
}

/** In the child, last: the descriptors that the caller asked to pass on (runc's --preserve-fds, sd_listen_fds(3)). */
export function preserveDescriptors(c: Context): void {
  const count = c.options.preserveFds ?? 0;
  if (count === 0) return;
  const fds = Array.from({ length: count }, (_, index) => 3 + index);
  c.child('preserve-fds', `pass ${count} descriptors on`, 'option: --preserve-fds', [
    ...fds.map((fd) => sys.fcntl(fd, F_SETFD, 0)),
  ]);
}
