// The root of a container that does not run, mounted for one launcher: its layers with its changes on top, and its volumes.
//
// The steps are those of a start (src/snapshot), played in a mount namespace of the launcher's own: nothing is attached
// where the host would see it, and all of it ends with the launcher. The caller holds the lock of the container, so that
// no start mounts the same changes meanwhile (overlayfs.rst, Sharing and copying layers).
import type { Port } from '../../host/port.ts';
import { type FileLauncher, openFileLauncher } from '../../image/user-namespace.ts';
import type { Bytes } from '../../linux/bytes.ts';
import {
  MOUNT_ATTR_RDONLY,
  MS_PRIVATE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../../linux/constants/mount.ts';
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  O_CLOEXEC,
  O_PATH,
  O_RDONLY,
  S_IFREG,
} from '../../linux/constants/open.ts';
import { CLONE_NEWNS, CLONE_NEWUSER, PR_SET_DUMPABLE } from '../../linux/constants/process.ts';
import { ERRNO } from '../../linux/errno.ts';
import { formatIdMap } from '../../linux/idmap.ts';
import { parseMountinfo } from '../../linux/mountinfo.ts';
import { type Call, call, number, type Slot, slot } from '../../plan/call.ts';
import type { RootPlan } from '../../plan/compile/context.ts';
import { IN_ROOT } from '../../plan/compile/destination.ts';
import { type Step, step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { gatherFacts } from '../../runtime/facts.ts';
import { makeNamespace } from '../../runtime/idmap.ts';
import { Player } from '../../runtime/player.ts';
import { ONTO } from '../../snapshot/mount-flags.ts';
import { CaissonError } from '../../spec/error.ts';
import type { LinuxIDMapping, Spec } from '../../spec/runtime-spec.ts';
import { directoryImageRoot, hostImageRoot } from '../roots.ts';
import { compiledFile } from './compiled-file.ts';
import type { ContainerFile, ContainerMount } from './container-file.ts';
import { type Engine, placeOf } from './engine.ts';
import { rightsOf } from './running-root.ts';

const EXISTS = { tolerate: [ERRNO.EEXIST, ERRNO.EROFS] };

/**
 * A launcher whose current directory is the root of the container. Throws CaissonError `EUNSUPPORTED` for one that has
 * the host's mounts, ESYSCALL where something cannot be mounted.
 */
export async function mountStopped(
  engine: Engine,
  file: ContainerFile,
  cause: Bytes,
  withVolumes = true,
): Promise<FileLauncher> {
  const { port } = engine;
  const { spec } = await compiledFile(engine, file);
  if (!(spec.linux?.namespaces ?? []).some(({ type }) => type === 'mount')) {
    throw new CaissonError(`${cause} has the mounts of the host: its files are those of the host`, {
      code: 'EUNSUPPORTED',
      exitCode: 1,
    });
  }
  const launcher = await openFileLauncher(port, cause);
  const holder = await mapperOf(port, launcher, spec, cause);
  try {
    const plan = await rootPlan(engine, file, spec, holder?.pid);
    const trees = (withVolumes ? file.mounts : []).flatMap((mount, index) => treeOf(port, mount, index));
    const steps: Step[] = [
      step('parent', 'own-mounts', 'a mount namespace of its own', cause, [
        ...(port.uid === 0 ? [sys.unshare(CLONE_NEWNS)] : []),
        sys.mountSetattr(sys.AT_FDCWD, '/', AT_RECURSIVE, { set: 0, clear: 0, propagation: MS_PRIVATE }),
      ]),
      step(
        'parent',
        'volumes',
        'take what is mounted in the container',
        cause,
        trees.flatMap(({ calls }) => calls),
      ),
      ...(plan.before ?? []),
      // There is no child: this launcher is for nothing else.
      ...plan.steps.map((each): Step => ({ ...each, actor: 'parent' })),
      ...trees.map(({ tree, mount, isFile }) =>
        step(
          'parent',
          'volumes',
          `attach ${mount.destination}`,
          cause,
          attach(plan.root, tree, mount, isFile),
        ),
      ),
      step('parent', 'enter-root', 'go into the root', cause, [
        ...(holder === undefined ? [] : joinMaps(holder.pid)),
        sys.fchdir(plan.root),
        sys.close(plan.root),
      ]),
    ];
    const player = new Player(port, launcher.channel);
    await player.play(steps);
    if (holder === undefined) return launcher;
    return { channel: launcher.channel, ...rightsOf(port, holder, true) };
  } catch (error) {
    await launcher.channel.close();
    throw error;
  } finally {
    await holder?.close();
  }
}

/** A process in a user namespace with the container's maps, where root has mapped its files. */
async function mapperOf(port: Port, launcher: FileLauncher, spec: Spec, cause: Bytes) {
  const { isMapped } = await import('../images/run-image.ts');
  if (!isMapped(port, spec)) return undefined;
  const holder = await port.openChannel({ noInput: true });
  try {
    const { uidMappings = [], gidMappings = [] } = spec.linux ?? {};
    const maps = { uid: mapText(uidMappings), gid: mapText(gidMappings) };
    await makeNamespace(port, holder, new Player(port, launcher.channel), maps, cause);
    return holder;
  } catch (error) {
    await holder.close();
    await launcher.channel.close();
    throw error;
  }
}

function mapText(mappings: readonly LinuxIDMapping[]): Bytes {
  return formatIdMap(
    mappings.map(({ containerID, hostID, size }) => ({ containerId: containerID, hostId: hostID, size })),
  );
}

function joinMaps(holder: number): Call[] {
  const maps = slot('container_ids_joined');
  return [
    sys.prctl(PR_SET_DUMPABLE, 0),
    sys.openat(sys.AT_FDCWD, `/proc/${holder}/ns/user`, O_RDONLY | O_CLOEXEC, 0, { result: maps }),
    sys.setns(maps, CLONE_NEWUSER),
    sys.close(maps),
    call('setresgid', [number(0), number(0), number(0)]),
    call('setresuid', [number(0), number(0), number(0)]),
  ];
}

async function rootPlan(
  engine: Engine,
  file: ContainerFile,
  spec: Spec,
  mapper: number | undefined,
): Promise<RootPlan> {
  const { port } = engine;
  const place = placeOf(engine, file.id);
  const facts = gatherFacts(port, spec);
  const { upper } = file.flags;
  if (file.root === 'image' && file.stack !== undefined) {
    const { rootOf } = await import('../images/run-image.ts');
    const cause = `image ${file.image}`;
    return rootOf(port, spec, { stack: file.stack, place, upper, cause, mapper, kept: true })(facts);
  }
  if (file.root === 'host') {
    const mounts = parseMountinfo(port.readFile('/proc/self/mountinfo') ?? '');
    return hostImageRoot(port, spec, upper ?? `${place}/changes`)(facts, mounts);
  }
  const unpacked = `${place}/rootfs`;
  const given = file.flags.rootfs ?? '';
  const path = file.root === 'archive' ? unpacked : given.startsWith('/') ? given : `${file.cwd}/${given}`;
  return directoryImageRoot(port, path)();
}

interface Tree {
  readonly calls: readonly Call[];
  readonly tree: Slot;
  readonly mount: ContainerMount;
  readonly isFile: boolean;
}

/** A clone of what a volume or bind shows, if its source is there. A tmpfs is empty whenever the container does not run. */
function treeOf(port: Port, mount: ContainerMount, index: number): Tree[] {
  const stat = mount.type === 'tmpfs' ? undefined : port.stat(mount.source);
  if (stat === undefined) return [];
  const tree = slot(`volume_${index}`);
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
  const readOnly = { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0 };
  const [whole, part] = [slot(`source_${index}`), slot(`part_${index}`)];
  const { subpath } = mount;
  const open =
    subpath === undefined
      ? [sys.openTree(sys.AT_FDCWD, mount.source, flags, { result: tree })]
      : [
          // A container wrote what is in a volume: its links lead nowhere else.
          sys.openat(sys.AT_FDCWD, mount.source, O_PATH | O_CLOEXEC, 0, { result: whole }),
          sys.openat2(whole, subpath, O_PATH | O_CLOEXEC, IN_ROOT, { result: part }),
          sys.openTree(part, '', flags | AT_EMPTY_PATH, { result: tree }),
          sys.close(part),
          sys.close(whole),
        ];
  const calls = [
    ...open,
    ...(mount.writable ? [] : [sys.mountSetattr(tree, '', AT_EMPTY_PATH | AT_RECURSIVE, readOnly)]),
  ];
  return [{ calls, tree, mount, isFile: stat.type !== 'directory' }];
}

/** Onto a descriptor that was resolved in the root; what is missing on the way is made, as a start would (T32). */
function attach(root: Slot, tree: Slot, { destination }: ContainerMount, isFile: boolean): Call[] {
  const parts = destination.split('/').filter((part) => part !== '' && part !== '.');
  const calls: Call[] = [];
  let parent = root;
  for (const [index, part] of parts.entries()) {
    const below = slot(`${destination} ${index}`);
    const last = index === parts.length - 1;
    calls.push(
      last && isFile
        ? sys.mknodat(parent, part, S_IFREG | 0o644, 0, EXISTS)
        : sys.mkdirat(parent, part, 0o755, EXISTS),
      sys.openat2(root, parts.slice(0, index + 1).join('/'), O_PATH | O_CLOEXEC, IN_ROOT, { result: below }),
    );
    parent = below;
  }
  return [...calls, sys.moveMount(tree, parent, ONTO), sys.close(tree)];
}
