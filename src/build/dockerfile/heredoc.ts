// Documents that follow an instruction: `<<EOF`, `<<-EOF`, `<<"EOF"`, several of them (RUN, COPY, ADD).
//
// https://docs.docker.com/reference/dockerfile/#here-documents. A quoted word means that nothing in the document is
// expanded; `<<-` takes tabs away from the beginning of each line.
import { expand } from './expand.ts';

/** A document that an instruction announces. */
export interface HeredocWord {
  readonly name: string;
  readonly fileDescriptor: number;
  readonly expand: boolean;
  readonly chomp: boolean;
}

export interface Heredoc extends HeredocWord {
  readonly content: string;
}

const HEREDOC = /^(\d*)<<(-?)[\t\n\f\r ]*([^<]*)$/;

const NOTHING = (): undefined => undefined;

/** `3<<-"EOF"` taken apart; undefined for a word that announces none. Throws ExpansionError for an open quote. */
export function parseHeredocWord(word: string): HeredocWord | undefined {
  const found = HEREDOC.exec(word);
  const rest = found?.[3] ?? '';
  if (found === null || rest === '') return undefined;
  const plain = expand(rest, NOTHING, { keepUnset: true }).words;
  const [name] = plain;
  if (name === undefined || plain.length !== 1) return undefined;
  const [raw = ''] = expand(rest, NOTHING, { keepUnset: true, keepQuotes: true }).words;
  return {
    name,
    fileDescriptor: Number(found[1] ?? 0),
    // A quote that is in the one and not in the other was part of the word's quoting.
    expand: quotes(name) === quotes(raw),
    chomp: found[2] === '-',
  };
}

function quotes(text: string): number {
  return text.replace(/[^'"]/g, '').length;
}

/** The same for a word that may be anything: undefined where it is not even a word. */
export function heredocOrNone(word: string): HeredocWord | undefined {
  try {
    return parseHeredocWord(word);
  } catch {
    return undefined;
  }
}

/** All documents that a line announces, in order. Throws ExpansionError. */
export function heredocsOfLine(line: string): HeredocWord[] {
  let words: readonly string[];
  try {
    words = expand(line, NOTHING, { keepUnset: true, keepQuotes: true, keepEscapes: true }).words;
  } catch {
    // A shell's line may have quotes that are open here (`don't`): then there is none.
    return [];
  }
  return words.flatMap((word) => parseHeredocWord(word) ?? []);
}

/** Takes the tabs away that lines begin with. */
export function chomped(content: string): string {
  return content.replace(/^\t+/gm, '');
}
