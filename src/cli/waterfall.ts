// The birth of a container as a waterfall (`caisson run --trace`): when each step was done, and what it took.

import { type Bytes, utf8ToBytes } from '../linux/bytes.ts';
import { sourceOf } from '../plan/print.ts';
import type { Step } from '../plan/step.ts';
import type { Pointer } from '../spec/error.ts';

/** When a call of a step had returned, in nanoseconds of CLOCK_MONOTONIC. */
export interface Stamp {
  readonly step: Step;
  readonly at: number;
}

/** Columns of the bars. */
const WIDTH = 32;

interface Row {
  readonly step: Step;
  readonly start: number;
  end: number;
}

/**
 * One line for each step: microseconds since the first stamp, microseconds that it took, a bar, title and cause.
 * Parent and child run side by side: a step begins when the same actor's step before it has ended.
 */
export function waterfall(stamps: readonly Stamp[], sources: ReadonlyMap<Pointer, string>): Bytes {
  const rows = rowsOf(stamps);
  const first = rows[0]?.start ?? 0;
  const total = Math.max(1, ...rows.map(({ end }) => end - first));
  const lines = rows.map((row) => {
    const start = row.start - first;
    const length = row.end - row.start;
    const causes = [...new Set(row.step.provenance.map((pointer) => sourceOf(pointer, sources)))].join(', ');
    const who = row.step.actor === 'parent' ? 'P' : 'C';
    return `${micro(start)} ${micro(length)} ${bar(start, length, total)} ${who} ${row.step.title}  <- ${causes}`;
  });
  return ['  at/us took/us', ...lines, `${micro(total)} us in all`].join('\n');
}

function rowsOf(stamps: readonly Stamp[]): Row[] {
  const ordered = [...stamps].sort((a, b) => a.at - b.at);
  const origin = ordered[0]?.at ?? 0;
  const lastOf = new Map<Step['actor'], number>();
  const rows = new Map<Step, Row>();
  // The child's first step begins when the launcher has cloned it.
  let last = origin;
  for (const { step, at } of ordered) {
    const row = rows.get(step);
    if (row === undefined) rows.set(step, { step, start: lastOf.get(step.actor) ?? last, end: at });
    else row.end = at;
    lastOf.set(step.actor, at);
    last = at;
  }
  return [...rows.values()];
}

function micro(nanoseconds: number): string {
  return (nanoseconds / 1000).toFixed(1).padStart(7);
}

function bar(start: number, length: number, total: number): Bytes {
  const from = Math.min(WIDTH - 1, Math.floor((start / total) * WIDTH));
  const size = Math.max(1, Math.min(WIDTH - from, Math.round((length / total) * WIDTH)));
  return utf8ToBytes(`${' '.repeat(from)}${'█'.repeat(size)}${' '.repeat(WIDTH - from - size)}`);
}
