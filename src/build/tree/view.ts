// What layers show together, for a worker: to read in it, or with a directory that takes the changes.
//
// Both are overlays that are attached nowhere (from Linux 6.5; before that, in a mount namespace of the worker's own), so
// that what hides what, and what a change makes of it, is the kernel's decision, as it will be in a container.
import type { Bytes } from '../../linux/bytes.ts';
import {
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MNT_DETACH,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MS_PRIVATE,
} from '../../linux/constants/mount.ts';
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  AT_REMOVEDIR,
  O_CLOEXEC,
  O_PATH,
  O_RDONLY,
} from '../../linux/constants/open.ts';
import { CLONE_NEWNS } from '../../linux/constants/process.ts';
import { ERRNO } from '../../linux/errno.ts';
import { type Call, call, number, outBuffer, slot, string } from '../../plan/call.ts';
import { O_DIRECTORY, O_NOFOLLOW } from '../../plan/compile/destination.ts';
import * as sys from '../../plan/syscalls.ts';
import {
  checkLayerCount,
  type LayerStack,
  layerLinks,
  layerOptions,
  linkedLayers,
  takesLayersOneByOne,
} from '../../snapshot/layer-stack.ts';
import { parseStatx, STATX_SIZE } from './entry.ts';
import { statxOf } from './walk.ts';
import type { TreeWorker } from './worker.ts';

/** Layers that are looked at, or changed. */
export interface ViewOptions {
  readonly stack: LayerStack;
  readonly kernel: readonly [number, number];
  /** An existing, empty directory of the engine's: `upper` below it takes the changes. */
  readonly directory: Bytes;
}

/** A view that is open in a worker. */
export interface View {
  /** The descriptor of its root. */
  readonly root: number;
  close(): Promise<void>;
}

const EXISTS = { tolerate: [ERRNO.EEXIST] };
const DIRECTORY = O_PATH | O_DIRECTORY | O_CLOEXEC;
const ATTRIBUTES = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID;

/** Opens layers for reading. Throws CaissonError `EUNSUPPORTED` for more of them than the kernel stacks. */
export async function openView(worker: TreeWorker, options: ViewOptions): Promise<View> {
  const { stack } = options;
  checkLayerCount(stack.layers.length);
  const [only, more] = stack.layers;
  if (more === undefined) {
    const path = only === undefined ? await emptyDirectory(worker, options) : `${stack.directory}/${only}`;
    const root = await worker.openDirectory(path);
    return { root, close: () => worker.shut(root) };
  }
  return await mountView(worker, options, undefined);
}

async function emptyDirectory(worker: TreeWorker, { directory }: ViewOptions): Promise<Bytes> {
  const path = `${directory}/nothing`;
  await worker.play(`make ${path}`, [sys.mkdirat(sys.AT_FDCWD, path, 0o755, EXISTS)]);
  return path;
}

/**
 * Opens layers for changes. `upper` is made, and looks as the uppermost layer's root does. Throws as `openView`.
 */
export async function openWritable(worker: TreeWorker, options: ViewOptions): Promise<View> {
  const { stack } = options;
  checkLayerCount(stack.layers.length);
  const upper = await makeUpper(worker, options);
  if (stack.layers.length === 0) return { root: upper, close: () => worker.shut(upper) };
  try {
    return await mountView(worker, options, upper);
  } catch (error) {
    await worker.shut(upper);
    throw error;
  }
}

/** Takes overlay's own directory away, once the view is closed. It is empty, but for the mark of a volatile one. */
export async function removeWork(worker: TreeWorker, directory: Bytes): Promise<void> {
  const gone = { tolerate: [ERRNO.ENOENT, ERRNO.ENOTEMPTY] };
  await worker.play(
    'remove the work directory',
    ['/incompat/volatile', '/incompat', '/work', ''].map((name) =>
      sys.unlinkat(sys.AT_FDCWD, `${directory}/work${name}`, AT_REMOVEDIR, gone),
    ),
  );
}

async function makeUpper(worker: TreeWorker, { stack, directory }: ViewOptions): Promise<number> {
  const upper = slot('upper', { reply: true });
  const top = stack.layers.at(-1);
  const known = outBuffer('top', STATX_SIZE);
  const topDirectory = slot('top');
  const reply = await worker.play(`make ${directory}/upper`, [
    sys.mkdirat(sys.AT_FDCWD, `${directory}/upper`, 0o755),
    ...(top === undefined ? [] : [sys.mkdirat(sys.AT_FDCWD, `${directory}/work`, 0o700)]),
    sys.openat(sys.AT_FDCWD, `${directory}/upper`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, {
      result: upper,
    }),
    ...(top === undefined
      ? []
      : [
          sys.openat(sys.AT_FDCWD, `${stack.directory}/${top}`, DIRECTORY, 0, { result: topDirectory }),
          statxOf(topDirectory, '', AT_EMPTY_PATH, known),
          sys.close(topDirectory),
        ]),
  ]);
  const descriptor = reply.value(upper);
  if (top !== undefined) {
    const { uid, gid, mode } = parseStatx(reply.array(known), '');
    await worker.play('give it the look of the root below', [
      sys.fchown(descriptor, uid, gid, { tolerate: [ERRNO.EINVAL, ERRNO.EPERM] }),
      sys.fchmod(descriptor, mode),
    ]);
  }
  return descriptor;
}

