// A descriptor as an argument: the result of an earlier call, a fixed number, or AT_FDCWD.
import * as F from '../linux/flags.ts';
import { type Arg, number, type Slot } from './call.ts';

/** A descriptor: the result of an earlier call, a fixed number, or AT_FDCWD. */
export type Fd = Slot | number;

export const AT_FDCWD = -100;

const HERE = number(AT_FDCWD, F.DIRFD);

export function descriptor(from: Fd): Arg {
  if (typeof from === 'object') return from;
  return from === AT_FDCWD ? HERE : number(from);
}
