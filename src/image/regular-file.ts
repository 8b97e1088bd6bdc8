// Calls that go on only when a descriptor is a regular file, or was not opened at all.
import { AT_EMPTY_PATH, STATX_SIZE, STATX_TYPE } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { type Call, type Field, type Memory, type Slot, slot, struct } from '../plan/call.ts';
import * as sys from '../plan/syscalls.ts';

/** Of all types of files only S_IFREG (0100000) has none of these bits (inode(7)). */
const NOT_REGULAR = 0o070000n;

/**
 * Fails with EINVAL when `file` is open and not regular. Where nothing was opened (EBADF) the structure is all zero,
 * and passes as well. `size` is the file's in bytes.
 */
export function regularFile(file: Slot): { readonly calls: Call[]; readonly size: Slot } {
  const mode = slot(`${file.name}_mode`, { width: 4 });
  const size = slot(`${file.name}_size`);
  const calls = [
    sys.statxFields(file, '', AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, statx(mode, size), {
      tolerate: [ERRNO.EBADF],
    }),
    sys.check(mode, 'EQ', 0, ERRNO.EINVAL, { mask: NOT_REGULAR }),
  ];
  return { calls, size };
}

/** struct statx (256 bytes, statx(2)): stx_mode is the lower half of the word at 28, stx_size the 8 bytes at 40. */
function statx(mode: Slot, size: Slot): Memory {
  const filler = (at: number, width: 4 | 8): Field => ({ name: `at_${at}`, width, value: 0 });
  const fields: Field[] = [0, 4, 8, 12, 16, 20, 24].map((at) => filler(at, 4));
  fields.push({ name: 'stx_mode', width: 4, value: mode }, filler(32, 8));
  fields.push({ name: 'stx_size', width: 8, value: size });
  for (let at = 48; at < 256; at += 8) fields.push(filler(at, 8));
  return struct(...fields);
}
