// Which cgroup hierarchies this host has, where they are mounted, and where the caller is in each.
import type { Bytes } from '../linux/bytes.ts';
import type { MountEntry } from '../linux/mountinfo.ts';
import { type Membership, parseMemberships } from './membership.ts';

/** One mounted hierarchy. */
export interface Hierarchy {
  /** v1: `cpu`, `cpuacct`, `name=systemd`; v2: what cgroup.controllers of its mount point offers, maybe nothing. */
  readonly controllers: readonly Bytes[];
  readonly mountPoint: Bytes;
  readonly version: 1 | 2;
  /** The caller's cgroup, relative to the caller's cgroup namespace. */
  readonly ownPath: Bytes;
  /** The cgroup that the mount shows as its root: not `/` in a container that has no cgroup namespace. */
  readonly mountRoot: Bytes;
}

export interface CgroupLayout {
  /** v1 only, v2 only, or both side by side. */
  readonly mode: 'v1' | 'v2' | 'hybrid';
  /** In the order of /proc/self/cgroup. Hierarchies that exist but are mounted nowhere are left out. */
  readonly hierarchies: readonly Hierarchy[];
}

const USUAL = '/sys/fs/cgroup';
const BELOW_USUAL = `${USUAL}/`;

/**
 * The layout that the caller sees. `selfCgroup` is /proc/self/cgroup; `unifiedControllers` is the content of
 * cgroup.controllers at the v2 mount point (see `unifiedMountPoint`), empty without one.
 */
export function cgroupLayout(
  mountinfo: readonly MountEntry[],
  selfCgroup: Bytes,
  unifiedControllers: Bytes = '',
): CgroupLayout {
  const mounts = mountinfo.filter(({ fsType }) => fsType === 'cgroup' || fsType === 'cgroup2');
  const hierarchies: Hierarchy[] = [];
  for (const membership of parseMemberships(selfCgroup)) {
    const mount = best(mounts.filter((entry) => shows(entry, membership)));
    if (mount === undefined) continue;
    const version = membership.id === 0 ? 2 : 1;
    hierarchies.push({
      controllers: version === 2 ? words(unifiedControllers) : membership.controllers,
      mountPoint: mount.mountPoint,
      version,
      ownPath: membership.path,
      mountRoot: mount.root,
    });
  }
  return { mode: modeOf(hierarchies), hierarchies };
}

/** Where cgroup v2 is mounted, so that its cgroup.controllers can be read before `cgroupLayout`. */
export function unifiedMountPoint(mountinfo: readonly MountEntry[]): Bytes | undefined {
  return best(mountinfo.filter(({ fsType }) => fsType === 'cgroup2'))?.mountPoint;
}

/** The hierarchy of a controller; a controller is in one hierarchy at a time (cgroups(7)). */
export function hierarchyOf<T extends { readonly controllers: readonly Bytes[] }>(
  hierarchies: readonly T[],
  controller: Bytes,
): T | undefined {
  return hierarchies.find(({ controllers }) => controllers.includes(controller));
}

/** A short name for titles and slots: `cpu,cpuacct`, `systemd`, `unified`. */
export function hierarchyName(hierarchy: { version: 1 | 2; controllers: readonly Bytes[] }): string {
  if (hierarchy.version === 2) return 'unified';
  return hierarchy.controllers.map((name) => name.replace('name=', '')).join(',');
}

/**
 * The directory of a cgroup whose path is as /proc/PID/cgroup gives it, undefined where the mount does not reach:
 * a mount made before the cgroup namespace shows a root above it (`/..`), one without a namespace a root below.
 */
export function directoryOf(hierarchy: Hierarchy, path: Bytes): Bytes | undefined {
  const { mountPoint, mountRoot } = hierarchy;
  if (path.startsWith('/..')) return undefined;
  const root = mountRoot === '/' ? '' : mountRoot;
  if (root !== '' && path !== root && !path.startsWith(`${root}/`)) return undefined;
  const rest = path.slice(root.length);
  return rest === '' || rest === '/' ? mountPoint : mountPoint + rest;
}

function shows({ fsType, superOptions }: MountEntry, { id, controllers }: Membership): boolean {
  if (id === 0) return fsType === 'cgroup2';
  if (fsType !== 'cgroup') return false;
  for (const name of controllers) if (!superOptions.includes(name)) return false;
  return true;
}

/** Bind mounts can show a hierarchy several times: the one at the usual place, else the first. */
function best(mounts: readonly MountEntry[]): MountEntry | undefined {
  for (const mount of mounts) {
    if (mount.mountPoint === USUAL || mount.mountPoint.startsWith(BELOW_USUAL)) return mount;
  }
  return mounts[0];
}

function modeOf(hierarchies: readonly Hierarchy[]): CgroupLayout['mode'] {
  const versions = new Set(hierarchies.map(({ version }) => version));
  if (versions.size === 2) return 'hybrid';
  return versions.has(2) ? 'v2' : 'v1';
}

/** Words separated by white space. */
export function words(text: Bytes): Bytes[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
