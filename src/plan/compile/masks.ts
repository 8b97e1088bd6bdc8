// Masked and read-only paths, and the read-only root: the last of the mounts.
//
// config-linux.md, Masked Paths, Readonly Paths. The source of a mask is the launcher's own: an empty read-only
// tmpfs for directories, a null device checked by its number for files (CVE-2025-31133).
import type { Bytes } from '../../linux/bytes.ts';
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../../linux/constants/mount.ts';
import { AT_EMPTY_PATH, AT_RECURSIVE, O_CLOEXEC, O_PATH, STATX_TYPE } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import { parseMountOptions } from '../../spec/mount-options.ts';
import type { Mount } from '../../spec/runtime-spec.ts';
import { type Call, call, number, pointer, type Slot, slot, string, struct } from '../call.ts';
import { kernelAtLeast } from '../facts.ts';
import * as sys from '../syscalls.ts';
import { type Context, relative } from './context.ts';
import { lookUp } from './destination.ts';
import { detachedFileSystem, ONTO } from './file-system.ts';
import { labelOptions } from './mount-label.ts';
import { readonlyLater } from './readonly-later.ts';

const NULL_MAJOR = 1;
const NULL_MINOR = 3;
const KERNELS: Readonly<Record<Bytes, Bytes>> = { proc: 'proc', sys: 'sysfs' };

/** A file system of the kernel's, or the host's own tree of it. */
function showsHosts({ type, source, options }: Mount, top: Bytes): boolean {
  return type === KERNELS[top] || (source === `/${top}` && parseMountOptions(options, type).bind);
}

const byDestination = new WeakMap<Context, Map<Bytes, Mount[]>>();

/** The mounts on a path, or on a directory above it. There may be thousands of both. */
function covering(c: Context, name: Bytes): Mount[] {
  let known = byDestination.get(c);
  if (known === undefined) {
    known = new Map();
    byDestination.set(c, known);
    for (const mount of c.spec.mounts ?? []) {
      const mounted = relative(mount.destination);
      known.set(mounted, [...(known.get(mounted) ?? []).slice(0, 1), mount]);
    }
  }
  const found = [...(known.get('') ?? []), ...(known.get(name) ?? [])];
  for (let cut = name.indexOf('/'); cut > 0; cut = name.indexOf('/', cut + 1))
    found.push(...(known.get(name.slice(0, cut)) ?? []));
  return found;
}

/**
 * What a path of a mounted /proc or /sys is; the container's have the same entries as the host's, unless something
 * else is mounted there.
 */
function kindOf(c: Context, path: Bytes): 'file' | 'directory' | 'absent' | 'unknown' {
  const name = relative(path);
  const end = name.indexOf('/');
  if (end < 0) return 'unknown';
  const top = name.slice(0, end);
  const [own, another] = covering(c, name);
  if (own === undefined || another !== undefined) return 'unknown';
  if (relative(own.destination) !== top || !showsHosts(own, top)) return 'unknown';
  const file = c.facts.files.get(path);
  if (file === undefined) return 'absent';
  return file.type === 'directory' ? 'directory' : 'file';
}

export function masks(c: Context): void {
  const paths = c.spec.linux?.maskedPaths ?? [];
  const seen = new Set<Bytes>();
  const present = paths
    .map((path, index) => ({ path, index, kind: kindOf(c, path) }))
    .filter(({ path, kind }) => kind !== 'absent' && seen.size !== seen.add(path).size);
  if (present.length > 0) {
    const empty = slot('empty_tmpfs');
    const none = slot('null');
    const shared = kernelAtLeast(c.facts, ...CLONES_DETACHED);
    c.child('mask-sources', 'what to mask with', '/linux/maskedPaths', [
      ...(shared ? emptyDirectory(c, empty) : []),
      ...verifiedNull(none),
    ]);
    for (const { path, index, kind } of present) {
      c.child(
        'mask',
        `mask ${path}`,
        `/linux/maskedPaths/${index}`,
        mask(c, path, kind, shared ? empty : undefined, none),
      );
    }
  }
  readonlyPaths(c);
}

