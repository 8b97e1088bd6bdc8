// Whether a directory of the host is on a memory file system: secrets belong nowhere else.

import type { GeneratedFile } from '../frontends/docker/network-files.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { type MountEntry, parseMountinfo } from '../linux/mountinfo.ts';

const IN_MEMORY: readonly Bytes[] = ['tmpfs', 'ramfs'];

/**
 * The type of the file system that holds a path, where it is one on a disk; undefined where it is memory. It is found by its
 * device, so that links on the way do not matter; btrfs, whose files tell other devices than its mounts, by the path.
 */
export function diskUnder(port: Pick<Port, 'readFile' | 'stat'>, path: Bytes): Bytes | undefined {
  const mounts = parseMountinfo(port.readFile('/proc/self/mountinfo') ?? '');
  const found = byDevice(mounts, port.stat(path)?.dev) ?? byPath(mounts, path);
  return found === undefined || IN_MEMORY.includes(found.fsType) ? undefined : found.fsType;
}

function byDevice(mounts: readonly MountEntry[], device: number | undefined): MountEntry | undefined {
  if (device === undefined) return undefined;
  // makedev(3): the middle twelve bits and the others.
  const [major, minor] = [(device >>> 8) & 0xfff, (device & 0xff) | ((device >>> 12) & 0xfff00)];
  return mounts.find((entry) => entry.major === major && entry.minor === minor);
}

function byPath(mounts: readonly MountEntry[], path: Bytes): MountEntry | undefined {
  let found: MountEntry | undefined;
  for (const entry of mounts) {
    const { mountPoint } = entry;
    const holds = mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`);
    // Of two at one place the later one is seen.
    if (holds && mountPoint.length >= (found?.mountPoint.length ?? 0)) found = entry;
  }
  return found;
}

/** Tells where secrets would be written to a disk: what is deleted there can be found again. */
export function secretsOnDisk(
  port: Pick<Port, 'readFile' | 'stat'>,
  directory: Bytes,
  files: readonly GeneratedFile[],
  warn: (message: string) => void = () => undefined,
): void {
  if (!files.some(({ secret }) => secret === true)) return;
  const type = diskUnder(port, directory);
  if (type === undefined) return;
  warn(
    `--secret: ${directory} is on a disk (${type}), and a secret that was written there can be read from it later; choose a --runtime-root on tmpfs, such as /run or $XDG_RUNTIME_DIR`,
  );
}
