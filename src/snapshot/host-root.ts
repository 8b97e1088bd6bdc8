// The built-in image `host`: a copy-on-write view of this machine's own files.
//
// Without a user namespace: one overlay of `/`, and one for each further file system that holds files. A mount of `/`
// alone does not show what is mounted below it, so /proc, /sys, /dev and /run are the empty directories underneath.
// With a user namespace the view is assembled directory by directory: split-root.ts.
//
// Mounts are attached on `/` itself: that needs no directory of the host, and lookups of absolute paths go on to reach
// the host's files, because they start at the process's root, below what is mounted on it. First the tmpfs of the
// layers, because a layer must be in a mount of this namespace (before 6.15) when its overlay is made. It is taken away
// before the root takes its place: were it left there, the umount2(".") after pivot_root(".", ".") would detach the
// tmpfs and not the host's root, and the container's `/..` would be the host (measured).
import type { Bytes } from '../linux/bytes.ts';
import {
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MNT_DETACH,
  MOVE_MOUNT_F_EMPTY_PATH,
} from '../linux/constants/mount.ts';
import {
  O_CLOEXEC,
  O_PATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from '../linux/constants/open.ts';
import type { MountEntry } from '../linux/mountinfo.ts';
import { type Call, type Slot, slot } from '../plan/call.ts';
import type { RootPlan } from '../plan/compile/context.ts';
import { step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import {
  type Assembly,
  EXISTS,
  type HostRootFacts,
  type HostRootOptions,
  keptAttributes,
  type Layers,
  labelled,
  type Part,
  readOnlyBind,
} from './host-view.ts';
import { DIRECTORY, DIRECTORY_OR_LINK, ONTO } from './mount-flags.ts';
import { prefixes, treatment, visibleMounts } from './mount-table.ts';
import { canBeLower, overlayCalls } from './overlay.ts';
import { splitRoot } from './split-root.ts';

/** Writable by everybody on every machine, and not at the top. */
const WRITABLE: readonly Bytes[] = ['/var/tmp'];

/**
 * Host directories whose entries `hostRoot` wants. In a user namespace: those that are taken apart, because something
 * is mounted below them, or because `writable`, a directory that its user wants to change (a home, a working
 * directory), is.
 */
export function directoriesToList(
  mounts: readonly MountEntry[],
  userNamespace: boolean,
  writable: readonly Bytes[] = [],
): Bytes[] {
  if (!userNamespace) return [];
  const wanted = new Set<Bytes>(['/']);
  for (const path of [...mounts.map(({ mountPoint }) => mountPoint), ...WRITABLE, ...writable]) {
    for (const above of prefixes(path)) {
      // Nothing below the mount point of a file system that is left out is looked at.
      const left =
        above !== '/' && mounts.some((mount) => mount.mountPoint === above && treatment(mount) !== 'overlay');
      if (left || above === path) break;
      wanted.add(above);
    }
  }
  return [...wanted].sort();
}

/** Mount points of which `hostRoot` must know whether they are files. */
export function mountsToStat(mounts: readonly MountEntry[]): Bytes[] {
  return visibleMounts(mounts)
    .filter((mount) => treatment(mount) !== 'empty')
    .map((mount) => mount.mountPoint);
}

/**
 * Compiles the view. The steps are the child's, in its own mount namespace whose propagation to the host has ended;
 * they change its umask to 0 and its current directory.
 */
export function hostRoot(facts: HostRootFacts, options: HostRootOptions): RootPlan {
  const layers: Layers = { directory: slot('layers'), upper: slot('upper') };
  const root = slot('root');
  const { steps, parts } = facts.userNamespace
    ? splitRoot(facts, options, layers, root)
    : wholeRoot(facts, options, layers, root);
  return {
    steps: [
      step('child', 'host-layers', layersTitle(options), options.cause, layersCalls(layers, options)),
      ...steps,
      step('child', 'host-attach', 'attach the root, and its parts below it', options.cause, [
        ...(options.upper === undefined ? [sys.fchdir(layers.directory), sys.umount2('.', MNT_DETACH)] : []),
        sys.moveMount(root, sys.AT_FDCWD, MOVE_MOUNT_F_EMPTY_PATH, undefined, '/'),
        ...parts.flatMap((part) => attachPart(part, root)),
      ]),
    ],
    root,
  };
}

function layersTitle(options: HostRootOptions): string {
  return options.upper === undefined
    ? 'a tmpfs for the changes, which vanish with the container'
    : `changes are kept in ${options.upper}/upper`;
}

function layersCalls({ directory, upper }: Layers, options: HostRootOptions): Call[] {
  const from =
    options.upper === undefined
      ? tmpfs(directory)
      : [sys.openat(sys.AT_FDCWD, options.upper, DIRECTORY_OR_LINK, 0, { result: directory })];
  return [
    sys.umask(0),
    ...from,
    sys.mkdirat(directory, 'upper', 0o755, EXISTS),
    sys.mkdirat(directory, 'work', 0o700, EXISTS),
    sys.openat(directory, 'upper', DIRECTORY, 0, { result: upper }),
  ];
}

function tmpfs(mounted: Slot): Call[] {
  const context = slot('layers_context');
  return [
    sys.fsopen('tmpfs', FSOPEN_CLOEXEC, { result: context }),
    sys.fsconfigString(context, 'source', 'caisson'),
    sys.fsconfigString(context, 'mode', '0755'),
    sys.fsconfigCreate(context),
    sys.fsmount(context, FSMOUNT_CLOEXEC, 0, { result: mounted }),
    sys.close(context),
    sys.moveMount(mounted, sys.AT_FDCWD, MOVE_MOUNT_F_EMPTY_PATH, undefined, '/'),
  ];
}

/**
 * A persistent upper layer was written by earlier containers: whatever they made of the mount point, the lookup stays
 * in the root and follows no link (CVE-2021-30465).
 */
function attachPart({ path, mounted }: Part, root: Slot): Call[] {
  const target = slot(`target ${path}`);
  const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
  return [
    sys.openat2(root, path.slice(1), O_PATH | O_CLOEXEC, resolve, { result: target }),
    sys.moveMount(mounted, target, ONTO),
    sys.close(target),
    sys.close(mounted),
  ];
}

function wholeRoot(facts: HostRootFacts, options: HostRootOptions, layers: Layers, root: Slot): Assembly {
  const overlay = {
    lower: '/',
    upper: layers.upper,
    work: '../work/root',
    userxattr: false,
    attributes: 0,
    ...labelled(options),
  };
  const steps = [
    step('child', 'host-overlay', 'overlay / of this machine', options.cause, [
      sys.mkdirat(layers.directory, 'work/root', 0o700, EXISTS),
      sys.mkdirat(layers.directory, 'mounts', 0o755, EXISTS),
      ...overlayCalls(overlay, root),
    ]),
  ];
  const parts: Part[] = [];
  for (const mount of visibleMounts(facts.mounts)) {
    if (treatment(mount) === 'empty') continue;
    const path = mount.mountPoint;
    const part = { path, mounted: slot(`mount ${path}`) };
    const layered = isLayer(mount, facts);
    const calls = layered
      ? layerCalls(mount, layers, part, options)
      : readOnlyBind(path, facts.mounts, part.mounted);
    const [id, verb] = layered ? ['host-overlay', 'overlay'] : ['host-bind', 'bind read-only'];
    steps.push(step('child', id, `${verb} ${path} of this machine`, options.cause, calls));
    parts.push(part);
  }
  return { steps, parts };
}

function isLayer(mount: MountEntry, facts: HostRootFacts): boolean {
  return (
    treatment(mount) === 'overlay' &&
    !facts.fileMounts.has(mount.mountPoint) &&
    canBeLower(mount.mountPoint, facts.kernel)
  );
}

/** `/var/lib` as one file name, which two mount points never share. */
function layerName(path: Bytes): Bytes {
  return path.slice(1).replaceAll('%', '%25').replaceAll('/', '%2F');
}

function layerCalls(
  mount: MountEntry,
  layers: Layers,
  { path, mounted }: Part,
  options: HostRootOptions,
): Call[] {
  const name = layerName(path);
  const upper = slot(`upper ${path}`);
  const overlay = {
    lower: path,
    upper,
    work: `../../work/${name}`,
    userxattr: false,
    attributes: keptAttributes(mount),
    ...labelled(options),
  };
  return [
    sys.mkdirat(layers.directory, `mounts/${name}`, 0o755, EXISTS),
    sys.mkdirat(layers.directory, `work/${name}`, 0o700, EXISTS),
    sys.openat(layers.directory, `mounts/${name}`, DIRECTORY, 0, { result: upper }),
    ...overlayCalls(overlay, mounted),
    sys.close(upper),
  ];
}
