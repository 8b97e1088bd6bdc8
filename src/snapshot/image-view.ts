// What the layers of an image show together, read-only, for a launcher that looks something up in them.
//
// One layer is a directory. Several are an overlay without an upper layer, so that what hides what is the kernel's
// decision, as it will be in the container. From 6.5 it is attached nowhere; before, it is mounted in a mount namespace
// of the launcher's own (layer-stack.ts says why).
import type { Bytes } from '../linux/bytes.ts';
import { FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC, MOUNT_ATTR_RDONLY, MS_PRIVATE } from '../linux/constants/mount.ts';
import { AT_RECURSIVE } from '../linux/constants/open.ts';
import { CLONE_NEWNS } from '../linux/constants/process.ts';
import { type Call, type Slot, slot } from '../plan/call.ts';
import { type Step, step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import type { Pointer } from '../spec/error.ts';
import { EXISTS } from './host-view.ts';
import {
  checkLayerCount,
  type LayerStack,
  layerLinks,
  layerOptions,
  linkedLayers,
  takesLayersOneByOne,
} from './layer-stack.ts';
import { DIRECTORY } from './mount-flags.ts';

export interface ImageView {
  readonly stack: LayerStack;
  /** An existing directory of the engine's, for links and a mount point before 6.5. */
  readonly directory: Bytes;
  readonly kernel: readonly [number, number];
  /** Whether the launcher is root of a user namespace only. */
  readonly userNamespace: boolean;
  readonly cause: Pointer;
}

/**
 * Whether a launcher can look at the layers and be used for something else afterwards: before 6.5 a mount of several layers
 * stays in its mount namespace, and an ordinary user's has a user namespace for it.
 */
export function leavesNothing(
  stack: LayerStack,
  kernel: readonly [number, number],
  ordinary: boolean,
): boolean {
  return stack.layers.length <= 1 || (!ordinary && takesLayersOneByOne(kernel));
}

/**
 * Steps of a launcher, which may be for nothing else (`leavesNothing`) and has another working directory then; `root` is the descriptor of the view, in the reply. Throws CaissonError
 * EUNSUPPORTED for more layers than the kernel stacks. There must be at least one layer.
 */
export function imageView(view: ImageView): { readonly steps: readonly Step[]; readonly root: Slot } {
  const { stack, cause } = view;
  checkLayerCount(stack.layers.length);
  const root = slot('view', { reply: true });
  const calls = stack.layers.length === 1 ? single(stack, root) : several(view, root);
  return { steps: [step('parent', 'image-view', 'see the layers of the image as one', cause, calls)], root };
}

function single({ directory, layers }: LayerStack, root: Slot): Call[] {
  return [sys.openat(sys.AT_FDCWD, `${directory}/${layers[0]}`, DIRECTORY, 0, { result: root })];
}

function several(view: ImageView, root: Slot): Call[] {
  return takesLayersOneByOne(view.kernel) ? detached(view, root) : mounted(view, root);
}

function detached({ stack, userNamespace }: ImageView, root: Slot): Call[] {
  const context = slot('view_context');
  return [
    sys.fsopen('overlay', FSOPEN_CLOEXEC, { result: context }),
    sys.fsconfigString(context, 'source', 'overlay'),
    ...(userNamespace ? [sys.fsconfigFlag(context, 'userxattr')] : []),
    sys.chdir(stack.directory),
    ...layerOptions(context, stack),
    sys.fsconfigCreate(context),
    sys.fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY, { result: root }),
    sys.close(context),
  ];
}

function mounted({ stack, directory, userNamespace }: ImageView, root: Slot): Call[] {
  const links = slot('view_links');
  const data = `${userNamespace ? 'userxattr,' : ''}lowerdir=${linkedLayers(stack.layers.length)}`;
  return [
    sys.unshare(CLONE_NEWNS),
    sys.mountSetattr(sys.AT_FDCWD, '/', AT_RECURSIVE, { set: 0, clear: 0, propagation: MS_PRIVATE }),
    sys.mkdirat(sys.AT_FDCWD, `${directory}/links`, 0o700, EXISTS),
    sys.mkdirat(sys.AT_FDCWD, `${directory}/merged`, 0o700, EXISTS),
    sys.openat(sys.AT_FDCWD, `${directory}/links`, DIRECTORY, 0, { result: links }),
    ...layerLinks(links, stack),
    sys.fchdir(links),
    sys.mount('overlay', '../merged', 'overlay', 1, data),
    sys.openat(sys.AT_FDCWD, '../merged', DIRECTORY, 0, { result: root }),
    sys.close(links),
  ];
}
