// The root of an image: an overlay of its unpacked layers, with the container's own changes on top.
//
// The container's directory holds `upper` and `work`, and before 6.5 `links` and `merged`. All names in it are the
// engine's; nothing that a container wrote is ever looked up: the upper layer is the current directory when it is named.
// A rename of a directory must be a copy (redirect_dir=off) and a changed file whole (metacopy=off): diff and commit
// read the upper directory alone. In a user namespace both are off by themselves, and naming them is refused.
import { openFlags } from '../linux/abi/index.ts';
import type { Bytes } from '../linux/bytes.ts';
import { FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC, MOVE_MOUNT_F_EMPTY_PATH } from '../linux/constants/mount.ts';
import { AT_EMPTY_PATH, O_CLOEXEC, O_RDONLY } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { type Call, call, type Slot, slot, struct, value } from '../plan/call.ts';
import type { RootPlan } from '../plan/compile/context.ts';
import { descriptor } from '../plan/descriptor.ts';
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
import { DIRECTORY, DIRECTORY_OR_LINK } from './mount-flags.ts';

/** What the root of an image is compiled from. */
export interface ImageRoot {
  readonly stack: LayerStack;
  /** An existing host directory of this container: the changes are in `upper` below it. */
  readonly directory: Bytes;
  /** Whether `upper` is not there yet: it then gets the attributes of the uppermost layer's root. */
  readonly fresh: boolean;
  /** Whether the changes outlive the container; if not, nobody waits for the disk. */
  readonly kept: boolean;
  readonly kernel: readonly [number, number];
  readonly userNamespace: boolean;
  /** `linux.mountLabel`, the SELinux context of every file. */
  readonly label?: Bytes;
  readonly cause: Pointer;
}

const { O_DIRECTORY, O_NOFOLLOW } = openFlags('x86_64');
/** STATX_MODE | STATX_UID | STATX_GID. */
const ATTRIBUTES = 0x2 | 0x8 | 0x10;
/** An image without layers stands on an empty directory. */
const NOTHING: Bytes = 'nothing';

/** The layers, or the directory `nothing` of the container's own. */
export function lowerLayers({ stack, directory }: ImageRoot): LayerStack {
  return stack.layers.length > 0 ? stack : { directory, layers: [NOTHING] };
}

export function overlayTitle({ stack: { layers } }: ImageRoot): string {
  return `overlay ${layers.length} ${layers.length === 1 ? 'layer' : 'layers'} of the image`;
}

/**
 * Child steps, in the container's own mount namespace, that end with the root attached over `/`. They change umask and
 * current directory. Throws CaissonError EUNSUPPORTED for more layers than the kernel stacks.
 */
export function imageRoot(image: ImageRoot): RootPlan {
  checkLayerCount(image.stack.layers.length);
  const directory = slot('container_directory');
  const upper = slot('upper');
  const root = slot('root');
  const stack = lowerLayers(image);
  const title = overlayTitle(image);
  const [id, mounting] = takesLayersOneByOne(image.kernel)
    ? ['image-overlay', mountOneByOne(image, stack, upper, root)]
    : ['image-overlay', mountByLinks(image, stack, directory, root)];
  return {
    steps: [
      step('child', 'image-changes', changesTitle(image), image.cause, [
        sys.umask(0),
        ...changes(image, directory, upper),
      ]),
      ...(image.fresh ? [rootAttributes(image, stack, upper)] : []),
      step('child', id, title, image.cause, [...mounting, sys.close(upper), sys.close(directory)]),
    ],
    root,
  };
}

export function changesTitle({ kept, directory }: ImageRoot): string {
  return kept
    ? `changes are kept in ${directory}/upper`
    : 'a directory for the changes, which vanish with the container';
}

/** Makes and opens the directories of the changes. */
export function changes({ directory: path, stack }: ImageRoot, directory: Slot, upper: Slot): Call[] {
  return [
    sys.openat(sys.AT_FDCWD, path, DIRECTORY_OR_LINK, 0, { result: directory }),
    sys.mkdirat(directory, 'upper', 0o755, EXISTS),
    sys.mkdirat(directory, 'work', 0o700, EXISTS),
    // Readable: its attributes are set through it.
    sys.openat(directory, 'upper', O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, { result: upper }),
    ...(stack.layers.length > 0 ? [] : [sys.mkdirat(directory, NOTHING, 0o755, EXISTS)]),
  ];
}

