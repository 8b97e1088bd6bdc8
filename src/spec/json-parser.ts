// The exact JSON parser (RFC 8259): integers of any size, byte strings, bounded depth, errors with a position.

import { type Bytes, bytesToUtf8, utf8ToBytes } from '../linux/bytes.ts';
import { CaissonError } from './error.ts';
import type { JsonObject, JsonValue } from './json.ts';

/** Deeper nesting is refused: no configuration needs it, and the stack of QuickJS is small. */
export const JSON_DEPTH_LIMIT = 200;

/** Longer integers are refused: reading a decimal number takes quadratic time. */
const DIGITS_LIMIT = 1000;

const PLAIN = /[^"\\\x00-\x1f]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const SPACE = /[ \t\n\r]*/y;
const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

/**
 * Parses `text`, the raw bytes of a JSON document, exactly (see parseJson, which is quicker where it can be).
 * Throws CaissonError `EINVALIDJSON` whose message begins `source:line:column: `.
 */
export function parseJsonExactly(text: Bytes, source: string): JsonValue {
  return new Parser(text, source).document();
}

/** What a document from a stranger may have at most. */
export interface JsonLimits {
  readonly depth: number;
  /** Strings, numbers, arrays and so on, all together: a document of 8 MiB could else become some 150 MiB of objects. */
  readonly values: number;
}

/**
 * As parseJsonExactly, and refuses an object with two equal names: a document that two readers could understand in
 * two ways must not be believed (CVE-2021-41190).
 */
export function parseJsonStrictly(text: Bytes, source: string, limits: JsonLimits): JsonValue {
  return new Parser(text, source, { ...limits, refuseDuplicates: true }).document();
}

interface ParserOptions extends JsonLimits {
  readonly refuseDuplicates: boolean;
}

const TRUSTED: ParserOptions = {
  depth: JSON_DEPTH_LIMIT,
  values: Number.POSITIVE_INFINITY,
  refuseDuplicates: false,
};

class Parser {
  private at = 0;
  private depth = 0;
  private values = 0;
  private readonly text: Bytes;
  private readonly source: string;
  private readonly options: ParserOptions;

  constructor(text: Bytes, source: string, options: ParserOptions = TRUSTED) {
    this.text = text;
    this.source = source;
    this.options = options;
  }

  document(): JsonValue {
    if (this.text.startsWith('\xef\xbb\xbf')) this.fail('a byte order mark, which JSON does not allow');
    const value = this.value();
    this.skip(SPACE);
    if (this.at < this.text.length) this.fail(`expected the end of the document, found ${this.found()}`);
    return value;
  }

  private value(): JsonValue {
    if (++this.values > this.options.values) this.fail(`more than ${this.options.values} values`);
    this.skip(SPACE);
    switch (this.text[this.at]) {
      case '{':
        return this.nested(() => this.object());
      case '[':
        return this.nested(() => this.array());
      case '"':
        return this.string();
      case 't':
        return this.word('true', true);
      case 'f':
        return this.word('false', false);
      case 'n':
        return this.word('null', null);
      default:
        return this.number();
    }
  }

  private nested<T>(parse: () => T): T {
    if (++this.depth > this.options.depth) this.fail(`nested deeper than ${this.options.depth}`);
    const value = parse();
    this.depth--;
    return value;
  }

  private object(): JsonObject {
    const object: { [key: Bytes]: JsonValue } = {};
    this.at++;
    if (this.accept('}')) return object;
    for (;;) {
      this.skip(SPACE);
      if (this.text[this.at] !== '"') this.fail(`expected a property name in quotes, found ${this.found()}`);
      const key = this.string();
      if (!this.accept(':'))
        this.fail(`expected ':' after the property name ${quoted(key)}, found ${this.found()}`);
      if (this.options.refuseDuplicates && Object.hasOwn(object, key))
        this.fail(`a second property ${quoted(key.slice(0, 80))} in one object`);
      const value = this.value();
      // As JSON.parse: an own property, and of two equal names the last one holds (as in Go).
      if (key === '__proto__') {
        Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
      } else {
        object[key] = value;
      }
      if (this.accept('}')) return object;
      if (!this.accept(',')) this.fail(`expected ',' or '}' after a property, found ${this.found()}`);
    }
  }

  private array(): JsonValue[] {
    const array: JsonValue[] = [];
    this.at++;
    if (this.accept(']')) return array;
    for (;;) {
      array.push(this.value());
      if (this.accept(']')) return array;
      if (!this.accept(',')) this.fail(`expected ',' or ']' after an element, found ${this.found()}`);
    }
  }

  private string(): Bytes {
    const start = this.at++;
    let value = '';
    for (;;) {
      const plain = this.at;
      this.skip(PLAIN);
      value += this.text.slice(plain, this.at);
      const next = this.text[this.at];
      if (next === '"') {
        this.at++;
        return value;
      }
      if (next === undefined) {
        this.at = start;
        this.fail(`a string that does not end: ${this.found()}`);
      }
      if (next !== '\\') this.fail(`a control character in a string; write it as \\u${hex4(next)}`);
      value += this.escape();
    }
  }

  private escape(): Bytes {
    const letter = this.text[this.at + 1] ?? '';
    if (letter === 'u') {
      const unit = this.unit();
      if (unit < 0xd800 || unit > 0xdbff || this.text.slice(this.at, this.at + 2) !== '\\u') {
        return utf8ToBytes(String.fromCharCode(unit));
      }
      const after = this.at;
      const low = this.unit();
      if (low >= 0xdc00 && low <= 0xdfff) return utf8ToBytes(String.fromCharCode(unit, low));
      // A lone surrogate is U+FFFD, as in Go; what follows it is read for itself.
      this.at = after;
      return utf8ToBytes('\ufffd');
    }
    const short = SHORT_ESCAPES.get(letter);
    if (short === undefined) this.fail(`an unknown escape in a string: ${this.found()}`);
    this.at += 2;
    return short;
  }

  private unit(): number {
    const digits = this.text.slice(this.at + 2, this.at + 6);
    if (!/^[0-9a-fA-F]{4}$/.test(digits))
      this.fail(`expected four hexadecimal digits after \\u, found ${this.found()}`);
    this.at += 6;
    return Number.parseInt(digits, 16);
  }

  private number(): number | bigint {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (match === null) this.fail(`expected a value, found ${this.found()}`);
    const digits = match[0];
    if (digits.length > DIGITS_LIMIT) this.fail(`a number of more than ${DIGITS_LIMIT} characters`);
    this.at += digits.length;
    const value = Number(digits);
    if (match[1] !== undefined || match[2] !== undefined || Number.isSafeInteger(value)) return value;
    return BigInt(digits);
  }

  private word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) this.fail(`expected a value, found ${this.found()}`);
    this.at += word.length;
    return value;
  }

  private accept(char: string): boolean {
    this.skip(SPACE);
    if (this.text[this.at] !== char) return false;
    this.at++;
    return true;
  }

  private skip(pattern: RegExp): void {
    pattern.lastIndex = this.at;
    pattern.test(this.text);
    this.at = pattern.lastIndex;
  }

  private found(): string {
    if (this.at >= this.text.length) return 'the end of the document';
    const end = this.text.slice(this.at, this.at + 20).search(/[\n\r]/);
    return quoted(this.text.slice(this.at, this.at + (end > 0 ? end : 20)));
  }

  private fail(what: string): never {
    const before = this.text.slice(0, this.at);
    const line = before.split('\n').length;
    // A column counts characters, as editors do: continuation bytes of UTF-8 do not count.
    const column = before.slice(before.lastIndexOf('\n') + 1).replace(/[\x80-\xbf]/g, '').length + 1;
    throw new CaissonError(`${this.source}:${line}:${column}: ${what}`, { code: 'EINVALIDJSON' });
  }
}

function quoted(bytes: Bytes): string {
  return JSON.stringify(bytesToUtf8(bytes));
}

function hex4(char: string): string {
  return char.charCodeAt(0).toString(16).padStart(4, '0');
}
