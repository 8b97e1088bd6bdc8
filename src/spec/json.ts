// JSON over byte strings: 64-bit integers stay exact, bytes that are not UTF-8 survive.

import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from './error.ts';
import { JSON_DEPTH_LIMIT, parseJsonExactly } from './json-parser.ts';

/** What a JSON document holds; an integer beyond 2^53 in magnitude is a bigint. */
export type JsonValue = null | boolean | number | bigint | Bytes | readonly JsonValue[] | JsonObject;

/** A JSON object; its names are byte strings and may be any, `__proto__` too. */
export interface JsonObject {
  readonly [key: Bytes]: JsonValue;
}

/** Escapes of characters that are one byte in UTF-8 are right as JSON.parse reads them: Go writes & as \u0026. */
const WIDE_ESCAPE = /\\u(?!00[0-7])/;

/** Integers of 15 digits are all below 2^53; 16 digits may not be. */
const LONG_NUMBER = /-?[0-9]{16,}/g;

/** Whether there is any; without a counter QuickJS decides it twice as quickly. */
const SIXTEEN_DIGITS = /\d\d\d\d\d\d\d\d\d\d\d\d\d\d\d\d/;

/** Stands before the digits of a long integer while JSON.parse has it as a string; no byte is this character. */
const MARK = '\uffff';

/**
 * Parses `text`, the raw bytes of a JSON document (RFC 8259), into byte strings, numbers and bigints.
 *
 * The engine's own parser does the work whenever it is exact, because QuickJS interprets slowly; it cannot
 * make UTF-8 of `\u` escapes, and long integers are handed to it as strings. Of two equal names in one object
 * the last holds. Throws CaissonError `EINVALIDJSON`: `source:line:column: what`.
 */
export function parseJson(text: Bytes, source = 'JSON'): JsonValue {
  if (!SIXTEEN_DIGITS.test(text)) return parseJsonNatively(text) ?? parseJsonExactly(text, source);
  const marked = markLongIntegers(text);
  const value = marked === undefined ? undefined : parseJsonNatively(marked);
  return value === undefined ? parseJsonExactly(text, source) : withIntegers(value);
}

/**
 * As parseJson, but integers beyond 2^53 are what the engine rounds them to (and none of these is a safe integer):
 * for a reader that asks for the exact value when it meets one. Looking for long numbers takes longer than parsing.
 * undefined for what is no JSON, or what the engine's parser would get wrong.
 */
export function parseJsonNatively(text: Bytes): JsonValue | undefined {
  if (text.includes('\\u') && WIDE_ESCAPE.test(text)) return undefined;
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
  // Few brackets cannot nest deeply; only a document of many is walked.
  return brackets(text) > JSON_DEPTH_LIMIT && isDeep(value) ? undefined : value;
}

/**
 * What caisson itself has written, and what has no number beyond 2^53: a list reads hundreds of such files, and to look
 * for long numbers takes longer than parsing. Throws CaissonError `EINVALIDJSON` as parseJson.
 */
export function parseOwnJson(text: Bytes, source: string): JsonValue {
  return parseJsonNatively(text) ?? parseJsonExactly(text, source);
}

/** Opening brackets, strings included. */
function brackets(text: string): number {
  return text.split('{').length + text.split('[').length - 2;
}

/** `text` with its long integers as marked strings; undefined when one is anything but a plain value. */
function markLongIntegers(text: Bytes): string | undefined {
  let marked = '';
  let from = 0;
  let inString = false;
  for (const match of text.matchAll(LONG_NUMBER)) {
    const [digits] = match;
    const before = text.slice(from, match.index);
    from = match.index + digits.length;
    if (hasOddQuotes(before)) inString = !inString;
    if (inString) {
      marked += before + digits;
      continue;
    }
    const plain = /(?:^|[[:,\s])$/.test(before.slice(-1)) && /^-?[1-9][0-9]{1,999}$/.test(digits);
    if (!plain || !/^\s*(?:[,\]}]|$)/.test(text.slice(from, from + 200))) return undefined;
    marked += `${before}"${MARK}${digits}"`;
  }
  return marked + text.slice(from);
}

function hasOddQuotes(text: Bytes): boolean {
  const plain = text.includes('\\') ? text.replace(/\\[\s\S]/g, '') : text;
  return occurrences(plain, '"') % 2 === 1;
}

/** The value with integers where marked strings are, in place. */
function withIntegers(value: JsonValue): JsonValue {
  if (typeof value === 'string') {
    if (!value.startsWith(MARK)) return value;
    const digits = value.slice(1);
    return Number.isSafeInteger(Number(digits)) ? Number(digits) : BigInt(digits);
  }
  if (typeof value !== 'object' || value === null) return value;
  const items = value as Record<Bytes, JsonValue>;
  for (const key of Object.keys(items)) {
    const item = items[key] as JsonValue;
    if (typeof item === 'object' || typeof item === 'string') items[key] = withIntegers(item);
  }
  return value;
}

function occurrences(text: string, char: string): number {
  let count = 0;
  for (let at = text.indexOf(char); at >= 0; at = text.indexOf(char, at + 1)) count++;
  return count;
}

/** Level by level rather than by recursion: V8 parses a million nested arrays, and the stack would not hold. */
function isDeep(root: JsonValue): boolean {
  let level: JsonValue[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= JSON_DEPTH_LIMIT) return true;
    const next: JsonValue[] = [];
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue;
      for (const child of Object.values(value))
        if (typeof child === 'object' && child !== null) next.push(child);
    }
    level = next;
  }
  return false;
}

/**
 * Writes a value as JSON: bigints as plain integers, byte strings as their bytes (control characters escaped,
 * bytes that are not UTF-8 as they are), names in their own order. `indent` is one level ('' for one line).
 * Undefined properties are left out; a number that is not finite is null, as in JSON.stringify.
 * Throws CaissonError `EINVALIDJSON` for nesting deeper than 200 and for what JSON cannot say.
 */
export function stringifyJson(value: unknown, indent = ''): Bytes {
  try {
    const text = JSON.stringify(value, null, indent) as string | undefined;
    if (text !== undefined) return text;
  } catch {
    // A bigint, which JSON.stringify refuses, or a cycle, which the depth limit below catches.
  }
  return write(value, indent, indent === '' ? '' : '\n', 0);
}

function write(value: unknown, indent: string, newline: string, depth: number): Bytes {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw invalid(`a ${typeof value} has no JSON form`);
    return text;
  }
  if (depth >= JSON_DEPTH_LIMIT) throw invalid(`nested deeper than ${JSON_DEPTH_LIMIT}`);
  const inner = newline + (newline === '' ? '' : indent);
  const items: string[] = [];
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) items.push(write(item ?? null, indent, inner, depth + 1));
    return bracketed('[', items, ']', inner, newline);
  }
  const colon = newline === '' ? ':' : ': ';
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    items.push(`${JSON.stringify(key)}${colon}${write(item, indent, inner, depth + 1)}`);
  }
  return bracketed('{', items, '}', inner, newline);
}

function bracketed(
  open: string,
  items: readonly string[],
  close: string,
  inner: string,
  newline: string,
): string {
  return items.length === 0 ? open + close : `${open}${inner}${items.join(`,${inner}`)}${newline}${close}`;
}

function invalid(what: string): CaissonError {
  return new CaissonError(`cannot write JSON: ${what}`, { code: 'EINVALIDJSON' });
}
