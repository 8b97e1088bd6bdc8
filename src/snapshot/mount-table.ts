// Reading a mount table: which mounts a path lookup reaches, and what a copy-on-write view does with each of them.
import type { Bytes } from '../linux/bytes.ts';
import type { MountEntry } from '../linux/mountinfo.ts';

/** How a mount of the host appears in a copy-on-write view. */
export type MountTreatment = 'overlay' | 'read-only' | 'empty';

/** File systems that can be the lower layer of an overlay: names compare byte by byte (ovl_dentry_weird() refuses vfat). */
const LAYERS: ReadonlySet<Bytes> = new Set(
  'ext2 ext3 ext4 xfs btrfs f2fs bcachefs jfs reiserfs nilfs2 erofs squashfs iso9660 udf hostfs'.split(' '),
);

/** File systems of files that overlay refuses, or that a server may change underneath it: bound read-only. */
const READ_ONLY: ReadonlySet<Bytes> = new Set(
  'vfat msdos exfat ntfs ntfs3 hfsplus zfs nfs nfs4 cifs smb3 9p virtiofs ceph afs fuse fuseblk'.split(' '),
);

/**
 * What becomes of a mount below `/`. Everything that is not known to hold the machine's files is left out: kernel
 * interfaces, tmpfs (sockets and locks of running programs), autofs, and overlays (roots of other containers).
 */
export function treatment(mount: MountEntry): MountTreatment {
  if (LAYERS.has(mount.fsType)) return 'overlay';
  if (READ_ONLY.has(mount.fsType) || mount.fsType.startsWith('fuse.')) return 'read-only';
  return 'empty';
}

/** Whether `path` is strictly below the directory `above`. */
export function isBelow(path: Bytes, above: Bytes): boolean {
  return path !== above && path.startsWith(above === '/' ? '/' : `${above}/`);
}

/** `/a/b` as `/`, `/a`, `/a/b`. */
export function prefixes(path: Bytes): Bytes[] {
  const found: Bytes[] = ['/'];
  for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) found.push(path.slice(0, at));
  if (path !== '/') found.push(path);
  return found;
}

/**
 * The mounts below `/` that a lookup of their own mount point reaches, parents first. A mount is hidden when a later
 * one covers it or a directory above it.
 */
export function visibleMounts(mounts: readonly MountEntry[]): MountEntry[] {
  const on = new Map<string, MountEntry>();
  for (const mount of mounts)
    if (mount.parent !== mount.id) on.set(`${mount.parent} ${mount.mountPoint}`, mount);
  const root = mounts.find((mount) => mount.mountPoint === '/');
  const visible = mounts.filter(
    (mount) => mount.mountPoint !== '/' && reached(mount.mountPoint, root, on) === mount,
  );
  return visible.sort((a, b) => (a.mountPoint < b.mountPoint ? -1 : 1));
}

/** The topmost mount at `path`. In a chroot mountinfo has no line for `/`: mounts without a listed parent start there. */
function reached(
  path: Bytes,
  root: MountEntry | undefined,
  on: ReadonlyMap<string, MountEntry>,
): MountEntry | undefined {
  let current = root;
  for (const prefix of prefixes(path)) {
    let next = step(prefix, current, on);
    while (next !== undefined) {
      current = next;
      next = step(prefix, current, on);
    }
  }
  return current;
}

function step(
  prefix: Bytes,
  current: MountEntry | undefined,
  on: ReadonlyMap<string, MountEntry>,
): MountEntry | undefined {
  if (current !== undefined) return on.get(`${current.id} ${prefix}`);
  for (const mount of on.values()) if (mount.mountPoint === prefix) return mount;
  return undefined;
}
