// Mount points of a RUN, as the lowest layer of its root: so nothing is made for them in the layer that is built.
//
// A mount needs something to be mounted on. Made in the root it would become a part of the image, and whoever takes it
// away afterwards works on paths that a container has just had its hands on (CVE-2024-23652). Below all layers an empty
// directory or file shows through where the image has nothing, and is never in the changes.
import type { Disk } from '../../host/disk.ts';
import type { Bytes } from '../../linux/bytes.ts';

export interface MountPoint {
  /** Absolute, in the container. */
  readonly path: Bytes;
  readonly isDirectory: boolean;
}

/** Makes the mount points below `directory`, an empty host directory of the engine's. */
export function makeStubs(disk: Disk, directory: Bytes, points: readonly MountPoint[]): void {
  const made = new Map<Bytes, 'directory' | 'file'>();
  for (const { path, isDirectory } of points) {
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    // `..` may follow a link of the image: such a mount point is made by the container's start, as in any container.
    if (parts.includes('..')) continue;
    let at = directory;
    for (const [index, part] of parts.entries()) {
      at = `${at}/${part}`;
      const kind = index < parts.length - 1 || isDirectory ? 'directory' : 'file';
      const before = made.get(at);
      if (before === 'file' || (before === 'directory' && kind === 'file')) break;
      if (before === undefined) {
        if (kind === 'directory') disk.makeDirectory(at, 0o755);
        else disk.create(at, 0o644).close();
        made.set(at, kind);
      }
    }
  }
}
