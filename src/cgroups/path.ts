// Where a container's cgroups are: the meaning of `cgroupsPath` (config-linux.md, Cgroups Path).
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError, type Pointer } from '../spec/error.ts';
import { type CgroupLayout, directoryOf, type Hierarchy, hierarchyName } from './layout.ts';

const POINTER = '/linux/cgroupsPath';
/** NAME_MAX, which cgroupfs enforces. */
const NAME_LIMIT = 255;

/** A checked cgroupsPath. */
export interface CgroupPath {
  /** Without empty and `.` components; never empty. */
  readonly components: readonly Bytes[];
  /** Below the mount points, or else below the caller's own cgroups. */
  readonly absolute: boolean;
  readonly provenance: Pointer;
}

/** One cgroup of a container: its directory in one hierarchy. This is what a container's state keeps. */
export interface Cgroup {
  readonly version: 1 | 2;
  /** As in Hierarchy. */
  readonly controllers: readonly Bytes[];
  /** Absolute path of the directory. */
  readonly directory: Bytes;
  /** Ancestors between the mount point (or the caller's own cgroup) and the directory, topmost first. */
  readonly parents: readonly Bytes[];
  /** What the parents hang below; never made, never removed. */
  readonly base: Bytes;
}

/** How the configuration's path is understood. */
export interface PathOptions {
  /** For a caller who may only make cgroups below their own. */
  readonly rootless?: boolean;
  /** As runc: without a path it is `ID` below the caller's own cgroup. */
  readonly asRunc?: boolean;
}

/**
 * Reads `cgroupsPath`. Absent, it is `/caisson/ID`, and `caisson/ID` below the own cgroup for a rootless caller.
 * Throws CaissonError for `..`, the root cgroup, names that cgroupfs refuses, and systemd's `slice:prefix:name`.
 */
export function cgroupPath(text: Bytes | undefined, id: Bytes, options: PathOptions = {}): CgroupPath {
  if (text === undefined || text === '') return defaultPath(id, options);
  if (!text.startsWith('/') && /^[^:]*:[^:]*:[^:]*$/.test(text)) {
    throw refused(
      `cgroupsPath "${text}" is systemd's slice:prefix:name, and cgroups are managed without systemd here: give a path`,
    );
  }
  const components = text.split('/').filter((name) => name !== '' && name !== '.');
  if (components.includes('..'))
    throw refused(`cgroupsPath "${text}" contains "..": give the path without it`);
  if (components.length === 0) throw refused(`cgroupsPath "${text}" is the root cgroup: name one below it`);
  for (const name of components) {
    // cgroup_mkdir() refuses a newline, the system call cannot carry a NUL.
    if (/[\n\0]/.test(name)) throw refused('cgroupsPath contains a newline or a NUL byte');
    if (name.length > NAME_LIMIT)
      throw refused(`cgroupsPath has a component of ${name.length} bytes, the limit is 255`);
  }
  return { components, absolute: text.startsWith('/'), provenance: POINTER };
}

function defaultPath(id: Bytes, { asRunc, rootless }: PathOptions): CgroupPath {
  if (asRunc === true) {
    return { components: [id], absolute: false, provenance: 'default: ID below the own cgroup' };
  }
  const absolute = rootless !== true;
  return { components: ['caisson', id], absolute, provenance: `default: ${absolute ? '/' : ''}caisson/ID` };
}

/**
 * The container's cgroup in every hierarchy. Throws CaissonError when a relative path is asked for and the caller's
 * own cgroup is outside of what is mounted.
 */
export function cgroupsAt(layout: CgroupLayout, path: CgroupPath): Cgroup[] {
  return layout.hierarchies.map((hierarchy) => {
    const base = path.absolute ? hierarchy.mountPoint : relativeBase(hierarchy, path);
    const parents: Bytes[] = [];
    let directory = base;
    for (const name of path.components) {
      if (directory !== base) parents.push(directory);
      directory = `${directory}/${name}`;
    }
    return { version: hierarchy.version, controllers: hierarchy.controllers, directory, parents, base };
  });
}

/**
 * v1: the caller's own cgroup. v2: its parent, because a cgroup that has processes cannot give controllers to its
 * children (cgroup-v2.rst, No Internal Process Constraint); the same for everyone who runs in that cgroup.
 */
function relativeBase(hierarchy: Hierarchy, path: CgroupPath): Bytes {
  const own = directoryOf(hierarchy, hierarchy.ownPath);
  if (own === undefined) {
    throw new CaissonError(
      `a relative cgroupsPath needs the caller's own cgroup, but ${hierarchy.mountPoint} does not show ${hierarchy.ownPath}: give an absolute one`,
      { code: 'EUNSUPPORTED', provenance: [path.provenance] },
    );
  }
  if (hierarchy.version === 1 || own === hierarchy.mountPoint) return own;
  return own.slice(0, own.lastIndexOf('/'));
}

/** For a person, each path once with the hierarchies that have it: `/caisson/box (pids, memory, unified)`. */
export function describeCgroups(cgroups: readonly Cgroup[]): string[] {
  const names = new Map<Bytes, string[]>();
  for (const cgroup of cgroups) {
    const path = cgroup.directory.slice(cgroup.base.length);
    names.set(path, [...(names.get(path) ?? []), hierarchyName(cgroup)]);
  }
  return [...names].map(([path, list]) => `${path} (${list.join(', ')})`);
}

function refused(message: string): CaissonError {
  return new CaissonError(message, { code: 'EINVALIDSPEC', provenance: [POINTER] });
}
