// The base configuration of golden plans, its changes, and the cgroups and roots that they are compiled with.
import { cgroupSteps } from '../../src/cgroups/create.ts';
import type { CgroupLayout } from '../../src/cgroups/layout.ts';
import { cgroupPath } from '../../src/cgroups/path.ts';
import type { CgroupPlan } from '../../src/plan/compile/context.ts';
import { exampleSpec } from '../../src/spec/defaults.ts';
import type { Linux, LinuxNamespaceType, Mount, Process, Spec } from '../../src/spec/runtime-spec.ts';

/** What `runc spec` prints, without a terminal, with a program that exists by its path. */
export function baseSpec(rootless: boolean): Spec {
  const spec = exampleSpec(rootless ? { uid: 1000, gid: 1000 } : undefined);
  return withProcess({ terminal: false, args: ['/bin/true'] })(spec);
}

export type Change = (spec: Spec) => Spec;

const PROCESS: Process = { user: { uid: 0, gid: 0 }, cwd: '/' };

export const withProcess =
  (change: Partial<Process>): Change =>
  (spec) => ({ ...spec, process: { ...PROCESS, ...spec.process, ...change } });

export const withLinux =
  (change: Partial<Linux>): Change =>
  (spec) => ({ ...spec, linux: { ...spec.linux, ...change } });

export const withMounts =
  (...mounts: readonly Mount[]): Change =>
  (spec) => ({ ...spec, mounts: [...(spec.mounts ?? []), ...mounts] });

/** The mounts alone. */
export const onlyMounts =
  (...mounts: readonly Mount[]): Change =>
  (spec) => ({ ...spec, mounts });

/** Further options for the mount at `destination`. */
export const mountOptions =
  (destination: string, options: readonly string[]): Change =>
  (spec) => ({
    ...spec,
    mounts: (spec.mounts ?? []).map((mount) => (mount.destination === destination ? { ...mount, options } : mount)),
  });

/** A namespace more, new or joined; one of the same type is replaced. */
export const withNamespace =
  (type: LinuxNamespaceType, path?: string): Change =>
  (spec) => {
    const own = path === undefined ? { type } : { type, path };
    const namespaces = spec.linux?.namespaces ?? [];
    const replaced = namespaces.map((namespace) => (namespace.type === type ? own : namespace));
    return withLinux({ namespaces: replaced.includes(own) ? replaced : [...namespaces, own] })(spec);
  };

export const withoutNamespace =
  (...types: readonly LinuxNamespaceType[]): Change =>
  (spec) =>
    withLinux({ namespaces: (spec.linux?.namespaces ?? []).filter(({ type }) => !types.includes(type)) })(spec);

/** A user namespace of 65536 ids from 100000, as for subordinate ids. */
export const withUserNamespace: Change = (spec) => {
  const mapping = [{ containerID: 0, hostID: 100000, size: 65536 }];
  return withLinux({ uidMappings: mapping, gidMappings: mapping })(withNamespace('user')(spec));
};

/** Nothing that needs a mount namespace. */
export const withoutMounts: Change = (spec) =>
  withLinux({ maskedPaths: [], readonlyPaths: [] })({ ...spec, mounts: [], root: { path: '/srv/rootfs' } });

export const all =
  (...changes: readonly Change[]): Change =>
  (spec) =>
    changes.reduce((changed, change) => change(changed), spec);

export type CgroupChoice = 'none' | 'v1' | 'v2' | 'hybrid';

const hierarchy = (version: 1 | 2, mountPoint: string, ...controllers: readonly string[]) => ({
  version,
  mountPoint,
  controllers,
  ownPath: '/',
  mountRoot: '/',
});

const V1 = [
  hierarchy(1, '/sys/fs/cgroup/memory', 'memory'),
  hierarchy(1, '/sys/fs/cgroup/cpu,cpuacct', 'cpu', 'cpuacct'),
  hierarchy(1, '/sys/fs/cgroup/pids', 'pids'),
  hierarchy(1, '/sys/fs/cgroup/devices', 'devices'),
];

export const LAYOUTS: Readonly<Record<Exclude<CgroupChoice, 'none'>, CgroupLayout>> = {
  v1: { mode: 'v1', hierarchies: V1 },
  v2: { mode: 'v2', hierarchies: [hierarchy(2, '/sys/fs/cgroup', 'cpu', 'io', 'memory', 'pids')] },
  hybrid: { mode: 'hybrid', hierarchies: [...V1, hierarchy(2, '/sys/fs/cgroup/unified')] },
};

/** The real plan of src/cgroups on a small made-up layout. */
export function cgroupPlan(choice: CgroupChoice, spec: Spec, rootless: boolean): CgroupPlan | undefined {
  if (choice === 'none') return undefined;
  const path = cgroupPath(spec.linux?.cgroupsPath, 'golden', { rootless });
  const made = cgroupSteps(spec.linux?.resources ?? {}, LAYOUTS[choice], path, {
    leaf: 'empty',
    devices: rootless ? 'skip' : 'enforce',
    files: new Map([
      ['/sys/fs/cgroup/cgroup.subtree_control', 'cpu io memory pids\n'],
      ['/sys/fs/cgroup/caisson/cgroup.subtree_control', 'cpu io memory pids\n'],
      ['/sys/fs/cgroup/caisson/cgroup.controllers', 'cpu io memory pids\n'],
    ]),
  });
  const hierarchies = made.cgroups.map(({ directory, version, base }) => ({
    base,
    path: directory,
    version,
  }));
  const { steps: create, join, release, intoCgroup } = made;
  return { create, join, release, hierarchies, ...(intoCgroup === undefined ? {} : { intoCgroup }) };
}
