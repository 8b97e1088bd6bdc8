// The start barrier: a created container waits on a unix socket for `start`, whose connection becomes its channel.
//
// runtime-spec runtime.md, Lifecycle: `create` ends before the program runs. The launcher binds the socket, because
// the path is the host's; the child listens, so that the socket dies with it, and with it everybody's hope to start it.

import { CLOSE_RANGE_UNSHARE, F_DUPFD_CLOEXEC, F_SETFD, O_CLOEXEC } from '../../linux/constants/open.ts';
import { P_PIDFD, PR_SET_PDEATHSIG, WEXITED, WNOHANG, WNOWAIT } from '../../linux/constants/process.ts';
import { SOCK_CLOEXEC } from '../../linux/constants/socket.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import { SIGNALS } from '../../linux/signals.ts';
import { call, NULL, number, type OutBuffer, outBuffer, pointer, type Slot, slot, value } from '../call.ts';
import * as sys from '../syscalls.ts';
import type { Context } from './context.ts';
import { type ForkSlots, PAUSE_START, PAUSE_STARTED } from './namespaces.ts';
import { notifies, reapNotifier } from './notify.ts';
import { parentLives } from './process.ts';
import { bindCalls } from './sockets.ts';

const BARRIER = 'default: create ends before the program runs (runtime.md, Lifecycle)';

/** Before the fork: the socket that `start` connects to. */
export function startSocket(c: Context): Slot | undefined {
  const { barrier } = c.options;
  if (barrier === undefined) return undefined;
  const listener = slot('start_socket');
  c.parent('start-socket', `make the socket ${barrier.socket}`, BARRIER, bindCalls(barrier.socket, listener));
  return listener;
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
    [deathSignal(SIGNALS.SIGKILL)],
  );
}

function deathSignal(signal: number) {
  return call('prctl', [
    number(PR_SET_PDEATHSIG, F.PRCTL_OPERATIONS),
    number(signal, F.SIGNALS),
    number(0),
    number(0),
    number(0),
  ]);
}

/**
 * In the child: tells the launcher, by closing their pipe, that it is created; from here on it needs nobody. A change
 * of uid has cleared the death signal before, hence the look whether the launcher lives.
 */
export function waitForStart(c: Context, forked: ForkSlots, listener: Slot | undefined): void {
  if (listener === undefined) return;
  const connection = slot('start_connection');
  const kept = slot('start_socket_kept');
  const filtered = c.spec.linux?.seccomp !== undefined && !c.spec.process?.noNewPrivileges;
  c.child('created', 'say that it is created', BARRIER, [
    call('listen', [value(listener), number(1)]),
    ...parentLives(forked),
    deathSignal(0),
    sys.fcntl(listener, F_DUPFD_CLOEXEC, beyond(c), { result: kept }),
    // The notifier may still have to send a listener that is in the table which the two share.
    notifies(c)
      ? sys.closeRange(c.channel + 1, beyond(c) - 1, CLOSE_RANGE_UNSHARE)
      : sys.closeRange(c.channel + 1, beyond(c) - 1, 0, { tolerate: [ERRNO.EPERM, ERRNO.ENOSYS] }),
    // A filter that is on already may be older than that call: the rest is then left to execve(2).
    ...(filtered ? [sys.close(forked.executedEnd, { tolerate: [ERRNO.EBADF] })] : []),
  ]);
  c.child('await-start', 'wait for start', BARRIER, [
    call('accept4', [value(kept), NULL, NULL, number(SOCK_CLOEXEC, F.SOCKET_TYPES)], {
      result: connection,
      retry: true,
    }),
    sys.dup3(connection, c.channel, O_CLOEXEC),
    sys.close(connection),
    sys.close(kept),
    sys.pause(PAUSE_START),
  ]);
}

/**
 * A number above every descriptor that the child has: the kernel takes the lowest that is free. A container may wait
 * for long, and its directories, cgroups and mounts must not be held open by it.
 */
function beyond(c: Context): number {
  const calls = c.steps.reduce((sum, step) => sum + step.calls.length, 0);
  const limit = c.spec.process?.rlimits?.find(({ type }) => type === 'RLIMIT_NOFILE')?.soft ?? USUAL_LIMIT;
  // As many as there are calls is too many, but never too few; where the limit is lower, what it allows.
  return Math.max(c.channel + 2, Math.min(c.channel + calls, Number(limit) - 2));
}

/** The soft limit of most systems; the caller's own is not known to the compiler. */
const USUAL_LIMIT = 1024;

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
