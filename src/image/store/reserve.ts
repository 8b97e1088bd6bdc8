// A little room that is kept for the day when the disk is full: without it not even a name could be removed.
import type { Disk } from '../../host/disk.ts';
import { ERRNO } from '../../linux/errno.ts';
import { CaissonError } from '../../spec/error.ts';
import type { StorePaths } from './paths.ts';

/** Enough for the names of some hundred images; a larger list needs room that others free. */
const SIZE = 64 << 10;

/** Makes the reserve where there is none. A disk that has no room for it goes without. */
export function keepReserve(disk: Disk, paths: StorePaths): void {
  if (disk.stat(paths.reserve) !== undefined) return;
  try {
    const file = disk.create(paths.reserve, 0o600);
    // Not zeros, which some file systems do not store.
    file.write(new Uint8Array(SIZE).fill(0x72), 0);
    file.close();
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
    disk.remove(paths.reserve);
  }
}

/** Does `work`, and if the disk is full does it again with the room of the reserve. */
export async function withReserve(disk: Disk, paths: StorePaths, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const isFull =
      error instanceof CaissonError && (error.errno === ERRNO.ENOSPC || error.errno === ERRNO.EDQUOT);
    if (!isFull || !disk.remove(paths.reserve)) throw error;
    await work();
  }
}
