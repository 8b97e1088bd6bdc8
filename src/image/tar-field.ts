// Fields of a tar header block: names, octal and base-256 numbers, the checksum.
//
// POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format" (base-256, `ustar  ` magic).
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';

export const BLOCK = 512;

/** Field name: offset and length in the block. */
export const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  deviceMajor: [329, 8],
  deviceMinor: [337, 8],
  prefix: [345, 155],
} as const;

type Field = readonly [number, number];

/** An error of the archive's: it says which member of it, counted from 1. */
export function archiveError(message: string, member: number): CaissonError {
  return new CaissonError(`tar archive, header ${member}: ${message}`, { code: 'EARCHIVE' });
}

// A method of Buffer on plain arrays: an archive has tens of thousands of names.
const { latin1Slice } = Buffer.prototype;

/** The byte string of `block[start..end)`. */
export function slice(block: Uint8Array, start: number, end: number): Bytes {
  return latin1Slice.call(block, start, end);
}

/** The bytes of a field up to its first NUL. */
export function text(block: Uint8Array, [at, length]: Field): Bytes {
  let end = at;
  while (end < at + length && block[end] !== 0) end++;
  return end === at ? '' : slice(block, at, end);
}

/** Whether all bytes are 0: two such blocks end an archive. */
export function isZero(block: Uint8Array): boolean {
  for (let i = 0; i < block.length; i++) if (block[i] !== 0) return false;
  return true;
}

/**
 * A number of a field: octal digits with spaces and NULs around them, or base-256 when the top bit is set. Negative
 * numbers are possible in base-256 only. Throws RangeError beyond 2^53 and on other characters.
 */
export function numeric(block: Uint8Array, [at, length]: Field): number {
  const end = at + length;
  if (((block[at] ?? 0) & 0x80) !== 0) return binary(block.subarray(at, end));
  let i = afterBlanks(block, at, end);
  let value = 0;
  // Twelve octal digits are below 2^36.
  for (; i < end; i++) {
    const digit = (block[i] as number) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = 8 * value + digit;
  }
  if (afterBlanks(block, i, end) < end)
    throw new RangeError(`a number has other characters than octal digits`);
  return value;
}

function afterBlanks(block: Uint8Array, from: number, end: number): number {
  let i = from;
  while (i < end && (block[i] === 0 || block[i] === 0x20)) i++;
  return i;
}

function binary(bytes: Uint8Array): number {
  let value = (bytes[0] as number) & 0x40 ? -1n : 0n;
  value = (value << 6n) | BigInt((bytes[0] as number) & 0x3f);
  for (const byte of bytes.subarray(1)) value = (value << 8n) | BigInt(byte);
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < -BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new RangeError('a number is beyond 2^53');
  }
  return Number(value);
}

/** The sum of all bytes, the checksum's own counted as spaces. Old writers added signed bytes. */
export function checksumHolds(block: Uint8Array): boolean {
  const [at, length] = FIELD.checksum;
  const stored = numeric(block, FIELD.checksum);
  let unsigned = 32 * length;
  for (let i = 0; i < at; i++) unsigned += block[i] as number;
  for (let i = at + length; i < BLOCK; i++) unsigned += block[i] as number;
  if (stored === unsigned) return true;
  let large = 0;
  for (let i = 0; i < BLOCK; i++) if ((i < at || i >= at + length) && (block[i] as number) > 127) large++;
  return stored === unsigned - 256 * large;
}
