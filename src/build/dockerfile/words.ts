// Splits the rest of an instruction into words and flags; each word knows where it stood.
import type { Word } from './source.ts';
import { isSpace, leadingSpaces, trimEnd } from './white-space.ts';

/** White space between words of instructions that know no quotes. */
const PLAIN_SPACE = /[\t\v\f\r ]+/g;

/** Words between white space; quotes mean nothing (FROM, EXPOSE, COPY without JSON). */
export function plainWords(text: string, offset: number): Word[] {
  if (text === '') return [];
  const words: Word[] = [];
  let start = 0;
  for (const space of text.matchAll(PLAIN_SPACE)) {
    words.push({ text: text.slice(start, space.index), offset: offset + start });
    start = space.index + space[0].length;
  }
  words.push({ text: text.slice(start), offset: offset + start });
  return words;
}

/**
 * Words of ENV, LABEL and ARG: white space in quotes does not separate. Quotes and escapes stay, expansion takes them.
 */
export function quotedWords(text: string, offset: number, escapeToken: string): Word[] {
  const words: Word[] = [];
  let at = leadingSpaces(text);
  while (at < text.length) {
    const start = at;
    const { word, end, quoted } = quotedWord(text, start, escapeToken);
    if (quoted || word !== '') words.push({ text: word, offset: offset + start });
    at = end + leadingSpaces(text, end);
  }
  return words;
}

function quotedWord(text: string, start: number, escapeToken: string) {
  let word = '';
  let quote = '';
  let quoted = false;
  let at = start;
  for (; at < text.length; at++) {
    const character = text.charAt(at);
    if (quote === '' && isSpace(character)) break;
    if (character === escapeToken && quote !== "'") {
      // One at the very end is left out.
      if (at + 1 === text.length) continue;
      word += character + text.charAt(++at);
      continue;
    }
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === "'" || character === '"') {
      quote = character;
      quoted = true;
    }
    word += character;
  }
  return { word, end: at, quoted };
}

/** An instruction's keyword, its flags and the rest. */
export interface SplitInstruction {
  readonly keyword: string;
  readonly flags: readonly Word[];
  /** Without white space around it. */
  readonly rest: string;
  readonly restOffset: number;
}

/** `RUN --mount=x  a b` as RUN, [--mount=x] and `a b`. `--` ends the flags. */
export function splitInstruction(text: string, escapeToken: string): SplitInstruction {
  const start = leadingSpaces(text);
  const line = trimEnd(text);
  const gap = line.slice(start).search(/[\t\v\f\r ]/);
  if (gap < 0) return { keyword: line.slice(start), flags: [], rest: '', restOffset: line.length };
  const keyword = line.slice(start, start + gap);
  const { flags, end } = flagWords(line, start + gap, escapeToken);
  const restOffset = end + leadingSpaces(line, end);
  return { keyword, flags, rest: line.slice(restOffset), restOffset };
}

/** Words that begin with `--`, without their quotes and escapes, from `from` on. */
function flagWords(text: string, from: number, escapeToken: string): { flags: Word[]; end: number } {
  const flags: Word[] = [];
  let at = from;
  for (;;) {
    at += leadingSpaces(text, at);
    if (!text.startsWith('--', at)) return { flags, end: at };
    const { word, end } = flagWord(text, at, escapeToken);
    if (word === '--') return { flags, end };
    flags.push({ text: word, offset: at });
    at = end;
  }
}

function flagWord(text: string, start: number, escapeToken: string): { word: string; end: number } {
  let word = '';
  let quote = '';
  let at = start;
  for (; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === escapeToken) {
      if (at + 1 < text.length) word += text.charAt(++at);
    } else if (quote !== '') {
      if (character === quote) quote = '';
      else word += character;
    } else if (isSpace(character)) break;
    else if (character === "'" || character === '"') quote = character;
    else word += character;
  }
  return { word, end: at };
}
