// The line of system call numbers cut into intervals of equal verdict.

import { RET_ENOSYS } from './actions.ts';
import type { Verdict, Verdicts } from './verdicts.ts';

/** Verdicts from `start` (unsigned 32-bit) to the next segment's start, the last one to 2^32 - 1. */
export interface Segment {
  readonly start: number;
  readonly verdict: Verdict;
}

/** The numbers of one ABI within an architecture. */
export interface NumberRange {
  /** First number of the range, and the one after its last; the verdicts are of numbers between. */
  readonly from: number;
  readonly to: number;
  readonly verdicts: Verdicts | undefined;
  /** What numbers that no rule names get. */
  readonly otherwise: Verdict;
  /** Numbers above this get ENOSYS; undefined: none do. */
  readonly newest: number | undefined;
}

/** The segments of adjacent ranges in ascending order; neighbours differ. Unnamed numbers between them are exact. */
export function segments(ranges: readonly NumberRange[]): readonly Segment[] {
  const cut: Segment[] = [];
  for (const range of ranges) {
    let next = range.from;
    range.verdicts?.forEach((nr, verdict) => {
      if (nr > next) append(cut, next, range.otherwise);
      append(cut, nr, verdict);
      next = nr + 1;
    });
    if (range.newest !== undefined && range.newest >= next) {
      append(cut, next, range.otherwise);
      next = range.newest + 1;
    }
    if (next < range.to) append(cut, next, range.newest === undefined ? range.otherwise : RET_ENOSYS);
  }
  return cut;
}

function append(cut: Segment[], start: number, verdict: Verdict): void {
  const last = cut[cut.length - 1]?.verdict;
  if (last === verdict || (last !== undefined && isSameVerdict(last, verdict))) return;
  cut.push({ start, verdict });
}

/** Whether two verdicts are the same actions or the same rule objects. */
export function isSameVerdict(a: Verdict, b: Verdict): boolean {
  if (typeof a === 'number' || typeof b === 'number') return a === b;
  return a.length === b.length && a.every((rule, at) => rule === b[at]);
}
