// Numbers after flags of `caisson run`, with docker's messages where they are none.

import type { Bytes } from '../../linux/bytes.ts';
import { parseCpuList } from '../../linux/cpulist.ts';
import type { Int64 } from '../../spec/runtime-spec.ts';
import { INT64_MAX, parseInteger, parseSize } from '../number.ts';
import { invalidArgument } from './flag-error.ts';
import type { RunFlagName } from './run-flags.ts';

/** The size after flag `name`. Throws docker's message. */
export function sizeFlag(name: RunFlagName, text: Bytes): Int64 {
  const size = parseSize(text);
  if (size === undefined) throw invalidArgument(name, text, `invalid size: '${text}'`);
  return size;
}

/** The signed 64-bit integer after flag `name`. */
export function integerFlag(name: RunFlagName, text: Bytes): Int64 {
  const value = parseInteger(text, undefined, INT64_MAX);
  if (value === undefined) throw invalidArgument(name, text, 'not a whole number of 64 bits');
  return value;
}

/** An integer after flag `name` in a range that a number holds. */
export function smallIntegerFlag(
  name: RunFlagName,
  text: Bytes,
  min: number,
  max: number,
  reason: string,
): number {
  const value = parseInteger(text, BigInt(min), BigInt(max));
  if (value === undefined)
    throw invalidArgument(name, text, /^[+-]?[0-9]+$/.test(text) ? reason : 'not a whole number');
  return Number(value);
}

/** The numbers in a list such as `0-3,7` after flag `name`. Throws docker's message. */
export function numberListFlag(name: RunFlagName, text: Bytes, what: string): number[] {
  try {
    const numbers = parseCpuList(text);
    if (numbers.length > 0) return numbers;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalidArgument(name, text, `invalid value ${text} for ${what}: ${error.message}`);
  }
  throw invalidArgument(name, text, `invalid value ${text} for ${what}: no number`);
}
