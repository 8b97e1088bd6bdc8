// What mknod(2) needs to make a device or a fifo of an archive.
import { S_IFBLK, S_IFCHR, S_IFIFO } from '../../linux/constants/open.ts';
import { refused } from '../member-path.ts';
import type { TarEntry } from '../tar.ts';

/** The type bits of a mode (inode(7)) of what mknod(2) makes. */
export function typeBits(type: TarEntry['type']): number {
  return type === 'character' ? S_IFCHR : type === 'block' ? S_IFBLK : S_IFIFO;
}

/** The number of a device in the kernel's 32-bit encoding, makedev(3). Throws CaissonError EARCHIVE beyond it. */
export function deviceNumber({ device: { major, minor }, path, type }: TarEntry): number {
  if (type === 'fifo') return 0;
  if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff)
    throw refused(path, 'is a device with no such number');
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
