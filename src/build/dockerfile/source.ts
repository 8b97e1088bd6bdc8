// A Dockerfile as text with places: which line and column something is at, and the error that shows it.
import { utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';

/** A place in a file; both count from 1, columns in characters. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The file that is read: its name for people, and its lines without their ends. */
export interface SourceFile {
  readonly name: string;
  readonly lines: readonly string[];
}

/** Lines that belong together, joined: one instruction, or what stands for it. */
export interface LogicalLine {
  readonly file: SourceFile;
  readonly text: string;
  readonly startLine: number;
  /** The last line of it, documents included. */
  readonly endLine: number;
  /** Where a character of `text` stands in the file. */
  at(offset: number): Position;
}

/** A piece of a logical line that an instruction's word is made from. */
export interface Word {
  readonly text: string;
  /** Where it begins in the logical line. */
  readonly offset: number;
}

const SHOWN_COLUMNS = 120;

/** CaissonError EDOCKERFILE: `Dockerfile:3:5: what`, and the line with a mark below it. */
export function errorAt(
  file: SourceFile,
  position: Position,
  message: string,
  rest: { readonly details?: readonly string[]; readonly cause?: unknown; readonly code?: string } = {},
): CaissonError {
  const { line, column } = position;
  return new CaissonError(utf8ToBytes(`${file.name}:${line}:${column}: ${message}`), {
    code: rest.code ?? 'EDOCKERFILE',
    details: [...shownLine(file, position), ...(rest.details ?? []).map(utf8ToBytes)],
    ...(rest.cause === undefined ? {} : { cause: rest.cause }),
  });
}

/** CaissonError EDOCKERFILE at a character of a logical line. */
export function errorIn(line: LogicalLine, offset: number, message: string): CaissonError {
  return errorAt(line.file, line.at(offset), message);
}

/** `  3 | RUN x` and `    |     ^`. Long lines are cut around the mark. */
export function shownLine(file: SourceFile, { line, column }: Position): string[] {
  const text = file.lines[line - 1];
  if (text === undefined) return [];
  const first = Math.max(0, column - SHOWN_COLUMNS);
  const shown = text.slice(first, first + SHOWN_COLUMNS + 20).replace(/[\t\r]/g, ' ');
  const number = String(line).padStart(4);
  const mark = `${' '.repeat(number.length)} | ${' '.repeat(Math.max(0, column - 1 - first))}^`;
  return [utf8ToBytes(`${number} | ${shown}`), utf8ToBytes(mark)];
}

/** `, did you mean X?` for the nearest of `known` to `word`; empty when none is near. */
export function suggestion(word: string, known: Iterable<string>): string {
  let best: string | undefined;
  let least = 3;
  for (const each of known) {
    const distance = editDistance(word.toLowerCase(), each.toLowerCase(), least);
    if (distance < least) {
      best = each;
      least = distance;
    }
  }
  return best === undefined ? '' : `, did you mean ${best}?`;
}

/** Levenshtein's distance, or `limit` when it is at least that. */
function editDistance(from: string, to: string, limit: number): number {
  if (Math.abs(from.length - to.length) >= limit) return limit;
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const cost = from[i - 1] === to[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + cost));
    }
    row = next;
  }
  return Math.min(limit, row[to.length] as number);
}
