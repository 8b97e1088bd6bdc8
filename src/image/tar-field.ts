// Fields of a tar header block: names, octal and base-256 numbers, the checksum.
//
// POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format" (base-256, `ustar  ` magic).
import { type Bytes, fromArray } from '../linux/bytes.ts';
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

/** The bytes of a field up to its first NUL. */
export function text(block: Uint8Array, [at, length]: Field): Bytes {
  let end = at;
  while (end < at + length && block[end] !== 0) end++;
  return fromArray(block, at, end);
}

/** Whether all bytes are 0: two such blocks end an archive. */
export function isZero(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

/**
 * A number of a field: octal digits with spaces and NULs around them, or base-256 when the top bit is set. Negative
 * numbers are possible in base-256 only. Throws RangeError beyond 2^53 and on other characters.
 */
export function numeric(block: Uint8Array, field: Field): number {
  const [at, length] = field;
  const first = block[at] ?? 0;
  if ((first & 0x80) !== 0) return binary(block.subarray(at, at + length));
  const digits = /^[ \0]*([0-7]*)[ \0]*$/.exec(fromArray(block, at, at + length));
  if (digits === null) throw new RangeError(`a number has other characters than octal digits`);
  // Twelve octal digits are below 2^36.
  return digits[1] === '' ? 0 : Number.parseInt(digits[1] as string, 8);
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
  let unsigned = 32 * length;
  let signed = unsigned;
  for (let i = 0; i < BLOCK; i++) {
    if (i >= at && i < at + length) continue;
    const byte = block[i] as number;
    unsigned += byte;
    signed += byte < 128 ? byte : byte - 256;
  }
  const stored = numeric(block, FIELD.checksum);
  return stored === unsigned || stored === signed;
}
