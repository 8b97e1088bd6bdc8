// The player's own operations as calls: what a straight line of system calls cannot say (docs/plan.md).
import * as F from '../linux/flags.ts';
import { enumTable } from '../linux/flags.ts';
import { type Call, type CallOptions, call, type Memory, number, pointer, type Slot, value } from './call.ts';

export const CHECK_OPERATORS = enumTable('check', () => ({ EQ: 0, NE: 1, GE: 2 }));

/** Names of the pauses: identity maps by helpers, the program has been executed, time stamps of the child, hooks, the start barrier, the listener of seccomp. */
export const PAUSES = enumTable('pause', () => ({
  'id-maps': 1,
  started: 2,
  trace: 3,
  hooks: 4,
  start: 5,
  program: 6,
  notify: 7,
  'start-hooks': 8,
}));

/** Fails with `errno` unless (left & mask) == right; the result is `left`. */
export const check = (
  left: Slot,
  operator: 'EQ' | 'NE' | 'GE',
  right: number | bigint,
  errno: number,
  options?: CallOptions & { mask?: bigint },
): Call =>
  call(
    'CHECK',
    [
      value(left),
      number({ EQ: 0, NE: 1, GE: 2 }[operator], CHECK_OPERATORS),
      number(right),
      number(options?.mask ?? -1n, 'hex'),
      number(errno, F.ERRNOS),
    ],
    options,
  );

/** Copies a number that TypeScript knows into a slot, which may live inside a structure. */
export const checkNumber = (known: number, result: Slot): Call =>
  call(
    'CHECK',
    [number(known), number(0, CHECK_OPERATORS), number(known), number(-1n, 'hex'), number(0, F.ERRNOS)],
    { result },
  );

/** Writes the decimal text of `from` behind the prefix of `target`; the result is its length. */
export const dec = (from: Slot, target: Memory & { kind: 'decimal' }, options?: CallOptions): Call =>
  call('DEC', [value(from), pointer(target, 'fixed'), number(0)], options);

/** Answers with what is known so far and waits until TypeScript says go on. */
export const pause = (name: number): Call => call('PAUSE', [number(name, PAUSES)]);
