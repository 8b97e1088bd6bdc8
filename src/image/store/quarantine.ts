// What is damaged is set aside: out of everybody's way, and there for a person to look at.
import type { Disk } from '../../host/disk.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { ERRNO } from '../../linux/errno.ts';
import { CaissonError } from '../../spec/error.ts';
import { parentOf, replaceDurably } from './durable.ts';
import type { StorePaths } from './paths.ts';

/** Keeps a copy of what a damaged document was before it is written anew. */
export async function keepCopy(disk: Disk, paths: StorePaths, name: Bytes, content: Bytes): Promise<Bytes> {
  disk.makeDirectory(paths.quarantine, 0o700);
  for (let count = 0; ; count++) {
    const target = `${paths.quarantine}/${name}${count === 0 ? '' : `.${count}`}`;
    if (disk.stat(target) !== undefined) continue;
    await replaceDurably(disk, target, content);
    return target;
  }
}

/** Moves a file or a directory into `quarantine`; where it is then, undefined when it had gone. */
export async function quarantine(disk: Disk, paths: StorePaths, path: Bytes): Promise<Bytes | undefined> {
  if (disk.stat(path) === undefined) return undefined;
  disk.makeDirectory(paths.quarantine, 0o700);
  const place = path.slice(paths.root.length + 1).replaceAll('/', '-');
  for (let count = 0; ; count++) {
    const target = `${paths.quarantine}/${place}${count === 0 ? '' : `.${count}`}`;
    if (disk.stat(target) !== undefined) continue;
    const outcome = attempt(() => {
      disk.rename(path, target);
    });
    // Another program has moved it, or something else there.
    if (outcome === ERRNO.ENOENT) return undefined;
    if (outcome !== 0) continue;
    await disk.syncDirectory(parentOf(path));
    await disk.syncDirectory(paths.quarantine);
    return target;
  }
}

/** 0, or why somebody else was quicker. */
function attempt(rename: () => void): number {
  try {
    rename();
    return 0;
  } catch (error) {
    const others: readonly number[] = [ERRNO.ENOENT, ERRNO.EEXIST, ERRNO.ENOTEMPTY];
    const errno = error instanceof CaissonError ? error.errno : undefined;
    if (errno !== undefined && others.includes(errno)) return errno;
    throw error;
  }
}
