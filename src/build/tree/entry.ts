// One file of a tree, as statx(2) describes it.
import { type Bytes, fromArray } from '../../linux/bytes.ts';
import { type FileType, fileTypeOf } from '../../linux/file-type.ts';

/** Seconds and nanoseconds since 1970. */
export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface TreeEntry {
  /** Below the top of the walk, without a slash in front; empty for the top itself. */
  readonly path: Bytes;
  readonly type: FileType;
  /** Permission bits, 0..07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  readonly modified: Time;
  readonly changed: Time;
  readonly ino: number;
  readonly links: number;
  readonly major: number;
  readonly minor: number;
  /** Of a symbolic link. */
  readonly target: Bytes;
  readonly xattrs: readonly (readonly [name: Bytes, value: Bytes])[];
}

export const STATX_SIZE = 256;

/** STATX_BASIC_STATS: everything but the time of birth. */
export const STATX_BASIC = 0x7ff;

/** struct statx: offsets of linux/stat.h. */
export function parseStatx(bytes: Uint8Array, path: Bytes): TreeEntry {
  const view = new DataView(bytes.buffer, bytes.byteOffset, STATX_SIZE);
  const word = (at: number) => view.getUint32(at, true);
  const long = (at: number) => view.getInt32(at + 4, true) * 2 ** 32 + word(at);
  const time = (at: number) => ({ seconds: long(at), nanoseconds: word(at + 8) });
  const mode = view.getUint16(28, true);
  return {
    path,
    type: fileTypeOf(mode) ?? 'file',
    mode: mode & 0o7777,
    uid: word(20),
    gid: word(24),
    size: long(40),
    modified: time(112),
    changed: time(96),
    ino: long(32),
    links: word(16),
    major: word(128),
    minor: word(132),
    target: '',
    xattrs: [],
  };
}

/** Names of linux_dirent64 records (getdents64(2)), without `.` and `..`. */
export function parseNames(bytes: Uint8Array): Bytes[] {
  const names: Bytes[] = [];
  for (let at = 0; at + 19 < bytes.length; ) {
    const length = (bytes[at + 16] as number) | ((bytes[at + 17] as number) << 8);
    if (length < 20 || at + length > bytes.length) break;
    let end = at + 19;
    while (end < at + length && bytes[end] !== 0) end++;
    const name = fromArray(bytes, at + 19, end);
    if (name !== '.' && name !== '..') names.push(name);
    at += length;
  }
  return names;
}
