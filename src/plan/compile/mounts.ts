// The mounts of the configuration, in its order: file systems, binds, cgroup trees (mount API on descriptors).
//
// config.md Mounts; fsopen(2), fsmount(2), open_tree(2), mount_setattr(2), move_mount(2).
import type { Bytes } from '../../linux/bytes.ts';
import { PROC_SUPER_MAGIC } from '../../linux/constants/filesystem.ts';
import {
  MOUNT_ATTR_IDMAP,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_REC,
  MS_SHARED,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../../linux/constants/mount.ts';
import { AT_EMPTY_PATH, AT_RECURSIVE, O_CLOEXEC, O_PATH, O_RDONLY } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import type { Pointer } from '../../spec/error.ts';
import { type MountOptions, parseMountOptions } from '../../spec/mount-options.ts';
import type { Mount } from '../../spec/runtime-spec.ts';
import { type Call, call, pointer, type Slot, slot, struct, value } from '../call.ts';
import { kernelAtLeast } from '../facts.ts';
import * as sys from '../syscalls.ts';
import { type Context, relative, unsupported } from './context.ts';
import { copyUp } from './copy-up.ts';
import { covered, IN_ROOT, O_DIRECTORY, resolveDirectory, resolveFile } from './destination.ts';
import { detachedFileSystem, ONTO } from './file-system.ts';
import { labelOptions, refuseMountLabel } from './mount-label.ts';
import { isFilledLater } from './readonly-later.ts';
import { lookAtMode, TMPFS_MODE, takeMode } from './tmpfs-mode.ts';

/** Destinations below /proc that may be mounted over: files that only inform (as runc allows; CVE-2025-52881). */
const PROC_FILES: ReadonlySet<Bytes> = new Set(
  ['cpuinfo', 'diskstats', 'loadavg', 'meminfo', 'slabinfo', 'stat', 'swaps', 'uptime', 'net/dev'].map(
    (name) => `proc/${name}`,
  ),
);
const PROC_SYS_FILES: ReadonlySet<Bytes> = new Set([
  'proc/sys/kernel/ns_last_pid',
  'proc/sys/crypto/fips_enabled',
]);

export function mounts(c: Context): void {
  refuseMountLabel(c);
  c.spec.mounts?.forEach((mount, index) => {
    mountOne(c, mount, index);
  });
}

function mountOne(c: Context, mount: Mount, index: number): void {
  const cause: Pointer = `/mounts/${index}`;
  const options = parseMountOptions(mount.options, mount.type);
  refuseProcDestination(c, mount, options, cause);
  refuseRootDestination(mount, cause);
  if (options.bind) bindMount(c, mount, options, cause);
  else if (mount.type === 'cgroup' || mount.type === 'cgroup2') cgroupMount(c, mount, options, cause);
  else if (mount.type === 'sysfs' && !ownsNetwork(c))
    bindMount(c, { ...mount, source: '/sys' }, { ...options, recursive: true }, cause);
  else fileSystemMount(c, mount, options, { cause, late: isFilledLater(c.spec, mount, index, options) });
}

/** sysfs belongs to a network namespace; a user namespace may mount only its own (fact E2). */
function ownsNetwork(c: Context): boolean {
  return !c.inUserNamespace || c.isNew('network');
}

/** A mount over the root would leave pivot_root(2) and every later step with the one below. */
function refuseRootDestination(mount: Mount, cause: Pointer): void {
  const depth = mount.destination.split('/').reduce((sum, part) => {
    if (part === '..') return Math.max(sum - 1, 0);
    return part === '' || part === '.' ? sum : sum + 1;
  }, 0);
  if (depth > 0) return;
  throw unsupported(
    `mount on ${mount.destination}: the root itself cannot be mounted over`,
    `${cause}/destination`,
  );
}

function refuseProcDestination(c: Context, mount: Mount, options: MountOptions, cause: Pointer): void {
  const name = relative(mount.destination);
  if (!name.startsWith('proc/') || PROC_FILES.has(name) || PROC_SYS_FILES.has(name)) return;
  const source = mount.source ?? '';
  if (options.bind && relative(source) === name && c.facts.files.has(source)) return;
  throw unsupported(
    `mount on ${mount.destination}: below /proc only files that inform may be covered (cpuinfo, meminfo, ...)`,
    `${cause}/destination`,
  );
}

function fileSystemMount(
  c: Context,
  mount: Mount,
  options: MountOptions,
  { cause, late }: { readonly cause: Pointer; readonly late: boolean },
): void {
  const type = mount.type ?? '';
  if (type === '')
    throw unsupported(`mount on ${mount.destination} has neither a type nor a bind option`, cause);
  const layered = options.tmpcopyup && type === 'tmpfs';
  const top = slot(`mount ${mount.destination}`);
  const mounted = layered ? slot(`tmpfs ${mount.destination}`) : top;
  const bare = type === 'tmpfs' && !layered && !options.data.some((option) => option.startsWith('mode='));
  const mode = slot(`mode of ${mount.destination}`, { width: 4 });
  const { calls, fd } = resolveDirectory(c, mount.destination, bare ? TMPFS_MODE : undefined);
  const wanted = late ? options.attrSet & ~MOUNT_ATTR_RDONLY : options.attrSet;
  const attributes = bare ? wanted & ~MOUNT_ATTR_RDONLY : wanted;
  const data = [...options.superFlags, ...options.data.filter((option) => keepData(c, type, option))];
  data.push(...labelOptions(c, type, data));
  const source = mount.source === undefined || mount.source === '' ? type : mount.source;
  calls.push(
    ...checkDestination(mount.destination, fd),
    ...(bare ? [lookAtMode(fd, mode)] : []),
    ...detachedFileSystem(type, source, data, attributes, mounted),
    ...(bare ? takeMode(mounted, mode, wanted) : []),
    sys.moveMount(mounted, fd, ONTO),
    ...(layered ? copyUp(c, fd, mounted, options.data, options.attrSet, top) : []),
    ...propagate(top, options.propagation),
  );
  covered(c, mount.destination, top);
  const content = layered ? ' with what is there already' : '';
  c.child('mount', `mount ${type} at ${mount.destination}${content}`, cause, calls);
}

/** `gid=` of devpts is refused (EINVAL) when the gid is not mapped (fact E5); the default 5 is then left out. */
function keepData(c: Context, type: Bytes, option: Bytes): boolean {
  if (type !== 'devpts' || !option.startsWith('gid=') || !c.inUserNamespace) return true;
  const gid = Number(option.slice(4));
  const mappings = c.spec.linux?.gidMappings ?? [];
  return mappings.some(({ containerID, size }) => gid >= containerID && gid < containerID + size);
}

function propagate(mounted: sys.Fd, propagation: readonly number[]): Call[] {
  return propagation.map((flags) =>
    sys.mountSetattr(mounted, '', AT_EMPTY_PATH | (flags & MS_REC ? AT_RECURSIVE : 0), {
      set: 0,
      clear: 0,
      propagation: flags & ~MS_REC,
    }),
  );
}

/** A destination outside /proc must not have led there by a link of the image (CVE-2025-52881). */
function checkDestination(destination: Bytes, fd: Slot): Call[] {
  const name = relative(destination);
  if (name === 'proc' || name.startsWith('proc/')) return [];
  const type = slot('f_type');
  return [
    call('fstatfs', [
      value(fd),
      pointer(
        struct({ name: 'f_type', width: 8, value: type }, { name: 'rest', width: 112, value: 0 }),
        'fixed',
      ),
    ]),
    sys.check(type, 'NE', PROC_SUPER_MAGIC, ERRNO.EXDEV),
  ];
}

/**
 * Sources of binds that exchange mounts with the host, cloned before the child's mounts stop to do so. Mounts that a
 * user namespace copies never reach the host (mount_namespaces(7)).
 */
export function openSharedSources(c: Context): void {
  if (c.inUserNamespace) return;
  c.spec.mounts?.forEach((mount, index) => {
    const options = parseMountOptions(mount.options, mount.type);
    if (!options.bind || ((options.propagation[0] ?? 0) & MS_SHARED) === 0) return;
    const cause: Pointer = `/mounts/${index}`;
    const source = mount.source ?? '';
    const tree = slot(`shared ${mount.destination}`);
    const whole = options.recursive ? AT_RECURSIVE : 0;
    c.sharedSources.set(cause, tree);
    c.child(
      'open-shared',
      `open ${source}, shared with the host`,
      [`${cause}/source`, cause],
      [sys.openTree(sys.AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | whole, { result: tree })],
    );
  });
}

function bindMount(c: Context, mount: Mount, options: MountOptions, cause: Pointer): void {
  const source = mount.source ?? '';
  const file = c.facts.files.get(source);
  const isDirectory = file?.type === 'directory' || file === undefined;
  const mounted = slot(`mount ${mount.destination}`);
  const { calls, fd } = isDirectory
    ? resolveDirectory(c, mount.destination)
    : resolveFile(c, mount.destination);
  const whole = options.recursive ? AT_RECURSIVE : 0;
  calls.push(...checkDestination(mount.destination, fd));
  const shared = c.sharedSources.get(cause);
  const below = c.options.subpaths?.get(cause);
  if (below !== undefined) calls.push(...openBelow(source, below, mounted, whole));
  else
    calls.push(
      shared === undefined
        ? sys.openTree(sys.AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | whole, { result: mounted })
        : kernelAtLeast(c.facts, 6, 15)
          ? // A new mount, so that mountinfo has it in the order of the configuration (a detached one: since 6.15).
            sys.openTree(shared, '', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | whole, {
              result: mounted,
            })
          : sys.check(shared, 'GE', 0, ERRNO.EBADF, { result: mounted }),
    );
  calls.push(...idmap(c, mount, options, mounted, cause), ...attributes(mounted, options));
  calls.push(sys.moveMount(mounted, fd, ONTO), ...propagate(mounted, options.propagation));
  if (isDirectory) covered(c, mount.destination, mounted);
  const from = below === undefined ? source : `${source}/${below}`;
  c.child('mount', `bind ${from} at ${mount.destination}`, [`${cause}/source`, cause], calls);
}

/** What is in the source belongs to containers, which may change it meanwhile: links in it stay inside. */
function openBelow(source: Bytes, below: Bytes, mounted: Slot, whole: number): Call[] {
  const volume = slot(`source of ${mounted.name}`);
  const directory = slot(`part of ${mounted.name}`);
  const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  return [
    sys.openat(sys.AT_FDCWD, source, flags, 0, { result: volume }),
    sys.openat2(volume, below, flags, IN_ROOT, { result: directory }),
    sys.openTree(directory, '', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | whole, {
      result: mounted,
    }),
    sys.close(directory),
    sys.close(volume),
  ];
}

/** All of them for a mount and what this plan has mounted on it, where no process can look yet. */
function attributesBelow(mounted: Slot, options: MountOptions): Call[] {
  const set = options.attrSet | options.recursiveAttrSet;
  const clear = options.attrClear | options.recursiveAttrClear;
  if (set === 0 && clear === 0) return [];
  const flags = { set, clear, propagation: 0 };
  return [sys.mountSetattr(mounted, '', AT_EMPTY_PATH | AT_RECURSIVE, flags)];
}

/** Flags are set on the detached tree, so there is no moment at which the mount is writable (launcher.md). */
function attributes(mounted: Slot, options: MountOptions): Call[] {
  const calls: Call[] = [];
  if (options.attrSet !== 0 || options.attrClear !== 0) {
    const flags = { set: options.attrSet, clear: options.attrClear, propagation: 0 };
    calls.push(sys.mountSetattr(mounted, '', AT_EMPTY_PATH, flags));
  }
  if (options.recursiveAttrSet !== 0 || options.recursiveAttrClear !== 0) {
    const flags = { set: options.recursiveAttrSet, clear: options.recursiveAttrClear, propagation: 0 };
    calls.push(sys.mountSetattr(mounted, '', AT_EMPTY_PATH | AT_RECURSIVE, flags));
  }
  return calls;
}

/** Set before the mount is attached, as the kernel demands, and with the rights of the first user namespace. */
function idmap(c: Context, mount: Mount, options: MountOptions, mounted: Slot, cause: Pointer): Call[] {
  if (!isIdMapped(mount, options)) return [];
  const userns = c.idmapNamespaces.get(cause);
  if (userns === undefined) {
    throw unsupported(
      `mount on ${mount.destination}: id-mapped mounts need root of the first user namespace`,
      cause,
    );
  }
  const whole = options.idmap === 'ridmap' ? AT_RECURSIVE : 0;
  return [
    sys.mountSetattr(mounted, '', AT_EMPTY_PATH | whole, {
      set: MOUNT_ATTR_IDMAP,
      clear: 0,
      propagation: 0,
      userns,
    }),
  ];
}

/** Whether ids are translated: by mappings of its own, or (option `idmap` alone) by the container's. */
export function isIdMapped(mount: Mount, options: Pick<MountOptions, 'idmap'>): boolean {
  return (
    options.idmap !== undefined ||
    (mount.uidMappings?.length ?? 0) > 0 ||
    (mount.gidMappings?.length ?? 0) > 0
  );
}

/**
 * Opens the user namespaces that carry the mappings, before the fork, so that the child has them too: one descriptor
 * for each mount, for a result is stored in one place.
 */
export function openIdMaps(c: Context): void {
  for (const [cause, pid] of c.options.idmapped ?? []) {
    const before = c.idmapNamespaces.size;
    const userns = slot(before === 0 ? `idmap_${pid}` : `idmap_${pid}_${before}`);
    c.idmapNamespaces.set(cause, userns);
    c.parent('idmap-namespace', 'open the user namespace of an id-mapped mount', cause, [
      sys.openat(sys.AT_FDCWD, `/proc/${pid}/ns/user`, O_RDONLY | O_CLOEXEC, 0, { result: userns }),
    ]);
  }
  openJoinedIdMaps(c);
}

/** The option `idmap` alone, and a user namespace that is joined: its maps are the mount's (config.md, idmap). */
function openJoinedIdMaps(c: Context): void {
  const user = c.namespaces.get('user');
  if (user?.kind !== 'join' || !c.facts.privileged) return;
  c.spec.mounts?.forEach((mount, index) => {
    const cause: Pointer = `/mounts/${index}`;
    const options = parseMountOptions(mount.options, mount.type);
    if (!isIdMapped(mount, options) || c.idmapNamespaces.has(cause)) return;
    const userns = slot(`joined_idmap_${index}`);
    c.idmapNamespaces.set(cause, userns);
    c.parent('idmap-namespace', 'open the joined user namespace for an id-mapped mount', cause, [
      sys.openat(sys.AT_FDCWD, user.path, O_RDONLY | O_CLOEXEC, 0, { result: userns }),
    ]);
  });
}

/**
 * What a mount of type cgroup shows: the container's own directories. Without a cgroup namespace of its own the one
 * tree of v2 is the host's whole one, where the paths of /proc/self/cgroup are, as with runc and crun; not in a user
 * namespace, whose root might be the owner of others there (CVE-2023-25809).
 */
function cgroupMount(c: Context, mount: Mount, options: MountOptions, cause: Pointer): void {
  const hierarchies = c.options.cgroup?.hierarchies ?? [];
  const unified = hierarchies.length === 1 && hierarchies[0]?.version === 2 ? hierarchies[0] : undefined;
  const { calls, fd } = resolveDirectory(c, mount.destination);
  const mounted = slot(`mount ${mount.destination}`);
  calls.push(...checkDestination(mount.destination, fd));
  const ofHost = c.facts.initialUserNamespace && !c.inUserNamespace;
  const whole = unified !== undefined && ofHost && !c.namespaces.has('cgroup');
  if (unified !== undefined) {
    const path = whole ? unified.base : unified.path;
    calls.push(
      sys.openTree(sys.AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, { result: mounted }),
      ...attributes(mounted, options),
      sys.moveMount(mounted, fd, ONTO),
    );
  } else {
    const tmpfs = detachedFileSystem(
      'tmpfs',
      'cgroup',
      ['mode=755', ...labelOptions(c, 'tmpfs')],
      options.attrSet & ~MOUNT_ATTR_RDONLY,
      mounted,
    );
    calls.push(...tmpfs, sys.moveMount(mounted, fd, ONTO));
    for (const { base, path } of hierarchies) calls.push(...bindHierarchy(mounted, base, path));
    calls.push(...attributesBelow(mounted, options));
  }
  covered(c, mount.destination, mounted);
  const shown = whole ? 'all cgroups' : `this container's cgroups`;
  c.child('mount', `mount ${shown} at ${mount.destination}`, cause, calls);
}

/** Below the name that the hierarchy has on the host. */
function bindHierarchy(parent: Slot, base: Bytes, path: Bytes): Call[] {
  const name = base.slice(base.lastIndexOf('/') + 1);
  const tree = slot(`cgroup_${name}_tree`);
  const calls = [
    sys.mkdirat(parent, name, 0o755),
    sys.openTree(sys.AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, { result: tree }),
    // The directory above is a tmpfs that nobody else has.
    sys.moveMount(tree, parent, MOVE_MOUNT_F_EMPTY_PATH, {}, name),
  ];
  // A co-mounted hierarchy is found under each of its controllers, as on the host.
  if (name.includes(',')) for (const part of name.split(',')) calls.push(sys.symlinkat(name, parent, part));
  return calls;
}
