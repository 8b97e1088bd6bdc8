// The signal mask of a process in the plan: rt_sigprocmask(2).
import { SIG_SETMASK } from '../../linux/constants/signal.ts';
import * as F from '../../linux/flags.ts';
import { type Call, call, NULL, number, pointer, struct } from '../call.ts';

/** Sets the mask, a bit for each of 64 signals, the first for signal 1. */
export function signalMask(mask: bigint): Call {
  return call('rt_sigprocmask', [
    number(SIG_SETMASK, F.SIGMASK_HOW),
    pointer(struct({ name: 'mask', width: 8, value: mask, format: 'hex' }), 3),
    NULL,
    number(8),
  ]);
}
