// The root of an image for a container whose ids are others than those that its layers were unpacked with.
//
// The launcher, root of the first user namespace, clones each layer, maps its ids (mount_setattr(2), MOUNT_ATTR_IDMAP) and
// stacks the clones. The child is root of its own user namespace alone and may do none of that: it inherits the mounted
// overlay and attaches it. Files of layers show the container's ids; what the container makes has them on the host.
//
// Facts (measured on 6.18 unless a version is given; Documentation/filesystems/overlayfs.rst, mount_setattr(2)):
// * overlayfs takes id-mapped layers since 5.19, layers by descriptor since 6.13, and layers that are attached nowhere
//   since 6.15 (clone_private_mount() in fs/namespace.c).
// * Before 6.15 the clones are attached in a mount namespace of the launcher's own, which it leaves again when the overlay
//   is mounted: the overlay has its own clones of them, and everything else ends with the namespace.
// * The file system must know mapped ids (FS_ALLOW_IDMAP): ext4 and xfs since 5.12, btrfs 5.15, tmpfs 6.3; EINVAL else.
// * The overlay belongs to the first user namespace: trusted.* works, and device nodes of the image would, but for nodev.
import type { Bytes } from '../linux/bytes.ts';
import {
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_IDMAP,
  MOUNT_ATTR_NODEV,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_NODEV,
  MS_PRIVATE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../linux/constants/mount.ts';
import { AT_EMPTY_PATH, AT_RECURSIVE, O_CLOEXEC, O_RDONLY } from '../linux/constants/open.ts';
import { CLONE_NEWNS } from '../linux/constants/process.ts';
import { ERRNO } from '../linux/errno.ts';
import { type Call, type Slot, slot } from '../plan/call.ts';
import type { RootPlan } from '../plan/compile/context.ts';
import { step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import { CaissonError } from '../spec/error.ts';
import { EXISTS } from './host-view.ts';
import {
  changes,
  changesTitle,
  type ImageRoot,
  lowerLayers,
  overlayOptions,
  overlayTitle,
  takeAttributes,
} from './image-root.ts';
import { checkLayerCount, linkedLayers } from './layer-stack.ts';
import { DIRECTORY, DIRECTORY_OR_LINK } from './mount-flags.ts';

const CLONED = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

/**
 * Steps of launcher and child that end with the root attached over `/`. `userNamespace` is the path of a user namespace
 * that has the container's maps. Throws CaissonError EUNSUPPORTED before Linux 5.19, and for more layers than it stacks.
 */
export function mappedRoot(image: ImageRoot, userNamespace: Bytes): RootPlan {
  checkLayerCount(image.stack.layers.length);
  refuseOldKernel(image);
  const [directory, upper] = [slot('container_directory'), slot('upper')];
  const [maps, root] = [slot('container_ids'), slot('root')];
  const detached = isAtLeast(image, 6, 15);
  const mounting = detached
    ? mountDetached(image, { directory, upper, maps, root })
    : mountInside(image, { directory, upper, maps, root });
  const { cause } = image;
  const ids = ['/linux/uidMappings', '/linux/gidMappings', cause];
  return {
    before: [
      step('parent', 'image-changes', changesTitle(image), cause, changes(image, directory, upper)),
      step('parent', 'image-ids', 'open a user namespace of the ids of the container', ids, [
        sys.openat(sys.AT_FDCWD, userNamespace, O_RDONLY | O_CLOEXEC, 0, { result: maps }),
      ]),
      step(
        'parent',
        'image-overlay',
        `${overlayTitle(image)}, their ids mapped`,
        ids,
        [...mounting, sys.close(maps), sys.close(upper), sys.close(directory)],
        // Nothing of it is attached where the host would see it.
        [],
      ),
    ],
    after: [
      step('parent', 'image-overlay', 'leave the overlay to the child', cause, [
        // A descriptor here would keep the overlay mounted once the container has ended.
        sys.close(root),
      ]),
    ],
    steps: [
      step('child', 'image-overlay', 'attach the overlay', cause, [
        sys.moveMount(root, sys.AT_FDCWD, MOVE_MOUNT_F_EMPTY_PATH, undefined, '/'),
      ]),
    ],
    root,
  };
}

function isAtLeast({ kernel: [major, minor] }: ImageRoot, wanted: number, least: number): boolean {
  return major > wanted || (major === wanted && minor >= least);
}

function refuseOldKernel(image: ImageRoot): void {
  if (isAtLeast(image, 5, 19)) return;
  throw new CaissonError(
    `an image in a user namespace of root needs Linux 5.19, whose overlays have id-mapped layers; this is ${image.kernel.join('.')}`,
    {
      code: 'EUNSUPPORTED',
      provenance: ['/linux/uidMappings'],
      details: ['run it without --userns and --uidmap, or as an ordinary user'],
    },
  );
}

interface Places {
  readonly directory: Slot;
  readonly upper: Slot;
  readonly maps: Slot;
  readonly root: Slot;
}

/** Clones of the layers, the uppermost first, their ids mapped; what the root directory is like `upper` becomes. */
function mapLayers(
  image: ImageRoot,
  { maps, upper }: Places,
  use: (tree: Slot, at: number) => Call[],
): Call[] {
  const { directory, layers, rootOf } = lowerLayers(image);
  const top = rootOf ?? layers.length - 1;
  return [...layers.entries()].reverse().flatMap(([at, layer]) => {
    const tree = slot(`layer_${at}`);
    // A result is stored in one place: each structure has its own copy of the descriptor's number.
    const userns = slot(`ids_of_${at}`);
    return [
      sys.check(maps, 'GE', 0, ERRNO.EBADF, { result: userns }),
      sys.openTree(sys.AT_FDCWD, `${directory}/${layer}`, CLONED, { result: tree }),
      sys.mountSetattr(tree, '', AT_EMPTY_PATH, {
        set: MOUNT_ATTR_IDMAP,
        clear: 0,
        propagation: 0,
        userns,
      }),
      ...(image.fresh && at === top ? takeAttributes(tree, upper) : []),
      ...use(tree, layers.length - 1 - at),
    ];
  });
}

/** From 6.15: everything by descriptors, and nothing is attached anywhere. */
function mountDetached(image: ImageRoot, places: Places): Call[] {
  const { directory, upper, root } = places;
  const [context, work] = [slot('root_context'), slot('work')];
  const label = image.label ?? '';
  // A clone that nobody has open is gone, and the overlay takes its own ones when it is made.
  const trees: Slot[] = [];
  return [
    sys.fsopen('overlay', FSOPEN_CLOEXEC, { result: context }),
    sys.fsconfigString(context, 'source', 'overlay'),
    ...overlayOptions(image).map(([key, text]) =>
      text === undefined ? sys.fsconfigFlag(context, key) : sys.fsconfigString(context, key, text),
    ),
    ...mapLayers(image, places, (tree) => {
      trees.push(tree);
      return [sys.fsconfigFd(context, 'lowerdir+', tree)];
    }),
    sys.openat(directory, 'work', DIRECTORY, 0, { result: work }),
    sys.fsconfigFd(context, 'upperdir', upper),
    sys.fsconfigFd(context, 'workdir', work),
    sys.close(work),
    ...(label === '' ? [] : [sys.fsconfigString(context, 'context', label)]),
    sys.fsconfigCreate(context),
    sys.fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV, { result: root }),
    sys.close(context),
    ...trees.map((tree) => sys.close(tree)),
  ];
}

/** Before: by mount(2), in a mount namespace for the time being. Entering the old one again also changes root and directory. */
function mountInside(image: ImageRoot, places: Places): Call[] {
  const { root } = places;
  const [own, ownRoot, ownDirectory] = [
    slot('outer_mount_namespace'),
    slot('outer_root'),
    slot('outer_directory'),
  ];
  const [inside, mapped] = [slot('inside'), slot('mapped')];
  const count = lowerLayers(image).layers.length;
  const label = image.label ?? '';
  const data = [
    ...overlayOptions(image).map(([key, text]) => (text === undefined ? key : `${key}=${text}`)),
    `lowerdir=${linkedLayers(count)}`,
    'upperdir=../upper',
    'workdir=../work',
    ...(label === '' ? [] : [`context="${label}"`]),
  ];
  return [
    sys.openat(sys.AT_FDCWD, '/proc/self/ns/mnt', O_RDONLY | O_CLOEXEC, 0, { result: own }),
    sys.openat(sys.AT_FDCWD, '/', DIRECTORY, 0, { result: ownRoot }),
    sys.openat(sys.AT_FDCWD, '.', DIRECTORY, 0, { result: ownDirectory }),
    sys.unshare(CLONE_NEWNS),
    sys.mountSetattr(sys.AT_FDCWD, '/', AT_RECURSIVE, { set: 0, clear: 0, propagation: MS_PRIVATE }),
    // What was opened before leads to the mounts of the old namespace.
    sys.openat(sys.AT_FDCWD, image.directory, DIRECTORY_OR_LINK, 0, { result: inside }),
    sys.mkdirat(inside, 'mapped', 0o700, EXISTS),
    sys.mkdirat(inside, 'merged', 0o700, EXISTS),
    sys.openat(inside, 'mapped', DIRECTORY, 0, { result: mapped }),
    ...mapLayers(image, places, (tree, level) => [
      sys.mkdirat(mapped, String(level), 0o700, EXISTS),
      sys.moveMount(tree, mapped, MOVE_MOUNT_F_EMPTY_PATH, undefined, String(level)),
      sys.close(tree),
    ]),
    sys.fchdir(mapped),
    sys.mount('overlay', '../merged', 'overlay', MS_NODEV, data.join(',')),
    sys.openTree(sys.AT_FDCWD, '../merged', CLONED, { result: root }),
    sys.close(mapped),
    sys.close(inside),
    sys.setns(own, CLONE_NEWNS),
    sys.fchdir(ownRoot),
    sys.chroot('.'),
    sys.fchdir(ownDirectory),
    sys.close(ownDirectory),
    sys.close(ownRoot),
    sys.close(own),
  ];
}
