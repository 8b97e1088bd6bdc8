// Waiting for a hook: its output, its end and its time limit.

import { POLLIN } from '../../linux/constants/poll.ts';
import { P_PIDFD, WEXITED, WNOHANG } from '../../linux/constants/process.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import { SIGNALS } from '../../linux/signals.ts';
import {
  type Arg,
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
} from '../call.ts';
import { type Plan, type Step, step } from '../step.ts';
import * as sys from '../syscalls.ts';

/** What one round of waiting for a hook answers with. */
export interface HookRound extends Plan {
  /** Bytes read, or a negative errno; 0 at its end. */
  readonly counts: { readonly stdout: Slot; readonly stderr: Slot };
  readonly buffers: { readonly stdout: OutBuffer; readonly stderr: OutBuffer };
  /** si_pid, si_code and si_status of waitid(2); the first is 0 while the hook runs. */
  readonly ended: Slot;
  readonly code: Slot;
  readonly status: Slot;
}

const READ = 4 << 10;

/** The channel of a launcher that was opened without further descriptors. */
const CHANNEL = 3;

/**
 * Waits for output, the end of the hook or `milliseconds` (undefined: for ever), whatever comes first. `reaped`: its end
 * is known already, only output is read.
 */
export function hookRound(
  pidfd: number,
  open: { readonly stdout: number; readonly stderr: number },
  milliseconds: number | undefined,
  reaped = false,
): HookRound {
  const [counts, buffers] = [named(slot, { reply: true }), named(outBuffer, READ)];
  const [ended, code, status] = ['si_pid', 'si_code', 'si_status'].map((name) =>
    slot(name, { width: 4, reply: true }),
  ) as [Slot, Slot, Slot];
  const polled = [CHANNEL, pidfd, open.stdout, open.stderr].filter((fd) => fd >= 0);
  const poll = struct(
    ...polled.flatMap((fd) => [
      { name: 'fd', width: 4, value: fd },
      { name: 'events', width: 4, value: POLLIN, format: F.POLL_EVENTS },
    ]),
  );
  const siginfo = struct(
    { name: 'si_signo', width: 8, value: 0 },
    { name: 'si_code', width: 4, value: code },
    { name: 'pad', width: 4, value: 0 },
    { name: 'si_pid', width: 4, value: ended },
    { name: 'si_uid', width: 4, value: 0 },
    { name: 'si_status', width: 4, value: status },
    { name: 'rest', width: 100, value: 0 },
  );
  const reads = (['stdout', 'stderr'] as const)
    .filter((name) => open[name] >= 0)
    .map((name) =>
      sys.read(open[name], buffers[name], { result: counts[name], tolerate: [ERRNO.EAGAIN, ERRNO.EINTR] }),
    );
  const calls = [
    call('ppoll', [pointer(poll, 'fixed'), number(polled.length), patience(milliseconds), NULL, number(0)], {
      tolerate: [ERRNO.EINTR],
    }),
    ...reads,
    ...(reaped ? [] : [waitid(pidfd, pointer(siginfo, 'fixed'), WEXITED | WNOHANG)]),
  ];
  const steps = [
    step('parent', 'wait', 'wait for the hook', 'default: hooks run one after the other', calls),
  ];
  return { steps, counts, buffers, ended, code, status };
}

function waitid(pidfd: number, siginfo: Arg, flags: number): Call {
  return call('waitid', [
    number(P_PIDFD, F.WAIT_TYPES),
    number(pidfd),
    siginfo,
    number(flags, F.WAIT_FLAGS),
    NULL,
  ]);
}

function named<T, O>(make: (name: string, options: O) => T, options: O): { stdout: T; stderr: T } {
  return { stdout: make('stdout', options), stderr: make('stderr', options) };
}

function patience(milliseconds: number | undefined) {
  if (milliseconds === undefined) return NULL;
  return pointer(
    struct(
      { name: 'tv_sec', width: 8, value: Math.floor(milliseconds / 1000) },
      { name: 'tv_nsec', width: 8, value: Math.floor((milliseconds % 1000) * 1e6) },
    ),
    'fixed',
  );
}

/** Ends a hook and everything in its session's first process group, and reaps it. */
export function killHook(pid: number, pidfd: number): Step[] {
  return [
    step('parent', 'kill-hook', 'kill the hook', 'default: its time is over', [
      // Not reaped yet, so that the number is its own; it leads a process group.
      call('kill', [number(-pid), number(SIGNALS.SIGKILL, F.SIGNALS)], { tolerate: [ERRNO.ESRCH] }),
      call('pidfd_send_signal', [number(pidfd), number(SIGNALS.SIGKILL, F.SIGNALS), NULL, number(0)], {
        tolerate: [ERRNO.ESRCH],
      }),
      waitid(pidfd, NULL, WEXITED),
    ]),
  ];
}
