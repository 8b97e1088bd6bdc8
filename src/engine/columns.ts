// Text in columns for a person to read.
import type { Bytes } from '../linux/bytes.ts';

/** Columns side by side, each as wide as its widest cell. */
export function columns(head: readonly Bytes[], rows: readonly (readonly Bytes[])[]): Bytes[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd(),
  );
}
