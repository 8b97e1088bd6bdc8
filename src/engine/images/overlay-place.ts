// Why an overlay cannot be made where the changes of a container are to be: not every file system can hold them.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { parseMountinfo } from '../../linux/mountinfo.ts';
import { isBelow } from '../../snapshot/mount-table.ts';
import { CaissonError } from '../../spec/error.ts';

const CALLS: readonly (string | undefined)[] = ['fsconfig', 'mount', 'fsmount', 'mount_setattr'];

/** A failed mount of the root with the file system that is the reason; other errors as they are. */
export function explainOverlay(port: Pick<Port, 'readFile'>, error: unknown, directory: Bytes): unknown {
  if (!(error instanceof CaissonError) || !CALLS.includes(error.syscall)) return error;
  if (!/^overlay [0-9]+ layers? of the image/.test(error.message)) return error;
  const where = `${directory} is on ${fileSystemOf(port, directory)}`;
  const { code, errno, syscall, provenance, sources, details, exitCode } = error;
  return new CaissonError(error.message, {
    code,
    ...(errno === undefined ? {} : { errno }),
    ...(syscall === undefined ? {} : { syscall }),
    provenance,
    sources,
    details: [...details, ...(syscall === 'mount_setattr' ? noMappedIds(where) : noOverlay(where))],
    exitCode,
    cause: error,
  });
}

function noOverlay(where: Bytes): Bytes[] {
  return [
    `${where}; the changes of a container need a file system with`,
    'extended attributes and device nodes, such as ext4, xfs, btrfs or tmpfs: choose one with --data-root',
  ];
}

function noMappedIds(where: Bytes): Bytes[] {
  return [
    `${where}; a user namespace of root needs a file system whose mounts can map ids,`,
    'such as ext4, xfs, btrfs, or tmpfs from Linux 6.3 on: choose one with --data-root, or run it without --userns',
  ];
}

/** The type of the file system that a host path is on. */
function fileSystemOf(port: Pick<Port, 'readFile'>, path: Bytes): Bytes {
  const mounts = parseMountinfo(port.readFile('/proc/self/mountinfo') ?? '');
  const above = mounts.filter(({ mountPoint }) => mountPoint === path || isBelow(path, mountPoint));
  // The deepest one, and of several at the same place the last.
  const [deepest] = above.reverse().sort((a, b) => b.mountPoint.length - a.mountPoint.length);
  return deepest?.fsType ?? 'a file system that is not known';
}
