// Steps of a container's child that prepare what its mounts bind: views of layers, files of secrets.
//
// They are played in the container's own mount namespace, before its root is made: what they mount, on directories of the
// engine's, is seen by nobody else and goes with the container. So a secret is never on a disk.
import type { Bytes } from '../../linux/bytes.ts';
import {
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOVE_MOUNT_F_EMPTY_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../../linux/constants/mount.ts';
import { AT_EMPTY_PATH, O_CLOEXEC, O_CREAT, O_EXCL, O_PATH, O_WRONLY } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { type Call, type Slot, slot } from '../../plan/call.ts';
import { IN_ROOT, O_DIRECTORY } from '../../plan/compile/destination.ts';
import { type Step, step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import {
  type LayerStack,
  layerLinks,
  layerOptions,
  linkedLayers,
  takesLayersOneByOne,
} from '../../snapshot/layer-stack.ts';

const DIRECTORY = O_PATH | O_DIRECTORY | O_CLOEXEC;
const EXISTS = { tolerate: [ERRNO.EEXIST] };

export interface SecretFile {
  /** A host directory of the engine's; the file is `file` in it. */
  readonly place: Bytes;
  readonly content: Bytes;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly cause: string;
}

export function secretSteps({ place, content, uid, gid, mode, cause }: SecretFile): Step[] {
  const context = slot('secret_context');
  const mounted = slot('secret_mount');
  const file = slot('secret_file');
  const attributes = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  return [
    step('child', 'build-secret', `put the ${cause} into a file in memory`, cause, [
      sys.fsopen('tmpfs', FSOPEN_CLOEXEC, { result: context }),
      sys.fsconfigString(context, 'source', 'secret'),
      sys.fsconfigString(context, 'mode', '0700'),
      sys.fsconfigString(context, 'size', '1048576'),
      sys.fsconfigCreate(context),
      sys.fsmount(context, FSMOUNT_CLOEXEC, attributes, { result: mounted }),
      sys.close(context),
      sys.openat(mounted, 'file', O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600, { result: file }),
      ...(content === '' ? [] : [sys.write(file, content, { secret: true })]),
      sys.fchown(file, uid, gid),
      sys.fchmod(file, mode),
      sys.close(file),
      sys.moveMount(mounted, sys.AT_FDCWD, MOVE_MOUNT_F_EMPTY_PATH, undefined, place),
      sys.close(mounted),
    ]),
  ];
}

export interface LayerMount {
  readonly stack: LayerStack;
  /** A host directory of the engine's; `view` is a directory in it. */
  readonly room: Bytes;
  /** In the layers, without a slash in front; empty: all of them. */
  readonly source: Bytes;
  /** What the source is mounted on, a file or directory of the engine's. */
  readonly point: Bytes;
  readonly cause: string;
}

/** Overlays the layers with an upper directory, resolves the source in that, and mounts it on `point`. */
export function layerMountSteps(
  mount: LayerMount,
  facts: { readonly kernel: readonly [number, number]; readonly userNamespace: boolean },
): Step[] {
  const view = slot('layers_view');
  const source = slot('layers_source');
  const tree = slot('layers_tree');
  const clone = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
  const calls = [
    ...upperCalls(mount),
    ...(takesLayersOneByOne(facts.kernel)
      ? oneByOne(mount, facts.userNamespace, view)
      : byLinks(mount, facts.userNamespace, view)),
    sys.openat2(view, mount.source === '' ? '.' : mount.source, O_PATH | O_CLOEXEC, IN_ROOT, {
      result: source,
    }),
    sys.openTree(source, '', clone, { result: tree }),
    sys.moveMount(tree, sys.AT_FDCWD, MOVE_MOUNT_F_EMPTY_PATH, undefined, mount.point),
    ...[tree, source, view].map((fd) => sys.close(fd)),
    sys.chdir('/'),
  ];
  return [step('child', 'build-layers', `${mount.cause}: see its layers`, mount.cause, calls)];
}

function upperCalls({ room }: LayerMount): Call[] {
  return ['upper', 'work', 'nothing'].map((name) =>
    sys.mkdirat(sys.AT_FDCWD, `${room}/${name}`, name === 'work' ? 0o700 : 0o755, EXISTS),
  );
}

function stackOf({ stack, room }: LayerMount): LayerStack {
  return stack.layers.length > 0 ? stack : { directory: room, layers: ['nothing'] };
}

function oneByOne(mount: LayerMount, userNamespace: boolean, view: Slot): Call[] {
  const context = slot('layers_context');
  const upper = slot('layers_upper');
  return [
    sys.fsopen('overlay', FSOPEN_CLOEXEC, { result: context }),
    sys.fsconfigString(context, 'source', 'overlay'),
    ...(userNamespace ? [sys.fsconfigFlag(context, 'userxattr')] : []),
    sys.fsconfigFlag(context, 'volatile'),
    sys.chdir(stackOf(mount).directory),
    ...layerOptions(context, stackOf(mount)),
    sys.openat(sys.AT_FDCWD, `${mount.room}/upper`, DIRECTORY, 0, { result: upper }),
    sys.fchdir(upper),
    sys.fsconfigString(context, 'upperdir', '.'),
    sys.fsconfigString(context, 'workdir', '../work'),
    sys.fsconfigCreate(context),
    sys.fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, { result: view }),
    sys.close(context),
    sys.close(upper),
    // Attached: only what is in this mount namespace can be cloned before 6.15.
    sys.moveMount(view, sys.AT_FDCWD, MOVE_MOUNT_F_EMPTY_PATH, undefined, `${mount.room}/view`),
  ];
}

function byLinks(mount: LayerMount, userNamespace: boolean, view: Slot): Call[] {
  const links = slot('layers_links');
  const stack = stackOf(mount);
  const data = [
    ...(userNamespace ? ['userxattr'] : []),
    'volatile',
    `lowerdir=${linkedLayers(stack.layers.length)}`,
    'upperdir=../upper',
    'workdir=../work',
  ];
  return [
    sys.mkdirat(sys.AT_FDCWD, `${mount.room}/links`, 0o700, EXISTS),
    sys.openat(sys.AT_FDCWD, `${mount.room}/links`, DIRECTORY, 0, { result: links }),
    ...layerLinks(links, stack),
    sys.fchdir(links),
    sys.mount('overlay', '../view', 'overlay', 0, data.join(',')),
    sys.openat(sys.AT_FDCWD, '../view', DIRECTORY, 0, { result: view }),
    sys.close(links),
  ];
}
