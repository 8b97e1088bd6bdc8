// Whether a directory of the host is on a memory file system: secrets belong nowhere else.

import type { GeneratedFile } from '../frontends/docker/network-files.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { parseMountinfo } from '../linux/mountinfo.ts';

const IN_MEMORY: readonly Bytes[] = ['tmpfs', 'ramfs'];

/** The type of the file system that holds a path, where it is one on a disk; undefined where it is memory. */
export function diskUnder(port: Pick<Port, 'readFile'>, path: Bytes): Bytes | undefined {
  let found: { readonly mountPoint: Bytes; readonly fsType: Bytes } | undefined;
  for (const entry of parseMountinfo(port.readFile('/proc/self/mountinfo') ?? '')) {
    const { mountPoint } = entry;
    const holds = mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`);
    // Of two at one place the later one is seen.
    if (holds && mountPoint.length >= (found?.mountPoint.length ?? 0)) found = entry;
  }
  return found === undefined || IN_MEMORY.includes(found.fsType) ? undefined : found.fsType;
}

/** Tells where secrets would be written to a disk: what is deleted there can be found again. */
export function secretsOnDisk(
  port: Pick<Port, 'readFile'>,
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
