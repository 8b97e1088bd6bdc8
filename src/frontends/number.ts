// Numbers as people write them: sizes, decimals, integers, durations, booleans; all exact.

import type { Bytes } from '../linux/bytes.ts';
import type { Int64 } from '../spec/runtime-spec.ts';

export const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

const SIZE = /^([0-9]+)(?:\.([0-9]*))?|^\.([0-9]+)/;
const UNITS = ['', 'k', 'm', 'g', 't', 'p'];
/** More digits than any 64-bit number has are a mistake, and slow to multiply. */
const DIGITS_LIMIT = 40;

/** The exact value as a number where that is exact, else a bigint. */
export function exact(value: bigint): Int64 {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value;
}

/**
 * Bytes of a size such as `128m`, `1.5g`, `64 MiB`, `4096`; units are powers of 1024, fractions of a byte are cut.
 * Undefined when it is none, or beyond a signed 64-bit number.
 */
export function parseSize(text: Bytes): Int64 | undefined {
  const match = SIZE.exec(text);
  if (match === null || match[0].length > DIGITS_LIMIT) return undefined;
  const unit = /^ ?(?:([kmgtp]?)i?b?)$/i.exec(text.slice(match[0].length));
  if (unit === null || /^ ?i/i.test(text.slice(match[0].length))) return undefined;
  const fraction = match[2] ?? match[3] ?? '';
  const scale = 1024n ** BigInt(UNITS.indexOf((unit[1] ?? '').toLowerCase()));
  const value = (BigInt(`${match[1] ?? ''}${fraction}`) * scale) / 10n ** BigInt(fraction.length);
  return value <= INT64_MAX ? exact(value) : undefined;
}

/** A decimal integer, optionally signed; undefined when it is none, or not in `min..max` (default: unsigned 64-bit). */
export function parseInteger(text: Bytes, min = -INT64_MAX - 1n, max = UINT64_MAX): Int64 | undefined {
  if (!/^[+-]?[0-9]{1,25}$/.test(text)) return undefined;
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return value < min || value > max ? undefined : exact(value);
}

/** `1.5` as billionths (docker's NanoCpus); undefined when it is no decimal number or finer than that. */
export function parseBillionths(text: Bytes): bigint | undefined {
  const match = /^([0-9]{1,9})(?:\.([0-9]{0,9}))?$|^\.([0-9]{1,9})$/.exec(text);
  if (match === null) return undefined;
  const fraction = (match[2] ?? match[3] ?? '').padEnd(9, '0');
  return BigInt(`${match[1] ?? '0'}${fraction}`);
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of `90`, `1m30s`, `1.5h`, `300ms`; a bare number is seconds. Undefined when it is none. */
export function parseDuration(text: Bytes): number | undefined {
  if (/^[0-9]{1,9}(?:\.[0-9]{1,9})?$/.test(text)) return Math.round(Number(text) * 1000);
  if (!/^(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ns|us|ms|s|m|h)){1,6}$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/([0-9.]+)(ns|us|ms|s|m|h)/g)) {
    total += Number(amount) * (DURATION_UNITS[unit as string] as number);
  }
  return Math.round(total);
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** What Go's flag package takes as a boolean. */
export function parseBoolean(text: Bytes): boolean | undefined {
  if (TRUE.has(text)) return true;
  return FALSE.has(text) ? false : undefined;
}