function rootAttributes(image: ImageRoot, { directory, layers, rootOf }: LayerStack, upper: Slot): Step {
  const top = slot('top_layer');
  return step('child', 'image-changes', "give it the owner and mode of the image's own root", image.cause, [
    sys.openat(sys.AT_FDCWD, `${directory}/${layers.at(rootOf ?? -1) ?? ''}`, DIRECTORY, 0, { result: top }),
    ...takeAttributes(top, upper),
    sys.close(top),
  ]);
}

/**
 * What the container sees at `/` is the upper directory itself: it looks as the layers' own does (docker's too). `top` is
 * the open root directory of the layers.
 */
export function takeAttributes(top: Slot, upper: Slot): Call[] {
  const [mode, uid, gid] = [
    slot('top_mode', { width: 4 }),
    slot('top_uid', { width: 4 }),
    slot('top_gid', { width: 4 }),
  ];
  // struct statx (statx(2)): stx_uid at 20, stx_gid at 24, stx_mode at 28 with 16 bits of padding, 256 bytes in all.
  const fields = struct(
    { name: 'stx_mask', width: 4, value: 0 },
    { name: 'stx_blksize', width: 4, value: 0 },
    { name: 'stx_attributes', width: 8, value: 0 },
    { name: 'stx_nlink', width: 4, value: 0 },
    { name: 'stx_uid', width: 4, value: uid },
    { name: 'stx_gid', width: 4, value: gid },
    { name: 'stx_mode', width: 4, value: mode },
    { name: 'stx_rest', width: 224, value: 0 },
  );
  // An owner that is not mapped here shows as nobody, and cannot be given (chown(2)).
  const unmapped = { tolerate: [ERRNO.EINVAL, ERRNO.EPERM] };
  return [
    sys.statxFields(top, '', AT_EMPTY_PATH, ATTRIBUTES, fields),
    call('fchown', [descriptor(upper), value(uid), value(gid)], unmapped),
    call('fchmod', [descriptor(upper), value(mode)]),
  ];
}

/** Those of the overlay, names and values. */
export function overlayOptions(image: ImageRoot): readonly (readonly [Bytes, Bytes?])[] {
  return [
    ...(image.userNamespace
      ? [['userxattr'] as const]
      : ([
          ['redirect_dir', 'off'],
          ['metacopy', 'off'],
        ] as const)),
    ['index', 'off'],
    ...(image.kept ? [] : [['volatile'] as const]),
  ];
}

/** From 6.5: a detached mount, moved over `/` (see host-root.ts). */
function mountOneByOne(image: ImageRoot, stack: LayerStack, upper: Slot, root: Slot): Call[] {
  const context = slot('root_context');
  const label = image.label ?? '';
  return [
    sys.fsopen('overlay', FSOPEN_CLOEXEC, { result: context }),
    sys.fsconfigString(context, 'source', 'overlay'),
    ...overlayOptions(image).map(([key, text]) =>
      text === undefined ? sys.fsconfigFlag(context, key) : sys.fsconfigString(context, key, text),
    ),
    sys.chdir(stack.directory),
    ...layerOptions(context, stack),
    sys.fchdir(upper),
    sys.fsconfigString(context, 'upperdir', '.'),
    sys.fsconfigString(context, 'workdir', '../work'),
    ...(label === '' ? [] : [sys.fsconfigString(context, 'context', label)]),
    sys.fsconfigCreate(context),
    sys.fsmount(context, FSMOUNT_CLOEXEC, 0, { result: root }),
    sys.close(context),
    sys.moveMount(root, sys.AT_FDCWD, MOVE_MOUNT_F_EMPTY_PATH, undefined, '/'),
  ];
}

/** Before 6.5: mount(2) below the container's directory; every name is a constant or a number. */
function mountByLinks(image: ImageRoot, stack: LayerStack, directory: Slot, root: Slot): Call[] {
  const links = slot('links');
  const label = image.label ?? '';
  const texts = overlayOptions(image).map(([key, text]) => (text === undefined ? key : `${key}=${text}`));
  const data = [
    ...texts,
    `lowerdir=${linkedLayers(stack.layers.length)}`,
    'upperdir=../upper',
    'workdir=../work',
    // Its commas are the label's own (selinux(8)).
    ...(label === '' ? [] : [`context="${label}"`]),
  ];
  return [
    sys.mkdirat(directory, 'links', 0o700, EXISTS),
    sys.mkdirat(directory, 'merged', 0o700, EXISTS),
    sys.openat(directory, 'links', DIRECTORY, 0, { result: links }),
    ...layerLinks(links, stack),
    sys.fchdir(links),
    sys.mount('overlay', '../merged', 'overlay', 0, data.join(',')),
    sys.openat(directory, 'merged', DIRECTORY, 0, { result: root }),
    sys.close(links),
  ];
}
