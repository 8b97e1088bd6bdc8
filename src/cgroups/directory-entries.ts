// The entries of a directory as getdents64(2) returns them.
import type { Bytes } from '../linux/bytes.ts';

/** DT_DIR of <dirent.h>. */
export const DT_DIR = 4;

export interface DirectoryEntry {
  readonly name: Bytes;
  /** DT_*; 0 where the file system does not say. */
  readonly type: number;
}

/** struct linux_dirent64: u64 d_ino, s64 d_off, u16 d_reclen, u8 d_type, then the name and a NUL. `.` and `..` are left out. */
export function parseDirectoryEntries(bytes: Bytes): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  for (let at = 0; at + 19 <= bytes.length; ) {
    const length = bytes.charCodeAt(at + 16) | (bytes.charCodeAt(at + 17) << 8);
    // A record shorter than its head would never end.
    if (length < 20 || at + length > bytes.length) break;
    const end = bytes.indexOf('\0', at + 19);
    const name = bytes.slice(at + 19, end < 0 ? at + length : end);
    if (name !== '.' && name !== '..') entries.push({ name, type: bytes.charCodeAt(at + 18) });
    at += length;
  }
  return entries;
}
