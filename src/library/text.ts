// Between the byte strings of the core and the UTF-8 texts of the library.
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../linux/bytes.ts';

/** A result with all of its texts decoded, keys too. What is no UTF-8 becomes U+FFFD. */
export function decoded<T>(value: T): T;
export function decoded(value: unknown): unknown {
  if (typeof value === 'string') return bytesToUtf8(value);
  if (Array.isArray(value)) return value.map((each: unknown) => decoded(each));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [bytesToUtf8(key), decoded(each)]));
}

/** `undefined` stays. */
export function encoded(text: string | undefined): Bytes | undefined {
  return text === undefined ? undefined : utf8ToBytes(text);
}

/** `NAME=value` for each. */
export function pairs(values: Readonly<Record<string, string>> = {}): Bytes[] {
  return Object.entries(values).map(([name, value]) => utf8ToBytes(`${name}=${value}`));
}
