// This machine's own files, for a worker: those of its root file system, without what is mounted in it.
//
// Facts: a clone of the mount at `/` that is not recursive shows the empty directories below other mounts (open_tree(2)),
// so that /proc, /sys and /dev are none of it. An overlay of `/` may have its upper directory inside of `/`; a second
// lower layer there it may not have (ELOOP, ovl_check_layer() of fs/overlayfs/super.c).
import type { Bytes } from '../../linux/bytes.ts';
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../../linux/constants/mount.ts';
import { AT_EMPTY_PATH, O_CLOEXEC, O_PATH } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { slot } from '../../plan/call.ts';
import { O_DIRECTORY } from '../../plan/compile/destination.ts';
import * as sys from '../../plan/syscalls.ts';
import { overlayCalls } from '../../snapshot/overlay.ts';
import type { View } from './view.ts';
import type { TreeWorker } from './worker.ts';

const EXISTS = { tolerate: [ERRNO.EEXIST] };
const ATTRIBUTES = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID;

/** `directory` has the changes, in `upper` (src/snapshot/host-root.ts). Throws CaissonError `ESYSCALL`. */
export async function openHostView(
  worker: TreeWorker,
  directory: Bytes | undefined,
  writable: boolean,
): Promise<View> {
  const root = slot('host', { reply: true });
  const attributes = writable ? ATTRIBUTES : ATTRIBUTES | MOUNT_ATTR_RDONLY;
  if (directory === undefined) {
    const clone = await worker.play('open the root of this machine', [
      sys.openTree(sys.AT_FDCWD, '/', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, { result: root }),
      sys.mountSetattr(root, '', AT_EMPTY_PATH, { set: attributes, clear: 0, propagation: 0 }),
    ]);
    const descriptor = clone.value(root);
    return { root: descriptor, close: () => worker.shut(descriptor) };
  }
  const upper = slot('upper');
  const overlay = { lower: '/', upper, work: '../work/view', userxattr: false, attributes };
  const reply = await worker.play('overlay the root of this machine', [
    sys.mkdirat(sys.AT_FDCWD, `${directory}/upper`, 0o755, EXISTS),
    sys.mkdirat(sys.AT_FDCWD, `${directory}/work`, 0o700, EXISTS),
    sys.mkdirat(sys.AT_FDCWD, `${directory}/work/view`, 0o700, EXISTS),
    sys.openat(sys.AT_FDCWD, `${directory}/upper`, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, { result: upper }),
    ...overlayCalls(overlay, root),
    sys.close(upper),
    sys.chdir('/'),
  ]);
  const descriptor = reply.value(root);
  return { root: descriptor, close: () => worker.shut(descriptor) };
}