function mountOptions(worker: TreeWorker, writable: boolean): readonly (readonly [Bytes, Bytes?])[] {
  if (!writable) return worker.rights.userxattr ? [['userxattr']] : [];
  // As for containers: a renamed directory is a copy, a changed file whole, and nobody waits for the disk.
  return worker.rights.userxattr
    ? [['userxattr'], ['index', 'off'], ['volatile']]
    : [['redirect_dir', 'off'], ['metacopy', 'off'], ['index', 'off'], ['volatile']];
}

async function mountView(worker: TreeWorker, options: ViewOptions, upper: number | undefined): Promise<View> {
  return takesLayersOneByOne(options.kernel)
    ? await detached(worker, options, upper)
    : await attached(worker, options, upper);
}

async function detached(
  worker: TreeWorker,
  { stack }: ViewOptions,
  upper: number | undefined,
): Promise<View> {
  const context = slot('context');
  const root = slot('view', { reply: true });
  const writable = upper !== undefined;
  const attributes = writable ? ATTRIBUTES : ATTRIBUTES | MOUNT_ATTR_RDONLY;
  const reply = await worker.play('overlay the layers', [
    sys.fsopen('overlay', FSOPEN_CLOEXEC, { result: context }),
    sys.fsconfigString(context, 'source', 'overlay'),
    ...mountOptions(worker, writable).map(([name, text]) =>
      text === undefined ? sys.fsconfigFlag(context, name) : sys.fsconfigString(context, name, text),
    ),
    sys.chdir(stack.directory),
    ...layerOptions(context, stack),
    ...(upper === undefined
      ? []
      : [
          sys.fchdir(upper),
          sys.fsconfigString(context, 'upperdir', '.'),
          sys.fsconfigString(context, 'workdir', '../work'),
        ]),
    sys.fsconfigCreate(context),
    sys.fsmount(context, FSMOUNT_CLOEXEC, attributes, { result: root }),
    sys.close(context),
    sys.chdir('/'),
  ]);
  const descriptor = reply.value(root);
  return { root: descriptor, close: () => worker.shut(descriptor, ...(upper === undefined ? [] : [upper])) };
}

async function attached(
  worker: TreeWorker,
  { stack, directory }: ViewOptions,
  upper: number | undefined,
): Promise<View> {
  await worker.once('own mount namespace', [
    sys.unshare(CLONE_NEWNS),
    sys.mountSetattr(sys.AT_FDCWD, '/', AT_RECURSIVE, { set: 0, clear: 0, propagation: MS_PRIVATE }),
  ]);
  const links = slot('links');
  const root = slot('view', { reply: true });
  const writable = upper !== undefined;
  const data = [
    ...mountOptions(worker, writable).map(([name, text]) => (text === undefined ? name : `${name}=${text}`)),
    `lowerdir=${linkedLayers(stack.layers.length)}`,
    ...(writable ? ['upperdir=../upper', 'workdir=../work'] : []),
  ].join(',');
  const reply = await worker.play('overlay the layers', [
    sys.mkdirat(sys.AT_FDCWD, `${directory}/links`, 0o700, EXISTS),
    sys.mkdirat(sys.AT_FDCWD, `${directory}/merged`, 0o700, EXISTS),
    sys.openat(sys.AT_FDCWD, `${directory}/links`, DIRECTORY, 0, { result: links }),
    ...layerLinks(links, stack),
    sys.fchdir(links),
    sys.mount('overlay', '../merged', 'overlay', writable ? 0 : 1, data),
    sys.openat(sys.AT_FDCWD, '../merged', DIRECTORY, 0, { result: root }),
    sys.close(links),
    sys.chdir('/'),
  ]);
  const descriptor = reply.value(root);
  return {
    root: descriptor,
    close: async () => {
      await worker.shut(descriptor, ...(upper === undefined ? [] : [upper]));
      await worker.play('unmount the layers', [unmount(`${directory}/merged`)]);
    },
  };
}

function unmount(path: Bytes): Call {
  return call('umount2', [string(path), number(MNT_DETACH)]);
}