/** open_tree(2) of a mount that is attached nowhere is EINVAL before 6.15: every mask is then a tmpfs of its own. */
const CLONES_DETACHED = [6, 15] as const;

function emptyDirectory(c: Context, mounted: Slot): Call[] {
  const attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  const data = ['nr_inodes=2', 'mode=755', ...labelOptions(c, 'tmpfs')];
  return detachedFileSystem('tmpfs', 'tmpfs', data, attributes, mounted);
}

/** The null device by descriptor, proven to be character device 1:3 (statx(2) offsets 0x80, 0x84). */
function verifiedNull(none: Slot): Call[] {
  const major = slot('null_major', { width: 4 });
  const minor = slot('null_minor', { width: 4 });
  return [
    sys.openat(sys.AT_FDCWD, '/dev/null', O_PATH | O_CLOEXEC, 0, { result: none }),
    call('statx', [
      none,
      string(''),
      number(AT_EMPTY_PATH, F.STATX_FLAGS),
      number(STATX_TYPE, F.STATX_MASK),
      pointer(statxDevice(major, minor), 'fixed'),
    ]),
    sys.check(major, 'EQ', NULL_MAJOR, ERRNO.ENODEV),
    sys.check(minor, 'EQ', NULL_MINOR, ERRNO.ENODEV),
  ];
}

/** struct statx (256 bytes) of which only the device number is looked at. */
function statxDevice(major: Slot, minor: Slot) {
  return struct(
    { name: 'before', width: 0x80, value: 0 },
    { name: 'stx_rdev_major', width: 4, value: major },
    { name: 'stx_rdev_minor', width: 4, value: minor },
    { name: 'after', width: 0x78, value: 0 },
  );
}

function mask(c: Context, path: Bytes, kind: string, empty: Slot | undefined, none: Slot): Call[] {
  const target = slot(path);
  const calls: Call[] = [lookUp(c, path, true, target)];
  // An absent target is a negative number that move_mount(2) refuses with EBADF; a file and a directory, with EINVAL.
  const tolerate = kind === 'unknown' ? [ERRNO.EBADF, ERRNO.EINVAL] : [ERRNO.EBADF];
  if (kind !== 'file' && empty !== undefined)
    calls.push(...over(empty, target, `${path}_tmpfs`, { tolerate }));
  if (kind !== 'file' && empty === undefined) {
    const own = slot(`${path}_tmpfs`);
    calls.push(...emptyDirectory(c, own), sys.moveMount(own, target, ONTO, { tolerate }));
  }
  if (kind !== 'directory') calls.push(...over(none, target, `${path}_null`, { tolerate }));
  return calls;
}

function over(source: Slot, target: Slot, name: string, options: { tolerate: number[] }): Call[] {
  const copy = slot(name);
  return [
    sys.openTree(source, '', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH, { result: copy }),
    sys.moveMount(copy, target, ONTO, options),
  ];
}

function readonlyPaths(c: Context): void {
  c.spec.linux?.readonlyPaths?.forEach((path, index) => {
    if (kindOf(c, path) === 'absent') return;
    const target = slot(path);
    const tree = slot(`${path}_readonly`);
    const tolerate = [ERRNO.EBADF];
    const flags = { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0 };
    c.child('readonly-path', `make ${path} read-only`, `/linux/readonlyPaths/${index}`, [
      lookUp(c, path, true, target),
      sys.openTree(target, '', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE, {
        result: tree,
        tolerate,
      }),
      sys.mountSetattr(tree, '', AT_EMPTY_PATH | AT_RECURSIVE, flags, { tolerate }),
      sys.moveMount(tree, target, ONTO, { tolerate }),
    ]);
  });
}

/** `root.readonly`: the root mount alone; what is mounted below keeps its own flags. */
export function readonlyRoot(c: Context): void {
  readonlyLater(c);
  if (!c.spec.root?.readonly) return;
  const flags = { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0 };
  c.child('readonly-root', 'make the root read-only', '/root/readonly', [
    sys.mountSetattr(c.root, '', AT_EMPTY_PATH, flags),
  ]);
}
