// The root: mount propagation before anything, the root mount itself, and the change into it.
//
// pivot_root(2) with `.` twice, so that no path is looked up in a half-built root (facts G1-G6); mount_namespaces(7).
import {
  MNT_DETACH,
  MS_PRIVATE,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
} from '../../linux/constants/mount.ts';
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  O_CLOEXEC,
  O_PATH,
  O_RDONLY,
  RESOLVE_NO_XDEV,
} from '../../linux/constants/open.ts';
import { CLONE_NEWNS } from '../../linux/constants/process.ts';
import { ERRNO } from '../../linux/errno.ts';
import type { RootfsPropagation } from '../../spec/runtime-spec.ts';
import { type Call, call, slot, string } from '../call.ts';
import * as sys from '../syscalls.ts';
import { type Context, namespacePointer, relative, unsupported } from './context.ts';

const PROPAGATION: Readonly<Record<RootfsPropagation, number>> = {
  shared: MS_SHARED,
  rshared: MS_SHARED | MS_REC,
  slave: MS_SLAVE,
  rslave: MS_SLAVE | MS_REC,
  private: MS_PRIVATE,
  rprivate: MS_PRIVATE | MS_REC,
  unbindable: MS_UNBINDABLE,
  runbindable: MS_UNBINDABLE | MS_REC,
};

/**
 * The copy of the host's mounts stops propagating to the host before anything is mounted: a shared parent would
 * make pivot_root fail and would leak every mount (launcher.md 4.4, 11). A slave still receives the host's changes.
 */
export function isolateMounts(c: Context): void {
  const wanted = c.spec.linux?.rootfsPropagation;
  const flags = wanted === undefined ? MS_SLAVE : PROPAGATION[wanted] & ~MS_REC;
  const safe = flags === MS_SHARED ? MS_SLAVE : flags === MS_UNBINDABLE ? MS_PRIVATE : flags;
  const cause = wanted === undefined ? namespacePointer(c.spec, 'mount') : '/linux/rootfsPropagation';
  c.child('isolate-mounts', 'stop mounts from propagating to the host', cause, [
    sys.mountSetattr(sys.AT_FDCWD, '/', AT_RECURSIVE, { set: 0, clear: 0, propagation: safe }),
  ]);
}

/** The root mount, private while it is being built. */
export function attachRoot(c: Context): void {
  c.steps.push(...c.options.root.steps);
  // A root that is to be a slave has its master already; what is private cannot get one any more.
  const wanted = c.spec.linux?.rootfsPropagation;
  const propagation = wanted === 'slave' || wanted === 'rslave' ? MS_SLAVE : MS_PRIVATE;
  c.child('private-root', 'keep mounts below the root private', '/root/path', [
    sys.mountSetattr(c.root, '', AT_EMPTY_PATH | AT_RECURSIVE, { set: 0, clear: 0, propagation }),
  ]);
}

export function pivotRoot(c: Context): void {
  if (c.options.noPivot) {
    // A procfs and sysfs without masks that stays behind the root lets a nested user namespace mount its own
    // (mount_too_revealing() in fs/namespace.c). In a user namespace they are locked, and the kernel looks at the masks.
    const away = (c.options.kernelMounts ?? []).map((path) =>
      sys.umount2(path, MNT_DETACH, { tolerate: [ERRNO.EINVAL, ERRNO.EPERM, ERRNO.ENOENT] }),
    );
    leaveChroot(c, () =>
      c.child('detach-kernel-mounts', 'detach procfs and sysfs of the host', 'option: --no-pivot', away),
    );
    // MS_MOVE over / and chroot, for roots on ramfs where pivot_root(2) is refused; weaker, and only when asked for.
    c.child('pivot-root', 'move the root over / and change into it', 'option: --no-pivot', [
      sys.fchdir(c.root),
      sys.mount('.', '/', null, 0x2000, null),
      call('chroot', [string('.')]),
      sys.chdir('/'),
    ]);
    return;
  }
  leaveChroot(c);
  c.child('pivot-root', 'make the root the root, and detach the old one', '/root/path', [
    sys.fchdir(c.root),
    sys.pivotRoot('.', '.'),
    sys.umount2('.', MNT_DETACH),
    sys.chdir('/'),
    // Above the new root there must be nothing: EXDEV if a mount of the old one were left on it.
    sys.openat2(sys.AT_FDCWD, '..', O_PATH | O_CLOEXEC, RESOLVE_NO_XDEV),
  ]);
}

/**
 * The caller may be in a chroot, which nothing tells. pivot_root(2) would leave the root of the mount namespace above the
 * container's, and setns(2) leads there: an exec would find itself in the host's tree. setns(2) to the own namespace
 * leads out of a chroot. `between`: what needs the chroot's paths, and may take the procfs away.
 */
function leaveChroot(c: Context, between: () => void = () => undefined): void {
  if (isOverRoot(c)) {
    between();
    return;
  }
  const own = slot('own_mount_namespace');
  c.child('mount-namespace', 'open the own mount namespace', '/root/path', [
    sys.openat(sys.AT_FDCWD, '/proc/self/ns/mnt', O_RDONLY | O_CLOEXEC, 0, { result: own }),
  ]);
  between();
  c.child('leave-chroot', 'go to the root of the mount namespace', '/root/path', [
    sys.setns(own, CLONE_NEWNS),
    sys.close(own),
  ]);
}

/** A root that has been attached over `/`, which setns(2) leads into. */
function isOverRoot(c: Context): boolean {
  if (relative(c.spec.root?.path ?? '/') === '') return true;
  const over = ({ name, args }: Call) => name === 'move_mount' && args[2]?.kind === 'number';
  return c.options.root.steps.some(({ calls }) => calls.some(over));
}

/** What the configuration wants the container's own root to propagate, once nothing can leak any more. */
export function rootPropagation(c: Context): void {
  const wanted = c.spec.linux?.rootfsPropagation;
  if (wanted === undefined) return;
  const flags = PROPAGATION[wanted];
  c.child('root-propagation', `make the root ${wanted}`, '/linux/rootfsPropagation', [
    sys.mountSetattr(sys.AT_FDCWD, '/', flags & MS_REC ? AT_RECURSIVE : 0, {
      set: 0,
      clear: 0,
      propagation: flags & ~MS_REC,
    }),
  ]);
}

/** Without a mount namespace of its own a process gets chroot(2), and may not ask for mounts: they would be the host's. */
export function chrootOnly(c: Context): void {
  const asked = [
    ['/mounts', (c.spec.mounts?.length ?? 0) > 0],
    ['/linux/maskedPaths', (c.spec.linux?.maskedPaths?.length ?? 0) > 0],
    ['/linux/readonlyPaths', (c.spec.linux?.readonlyPaths?.length ?? 0) > 0],
    ['/root/readonly', c.spec.root?.readonly === true],
    ['/linux/devices', (c.spec.linux?.devices?.length ?? 0) > 0],
    ['/process/terminal', c.spec.process?.terminal === true],
  ] as const;
  for (const [pointer, present] of asked) {
    if (present)
      throw unsupported(`${pointer} needs a mount namespace: it would change the host's mounts`, pointer);
  }
  const path = c.spec.root?.path ?? '/';
  if (path === '/') return;
  c.child('chroot', `change root to ${path}`, '/root/path', [sys.chdir(path), call('chroot', [string('.')])]);
}
