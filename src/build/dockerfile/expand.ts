// Variable expansion and word splitting in instructions, as BuildKit's frontend does them (its package shell).
//
// Quotes go, `\` (or the escape character of the file) escapes, `$name` and `${name...}` are replaced: `:-` `-` `:+`
// `+` `:?` `?` (POSIX shell, 2.6.2), `#` `##` `%` `%%` (patterns) and `/` `//` (bash). Results and nesting are bounded:
// a few lines that each double a variable would fill the memory otherwise.
import {
  parseShellPattern,
  replaced,
  type ShellPattern,
  withoutPrefix,
  withoutSuffix,
} from './shell-pattern.ts';
import { isSpace } from './white-space.ts';

/** The value of a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

export interface ExpandOptions {
  readonly escape?: '\\' | '`';
  /** Quotes stay where they are. */
  readonly keepQuotes?: boolean;
  readonly keepEscapes?: boolean;
  /** Quotes mean nothing (in documents). */
  readonly plainQuotes?: boolean;
  /** `$name` of what is not set stays. */
  readonly keepUnset?: boolean;
}

export interface Expanded {
  /** The whole text. */
  readonly text: string;
  /** The same, split at white space that is not quoted. */
  readonly words: readonly string[];
  /** Names that were looked up and are not set. */
  readonly unset: ReadonlySet<string>;
}

/** Characters that the result of one expansion may have. Linux takes at most 128 KiB for one variable (execve(2)). */
const LONGEST_RESULT = 1 << 20;
const DEEPEST = 200;

