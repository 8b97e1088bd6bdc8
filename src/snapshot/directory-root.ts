// A host directory as the root: `--rootfs DIR`, or the `root.path` of a bundle.
//
// pivot_root(2) wants a mount, so the directory is bound onto itself, with all that is mounted below it, as runc and
// crun do. It is attached before anything is mounted below: assembling a detached tree is EINVAL before 6.15. The tree
// is cloned in the child, because in a new user namespace a tree of another mount namespace is EINVAL (fact G9).
import type { Bytes } from '../linux/bytes.ts';
import { OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from '../linux/constants/mount.ts';
import { AT_EMPTY_PATH, AT_RECURSIVE } from '../linux/constants/open.ts';
import { slot } from '../plan/call.ts';
import type { RootPlan } from '../plan/compile/context.ts';
import { step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import type { Pointer } from '../spec/error.ts';
import { DIRECTORY_OR_LINK, ONTO } from './mount-flags.ts';

/**
 * Child steps that end with the mount of `path`, a host path, behind `root`. The path is looked up once: the same
 * descriptor is what is cloned and what is mounted on.
 */
export function directoryRoot(path: Bytes, cause: Pointer): RootPlan {
  const directory = slot('root_directory');
  const root = slot('root');
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
  const calls = [
    sys.openat(sys.AT_FDCWD, path, DIRECTORY_OR_LINK, 0, { result: directory }),
    sys.openTree(directory, '', flags, { result: root }),
    sys.moveMount(root, directory, ONTO),
    sys.close(directory),
  ];
  return { steps: [step('child', 'root', `bind the root ${path} onto itself`, cause, calls)], root };
}
