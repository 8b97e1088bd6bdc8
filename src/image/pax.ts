// Records of a pax extended header: `LENGTH KEYWORD=VALUE\n` (POSIX.1-2017 pax, "pax Extended Header").
import type { Bytes } from '../linux/bytes.ts';
import type { Timespec } from '../plan/syscalls.ts';

/** What extended headers say about the member that follows them. */
export interface PaxRecords {
  /** The last value of each keyword; an empty value takes an earlier one back. */
  readonly values: Map<Bytes, Bytes>;
  /** Pairs of the sparse format 0.0, which repeats its keywords. */
  readonly sparse: number[];
}

export function noRecords(): PaxRecords {
  return { values: new Map(), sparse: [] };
}

/** Adds the records of one extended header. Throws RangeError where it is malformed. */
export function addPaxRecords(into: PaxRecords, payload: Bytes): void {
  for (let at = 0; at < payload.length; ) {
    const space = payload.indexOf(' ', at);
    const digits = space < 0 ? '' : payload.slice(at, space);
    const length = /^[1-9][0-9]{0,7}$/.test(digits) ? Number(digits) : 0;
    const record = payload.slice(space + 1, at + length - 1);
    const equals = record.indexOf('=');
    const complete = space >= 0 && length > space + 1 - at && at + length <= payload.length;
    if (!complete || payload[at + length - 1] !== '\n' || equals < 1) {
      throw new RangeError('a pax record has no `length keyword=value`');
    }
    addRecord(into, record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
}

/**
 * A string of its own: engines keep all of a string alive of which a part is still used, and a name may come out of a
 * megabyte of records.
 */
export function detached(part: Bytes): Bytes {
  return Buffer.from(part, 'latin1').toString('latin1');
}

function addRecord(into: PaxRecords, keyword: Bytes, value: Bytes): void {
  if (keyword.includes('\0')) throw new RangeError('a pax keyword has a NUL in it');
  if (keyword === 'GNU.sparse.offset' || keyword === 'GNU.sparse.numbytes')
    into.sparse.push(paxNumber(value));
  else if (value === '') into.values.delete(keyword);
  else if (isHeeded(keyword)) into.values.set(detached(keyword), detached(value));
}

const HEEDED = new Set(['path', 'linkpath', 'size', 'uid', 'gid', 'mtime']);

/** Whether anybody asks for it: comments and the like are not kept. */
function isHeeded(keyword: Bytes): boolean {
  return HEEDED.has(keyword) || keyword.startsWith('GNU.sparse.') || keyword.startsWith('SCHILY.xattr.');
}

/** A decimal number from 0 to 2^53. */
export function paxNumber(value: Bytes): number {
  const number = /^[0-9]{1,20}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new RangeError(`a pax number is out of range`);
  return number;
}

/** Seconds with a fraction of any length, of which nanoseconds are kept; before 1970 with a sign. */
export function paxTime(value: Bytes): Timespec {
  const match = /^(-?)([0-9]{1,16})(?:\.([0-9]*))?$/.exec(value);
  if (match === null) throw new RangeError('a pax time is out of range');
  const seconds = Number(match[2]);
  const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (!Number.isSafeInteger(seconds)) throw new RangeError('a pax time is out of range');
  if (match[1] === '') return { seconds, nanoseconds };
  // timespec counts its nanoseconds upwards from the second below.
  return nanoseconds === 0
    ? { seconds: 0 - seconds, nanoseconds }
    : { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}