/** An expansion that fails: `offset` is where in the text. */
export class ExpansionError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Throws ExpansionError. */
export function expand(text: string, lookup: Lookup, options: ExpandOptions = {}): Expanded {
  // Most words need nothing.
  if (!/[$'"\\`<\s\u0085]/.test(text)) return { text, words: text === '' ? [] : [text], unset: new Set() };
  const expander = new Expander(text, lookup, options);
  const { text: result, words } = expander.until(undefined, options.keepEscapes === true);
  return { text: result, words, unset: expander.unset };
}

const NAME_START = /[\p{L}_]/u;
const NAME = /[\p{L}\p{Nd}_]/u;
const DIGIT = /\p{Nd}/u;
const SPECIAL = '@*#?-$!0';

/** Collects words: white space that comes from the text or a variable separates, what is quoted does not. */
class Words {
  readonly words: string[] = [];
  private word = '';

  plain(text: string): void {
    for (const character of text) {
      if (!isSpace(character)) this.word += character;
      else this.end();
    }
  }

  quoted(text: string): void {
    this.word += text;
  }

  end(): void {
    if (this.word !== '') this.words.push(this.word);
    this.word = '';
  }
}

class Expander {
  readonly unset = new Set<string>();
  private at = 0;
  private depth = 0;
  private readonly text: string;
  private readonly lookup: Lookup;
  private readonly options: ExpandOptions;
  private readonly escape: string;
  private keepEscapes = false;

  constructor(text: string, lookup: Lookup, options: ExpandOptions) {
    this.text = text;
    this.lookup = lookup;
    this.options = options;
    this.escape = options.escape ?? '\\';
  }

  /** Everything up to `stop`, which is consumed; to the end of the text without one. */
  until(stop: string | undefined, keepEscapes: boolean): { text: string; words: string[] } {
    const before = this.keepEscapes;
    this.keepEscapes = keepEscapes;
    if (++this.depth > DEEPEST) throw this.wrong('expansions are nested too deeply');
    const words = new Words();
    let text = '';
    while (this.at < this.text.length) {
      const character = this.peek();
      if (character === stop) {
        this.at++;
        this.depth--;
        this.keepEscapes = before;
        words.end();
        return { text, words: words.words };
      }
      text += this.piece(character, words);
      this.checkLength(text);
    }
    if (stop !== undefined)
      throw this.wrong(`unexpected end of statement while looking for matching ${stop}`);
    words.end();
    return { text, words: words.words };
  }

  private piece(character: string, words: Words): string {
    const quotes = this.options.plainQuotes !== true;
    let piece: string;
    if (character === '$') {
      piece = this.dollar();
      words.plain(piece);
      return piece;
    }
    if (character === '<') piece = this.possibleDocument();
    else if (character === "'" && quotes) piece = this.singleQuoted();
    else if (character === '"' && quotes) piece = this.doubleQuoted();
    else if (character === this.escape) piece = this.escaped();
    else {
      piece = this.next();
      words.plain(piece);
      return piece;
    }
    words.quoted(piece);
    return piece;
  }

  private escaped(): string {
    const token = this.next();
    return (this.keepEscapes ? token : '') + this.next();
  }

  private singleQuoted(): string {
    const start = this.at;
    const end = this.text.indexOf("'", start + 1);
    if (end < 0) throw this.wrong('unexpected end of statement while looking for matching single-quote');
    this.at = end + 1;
    return this.options.keepQuotes ? this.text.slice(start, end + 1) : this.text.slice(start + 1, end);
  }

  /** POSIX shell, 2.2.3: a backslash is special before `$`, `"` and itself only. */
  private doubleQuoted(): string {
    const quote = this.options.keepQuotes ? '"' : '';
    this.at++;
    let text = quote;
    for (;;) {
      const character = this.peek();
      if (character === '') {
        throw this.wrong('unexpected end of statement while looking for matching double-quote');
      }
      if (character === '"') {
        this.at++;
        return text + quote;
      }
      text += character === '$' ? this.dollar() : this.inDoubleQuotes();
      this.checkLength(text);
    }
  }

  private inDoubleQuotes(): string {
    const character = this.next();
    if (character !== this.escape) return character;
    const kept = this.keepEscapes ? character : '';
    const next = this.peek();
    if (next === '') return kept;
    if (next === '"' || next === '$' || next === this.escape) return kept + this.next();
    return kept + character;
  }

  private dollar(): string {
    const start = this.at;
    this.at++;
    if (this.peek() !== '{') {
      const name = this.name();
      if (name === '') return '$';
      return this.value(name) ?? (this.options.keepUnset ? `$${name}` : '');
    }
    this.at++;
    const first = this.peek();
    if (first === '') throw this.wrong("syntax error: missing '}'", start);
    if ('{}:'.includes(first)) throw this.wrong('syntax error: bad substitution', start);
    const name = this.name();
    const modifier = this.next();
    if (modifier === '}') return this.value(name) ?? (this.options.keepUnset ? `\${${name}}` : '');
    if (modifier === '/') return this.substitution(name, start);
    if (modifier === ':') return this.modified(name, this.next(), true, start);
    return this.modified(name, modifier, false, start);
  }

  private modified(name: string, modifier: string, colon: boolean, start: number): string {
    const written = `${colon ? ':' : ''}${modifier}`;
    const pattern = modifier === '#' || modifier === '%';
    if (modifier === '' || !'+-?#%'.includes(modifier) || (colon && pattern))
      throw this.wrong(`unsupported modifier (${written}) in substitution`, start);
    const word = this.inner('}', pattern, start);
    const value = this.value(name);
    if (value === undefined && this.options.keepUnset) return `\${${name}${written}${word}}`;
    const missing = value === undefined || (colon && value === '');
    if (modifier === '-') return missing ? word : (value as string);
    if (modifier === '+') return missing ? '' : word;
    if (modifier === '?') {
      if (!missing) return value as string;
      const reason = value === undefined ? 'is not allowed to be unset' : 'is not allowed to be empty';
      throw this.wrong(`${name}: ${word === '' ? reason : word}`, start);
    }
    const longest = word.startsWith(modifier);
    const cut = modifier === '#' ? withoutPrefix : withoutSuffix;
    return this.matched(longest ? word.slice(1) : word, start, (parsed) => cut(parsed, value ?? '', longest));
  }

  private substitution(name: string, start: number): string {
    const all = this.peek() === '/';
    if (all) this.at++;
    const pattern = this.inner('/', true, start);
    const replacement = this.inner('}', true, start);
    const value = this.value(name);
    if (value === undefined && this.options.keepUnset) return `\${${name}/${pattern}/${replacement}}`;
    return this.matched(pattern, start, (parsed) => replaced(parsed, value ?? '', replacement, all));
  }

  private matched(text: string, start: number, use: (pattern: ShellPattern) => string): string {
    try {
      return use(parseShellPattern(text));
    } catch (error) {
      const reason = error instanceof Error ? error.message : '';
      throw this.wrong(`invalid pattern (${text}) in substitution: ${reason}`, start);
    }
  }

  private inner(stop: string, keepEscapes: boolean, start: number): string {
    try {
      return this.until(stop, keepEscapes).text;
    } catch (error) {
      if (this.at < this.text.length) throw error;
      throw this.wrong(`syntax error: missing '${stop}'${stop === '/' ? ' in ${}' : ''}`, start);
    }
  }

  /** A name; a number; or one of the special parameters (POSIX shell, 2.5.2), which are never set here. */
  private name(): string {
    const start = this.at;
    const first = this.character();
    if (DIGIT.test(first)) {
      while (DIGIT.test(this.character())) this.at += this.character().length;
    } else if (first !== '' && SPECIAL.includes(first)) this.at++;
    else if (NAME_START.test(first)) {
      while (NAME.test(this.character())) this.at += this.character().length;
    }
    return this.text.slice(start, this.at);
  }

  /** `<<` with the white space behind it is one piece: the word of a document may stand apart from it. */
  private possibleDocument(): string {
    const start = this.at++;
    if (this.peek() !== '<') return '<';
    this.at++;
    while (this.peek() !== '' && '\t\r '.includes(this.peek())) this.at++;
    return this.text.slice(start, this.at);
  }

  private value(name: string): string | undefined {
    const value = this.lookup(name);
    if (value === undefined) this.unset.add(name);
    return value;
  }

  private checkLength(text: string): void {
    if (text.length > LONGEST_RESULT)
      throw this.wrong(`the expansion has more than ${LONGEST_RESULT} characters`);
  }

  private peek(): string {
    return this.text.charAt(this.at);
  }

  private character(): string {
    const code = this.text.codePointAt(this.at);
    return code === undefined ? '' : String.fromCodePoint(code);
  }

  private next(): string {
    const character = this.character();
    this.at += character.length;
    return character;
  }

  private wrong(message: string, offset = this.at): ExpansionError {
    return new ExpansionError(message, Math.min(offset, this.text.length));
  }
}
