// JSON as Go's encoder writes it, which is what runc prints: names of maps in order, and nothing that HTML would read.

import type { Bytes } from '../linux/bytes.ts';
import { stringifyJson } from '../spec/json.ts';

/** U+2028 and U+2029, which are line ends to JavaScript, are escaped too. */
const ESCAPED = /[<>&]|\xe2\x80[\xa8\xa9]/g;

/** One line, or lines with `indent`. */
export function goJson(value: unknown, indent = ''): Bytes {
  return stringifyJson(value, indent).replace(ESCAPED, (text) => {
    const code = text.length === 1 ? text.charCodeAt(0) : 0x2000 + text.charCodeAt(2) - 0x80;
    return `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** An object's names in byte order, as Go prints a map. */
export function sorted<T>(map: Readonly<Record<Bytes, T>>): Record<Bytes, T> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}
