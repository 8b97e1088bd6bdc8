// Whether somebody sits at the other end of a descriptor, and how much room there is; for Node and Bun.
import { isatty } from 'node:tty';

/** isatty(3). */
export function isTerminal(descriptor: 0 | 1 | 2): boolean {
  return isatty(descriptor);
}

/** Columns and rows of a terminal; undefined for what is none, 80 and 24 for one that nobody has told its size. */
export function sizeOfTerminal(
  descriptor: 1 | 2,
): { readonly columns: number; readonly rows: number } | undefined {
  // Asked first: to make the stream takes Bun 9 ms (measured).
  if (!isatty(descriptor)) return undefined;
  const { columns, rows } = descriptor === 1 ? process.stdout : process.stderr;
  return { columns: columns || 80, rows: rows || 24 };
}
