// From lines to raw instructions: keyword, flags, words, documents; what each keyword makes of its words comes later.

import type { Directives } from './directives.ts';
import { ExpansionError } from './expand.ts';
import { type Heredoc, heredocsOfLine } from './heredoc.ts';
import { LineReader, laterPart } from './lines.ts';
import { errorAt, errorIn, type LogicalLine, type SourceFile, type Word } from './source.ts';
import { isSpace, leadingSpaces } from './white-space.ts';
import { plainWords, quotedWords, splitInstruction } from './words.ts';

/** An instruction as it is written. */
export interface RawInstruction {
  /** In the case in which it is written. */
  readonly keyword: string;
  readonly flags: readonly Word[];
  /** ENV and LABEL: key, value and the sign between them, three words each. */
  readonly words: readonly Word[];
  /** The words come from a JSON array. */
  readonly json: boolean;
  readonly heredocs: readonly Heredoc[];
  readonly line: LogicalLine;
  readonly comments: readonly string[];
  /** What ONBUILD keeps for later. */
  readonly trigger?: RawInstruction;
}

export interface ParsedLines {
  readonly file: SourceFile;
  readonly directives: Directives;
  readonly instructions: readonly RawInstruction[];
  readonly warnings: LineReader['warnings'];
}

/** Instructions that a file may have. */
const MOST_INSTRUCTIONS = 10_000;

/** Characters that a file may have: what BuildKit's transport takes (16 MiB). */
const LARGEST_FILE = 16 << 20;

const WITH_DOCUMENTS = new Set(['add', 'copy', 'run']);

/** Throws CaissonError EDOCKERFILE. */
export function parseLines(name: string, content: string): ParsedLines {
  const reader = new LineReader(name, content);
  if (content.length > LARGEST_FILE)
    throw errorAt(reader.file, { line: 1, column: 1 }, `the Dockerfile has more than ${LARGEST_FILE} bytes`);
  const instructions: RawInstruction[] = [];
  for (;;) {
    const raw = reader.instruction();
    if (raw === undefined) break;
    const escapeToken = reader.directives.escape;
    const head = instructionOf(raw.line, raw.comments, escapeToken);
    const heredocs = documentsOf(head, reader);
    instructions.push({ ...head, heredocs, line: { ...raw.line, endLine: reader.lineNumber } });
    if (instructions.length > MOST_INSTRUCTIONS)
      throw errorIn(raw.line, 0, `the Dockerfile has more than ${MOST_INSTRUCTIONS} instructions`);
  }
  const { file, directives, warnings } = reader;
  if (instructions.length === 0) {
    const what = content === '' ? 'the Dockerfile cannot be empty' : 'file with no instructions';
    throw errorAt(file, { line: Math.max(1, reader.lineNumber), column: 1 }, what);
  }
  return { file, directives, instructions, warnings };
}

function documentsOf(head: RawInstruction, reader: LineReader): Heredoc[] {
  const holder = head.trigger ?? head;
  if (!WITH_DOCUMENTS.has(holder.keyword.toLowerCase()) || holder.json || !head.line.text.includes('<<'))
    return [];
  return announced(head).map((word) => {
    const content = reader.document(word.name, word.chomp);
    if (content === undefined) {
      const offset = Math.max(0, head.line.text.indexOf('<<'));
      throw errorIn(head.line, offset, `unterminated heredoc: no line is ${word.name}`);
    }
    return { ...word, content };
  });
}

function announced({ line }: RawInstruction) {
  try {
    return heredocsOfLine(line.text);
  } catch (error) {
    if (error instanceof ExpansionError) throw errorIn(line, line.text.indexOf('<<'), error.message);
    throw error;
  }
}

