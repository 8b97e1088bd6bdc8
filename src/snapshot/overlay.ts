// The calls that make one overlay mount by the new mount API.
//
// Facts (measured on 6.18 unless a version is given; Documentation/filesystems/overlayfs.rst):
// * Strings of fsconfig(2) end at 255 bytes. Relative names of upper and work are looked up from the current
//   directory: upperdir is `.`, so that nothing inside a persistent upper directory is ever followed by name.
// * upperdir and workdir must lie in one mount, a clone of it is not the same (EINVAL).
// * Before 6.5 overlay takes its options the old way: names are looked up at create, and a comma is EINVAL.
// * In a user namespace `userxattr` is required, because trusted.* needs CAP_SYS_ADMIN outside.
import type { Bytes } from '../linux/bytes.ts';
import { FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC } from '../linux/constants/mount.ts';
import { type Call, type Slot, slot } from '../plan/call.ts';
import * as sys from '../plan/syscalls.ts';

export interface Overlay {
  /** An absolute host path. */
  readonly lower: Bytes;
  /** An open directory that becomes the upper layer. */
  readonly upper: sys.Fd;
  /** The work directory, relative to `upper` (`../../work/3`). */
  readonly work: Bytes;
  readonly userxattr: boolean;
  /** The SELinux context of every file in it; absent for none. */
  readonly label?: Bytes;
  /** MOUNT_ATTR_* of the mount. */
  readonly attributes: number;
}

const LONGEST = 255;

/** Whether a host path can be written as `lowerdir` for this kernel. */
export function canBeLower(path: Bytes, kernel: readonly [number, number]): boolean {
  const legacy = kernel[0] < 6 || (kernel[0] === 6 && kernel[1] < 5);
  return escaped(path).length <= LONGEST && !(legacy && path.includes(','));
}

/** A colon separates layers, and a backslash takes that meaning away. */
function escaped(path: Bytes): Bytes {
  return path.replace(/[\\:]/g, '\\$&');
}

/** Calls that end with a detached overlay mount in `mounted`. The current directory is changed to the upper layer. */
export function overlayCalls(overlay: Overlay, mounted: Slot): Call[] {
  const context = slot(`${mounted.name}_context`);
  const calls = [sys.fchdir(overlay.upper), sys.fsopen('overlay', FSOPEN_CLOEXEC, { result: context })];
  calls.push(sys.fsconfigString(context, 'source', 'overlay'));
  if (overlay.userxattr) calls.push(sys.fsconfigFlag(context, 'userxattr'));
  calls.push(
    sys.fsconfigString(context, 'lowerdir', escaped(overlay.lower)),
    sys.fsconfigString(context, 'upperdir', '.'),
    sys.fsconfigString(context, 'workdir', overlay.work),
    ...(overlay.label === undefined ? [] : [sys.fsconfigString(context, 'context', overlay.label)]),
    sys.fsconfigCreate(context),
    sys.fsmount(context, FSMOUNT_CLOEXEC, overlay.attributes, { result: mounted }),
    sys.close(context),
  );
  return calls;
}
