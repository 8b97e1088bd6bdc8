// struct statx of statx(2) as the port's FileStat.
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from '../linux/constants/open.ts';
import { makedev } from '../plan/compile/device-node.ts';
import type { FileStat } from './port.ts';

/** Bytes of struct statx. */
export const STATX_SIZE = 256;

const TYPES: Readonly<Record<number, FileStat['type']>> = {
  [S_IFREG]: 'file',
  [S_IFDIR]: 'directory',
  [S_IFCHR]: 'character',
  [S_IFBLK]: 'block',
  [S_IFIFO]: 'fifo',
  [S_IFSOCK]: 'socket',
};

/** Two words, little-endian. */
function number64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

function device(view: DataView, at: number): number {
  return makedev(view.getUint32(at, true), view.getUint32(at + 4, true));
}

/** stx_mode. */
export function modeOf(view: DataView): number {
  return view.getUint16(28, true);
}

/** stx_size. */
export function sizeOf(view: DataView): number {
  return number64(view, 40);
}

/** stx_blocks counts units of 512 bytes, whatever the file system. */
export function allocatedOf(view: DataView): number {
  return number64(view, 48) * 512;
}

/** stx_mtime as milliseconds since 1970. */
export function modifiedOf(view: DataView): number {
  return number64(view, 112) * 1e3 + view.getUint32(120, true) / 1e6;
}

/** What statx(2) with STATX_BASIC_STATS has written. */
export function fileStatOf(view: DataView): FileStat {
  const mode = modeOf(view);
  return {
    type: TYPES[mode & S_IFMT] ?? 'other',
    mode,
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    size: sizeOf(view),
    rdev: device(view, 128),
    dev: device(view, 136),
    ino: number64(view, 32),
  };
}