/** One instruction without its documents. Throws CaissonError EDOCKERFILE. */
export function instructionOf(
  line: LogicalLine,
  comments: readonly string[],
  escapeToken: string,
  depth = 0,
): RawInstruction {
  const { keyword, flags, rest, restOffset } = splitInstruction(line.text, escapeToken);
  const head = { keyword, flags, heredocs: [], line, comments };
  const words = (found: readonly Word[]) => ({ ...head, words: found, json: false });
  switch (keyword.toLowerCase()) {
    case 'env':
    case 'label':
      return words(pairsOf(line, keyword.toUpperCase(), rest, restOffset, escapeToken));
    case 'arg':
      return words(quotedWords(rest, restOffset, escapeToken));
    case 'from':
    case 'expose':
      return words(plainWords(rest, restOffset));
    case 'add':
    case 'copy':
    case 'volume':
      return {
        ...head,
        ...(jsonWords(line, rest, restOffset) ?? { words: plainWords(rest, restOffset), json: false }),
      };
    case 'cmd':
    case 'entrypoint':
    case 'run':
    case 'shell':
      return { ...head, ...commandWords(line, rest, restOffset) };
    case 'healthcheck':
      return { ...head, ...healthWords(line, rest, restOffset) };
    case 'onbuild':
      return onbuild(words([]), rest, restOffset, escapeToken, depth);
    default:
      return words(rest === '' ? [] : [{ text: rest, offset: restOffset }]);
  }
}

function onbuild(
  head: RawInstruction,
  rest: string,
  offset: number,
  escapeToken: string,
  depth: number,
): RawInstruction {
  if (rest === '') return head;
  // ONBUILD ONBUILD is refused later, by its words; a line of thousands of them must not nest.
  if (depth > 0) return { ...head, words: [{ text: rest, offset }] };
  const trigger = instructionOf(laterPart(head.line, offset), [], escapeToken, depth + 1);
  return { ...head, words: [{ text: trigger.keyword, offset }, ...trigger.words], json: false, trigger };
}

/** `KEY=value ...`, or the old form `KEY value` for which everything behind the first space is the value. */
function pairsOf(
  line: LogicalLine,
  keyword: string,
  rest: string,
  offset: number,
  escapeToken: string,
): Word[] {
  const words = quotedWords(rest, offset, escapeToken);
  const [first] = words;
  if (first === undefined) return [];
  if (!first.text.includes('=')) {
    const gap = /[\t\v\f\r ]+/.exec(rest);
    if (gap === null) throw errorIn(line, offset, `${keyword} must have two arguments`);
    const valueAt = gap.index + gap[0].length;
    return [
      { text: rest.slice(0, gap.index), offset },
      { text: rest.slice(valueAt), offset: offset + valueAt },
      { text: '', offset: offset + gap.index },
    ];
  }
  return words.flatMap((word) => {
    const equals = word.text.indexOf('=');
    if (equals < 0) {
      const shown = JSON.stringify(word.text);
      throw errorIn(line, word.offset, `can't find = in ${shown}: it must be of the form name=value`);
    }
    return [
      { text: word.text.slice(0, equals), offset: word.offset },
      { text: word.text.slice(equals + 1), offset: word.offset + equals + 1 },
      { text: '=', offset: word.offset + equals },
    ];
  });
}

function commandWords(line: LogicalLine, rest: string, offset: number): { words: Word[]; json: boolean } {
  if (rest === '') return { words: [], json: false };
  return jsonWords(line, rest, offset) ?? { words: [{ text: rest, offset }], json: false };
}

/** `HEALTHCHECK CMD ...`: a type, then a command. */
function healthWords(line: LogicalLine, rest: string, offset: number): { words: Word[]; json: boolean } {
  let end = 0;
  while (end < rest.length && !isSpace(rest.charAt(end))) end++;
  if (end === 0) return { words: [], json: false };
  const next = end + leadingSpaces(rest, end);
  const command = commandWords(line, rest.slice(next), offset + next);
  return { words: [{ text: rest.slice(0, end), offset }, ...command.words], json: command.json };
}

/**
 * The words of a JSON array of strings; undefined for anything that is no JSON array (it is a shell's line then).
 * Throws CaissonError EDOCKERFILE for an array of something else.
 */
function jsonWords(
  line: LogicalLine,
  rest: string,
  offset: number,
): { words: Word[]; json: boolean } | undefined {
  if (!rest.startsWith('[')) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(rest);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed)) return undefined;
  const words = parsed.map((item: unknown) => {
    if (typeof item !== 'string')
      throw errorIn(line, offset, 'when using JSON array syntax, arrays must be comprised of strings only');
    return { text: item, offset };
  });
  return { words, json: true };
}
