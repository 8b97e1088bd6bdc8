// Lists as docker prints them: a table, `--format` with a template, `table TEMPLATE`, or `json`.
import type { Bytes } from '../linux/bytes.ts';
import { stringifyJson } from '../spec/json.ts';
import { FUNCTIONS } from './format-functions.ts';
import { compileTemplate } from './format-template.ts';
import type { Value } from './format-value.ts';

/** A kind of list. */
export interface ListShape {
  /** `{{.Repository}}\t{{.Tag}}`: the columns without `--format`. */
  readonly columns: Bytes;
  /** The head of each column, by field. */
  readonly heads: Readonly<Record<Bytes, Bytes>>;
}

/** One line of a list: every field that a template may name. */
export type Row = Readonly<Record<Bytes, Value>>;

/** docker's tabwriter: cells are ten wide at least, three spaces apart. */
const LEAST = 10;
const APART = 3;

/** In the head of a table a function leaves the name of its column as it is (cli/command/formatter). */
const HEAD_FUNCTIONS = new Map([
  ...FUNCTIONS,
  ...['json', 'title', 'lower', 'upper', 'truncate', 'split', 'join', 'pad', 'slice'].map(
    (name) => [name, ([of]: readonly Value[]) => of ?? null] as const,
  ),
]);

/**
 * The lines of a list, each with its end. `format` as on the command line; undefined for docker's own table.
 * Throws CaissonError ETEMPLATE.
 */
export function formatList(rows: readonly Row[], shape: ListShape, format: Bytes | undefined): Bytes {
  const asked = format === undefined || format === '' ? 'table' : format;
  if (asked === 'json') return rows.map((row) => `${stringifyJson(row)}\n`).join('');
  const isTable = asked === 'table' || asked.startsWith('table ');
  const written = isTable ? asked.slice('table'.length).trim() : asked;
  // docker's: escapes that a shell has left alone.
  const template = (written === '' ? shape.columns : written).replaceAll('\\t', '\t').replaceAll('\\n', '\n');
  const execute = compileTemplate(template);
  const lines = rows.map((row) => execute(row));
  if (!isTable) return lines.map((line) => `${line}\n`).join('');
  return aligned([execute(shape.heads, { functions: HEAD_FUNCTIONS }), ...lines]);
}

/** Cells end at tabs; a column is as wide as its widest cell. What stands behind the last tab is as long as it is. */
function aligned(lines: readonly Bytes[]): Bytes {
  const rows = lines.map((line) => line.split('\t'));
  const widths: number[] = [];
  for (const cells of rows) {
    for (const [at, cell] of cells.slice(0, -1).entries())
      widths[at] = Math.max(widths[at] ?? LEAST, displayLength(cell) + APART);
  }
  return rows
    .map((cells) => {
      const padded = cells
        .slice(0, -1)
        .map((cell, at) => cell + ' '.repeat((widths[at] ?? 0) - displayLength(cell)));
      return `${padded.join('')}${cells.at(-1) ?? ''}\n`;
    })
    .join('');
}

/** Characters of UTF-8, not bytes. */
function displayLength(bytes: Bytes): number {
  if (!/[\x80-\xff]/.test(bytes)) return bytes.length;
  let count = 0;
  for (let at = 0; at < bytes.length; at++) if ((bytes.charCodeAt(at) & 0xc0) !== 0x80) count++;
  return count;
}

/** docker's, of `inspect`: a JSON array of all, or the template's text for each, a line each. */
export function formatInspection(values: readonly Value[], format: Bytes | undefined): Bytes {
  if (format === undefined || format === '') return `${stringifyJson(values, '    ')}\n`;
  if (format === 'json') return `${stringifyJson(values)}\n`;
  const execute = compileTemplate(format);
  return values.map((value) => `${execute(value)}\n`).join('');
}
