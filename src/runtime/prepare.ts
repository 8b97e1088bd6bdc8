// From a specification to a compiled start on this host: facts, root, cgroups, plan. Nothing has been changed yet.

import type { Cgroup } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { type MountEntry, parseMountinfo } from '../linux/mountinfo.ts';
import type { CompileOptions, RootPlan } from '../plan/compile/context.ts';
import { type Beginning, begin, finish, type StartPlan } from '../plan/compile.ts';
import type { HostFacts } from '../plan/facts.ts';
import { directoryRoot } from '../snapshot/directory-root.ts';
import { CaissonError, type Pointer } from '../spec/error.ts';
import type { LinuxIDMapping, Spec } from '../spec/runtime-spec.ts';
import { type ContainerCgroups, hostLayout, planCgroups } from './cgroup.ts';
import { isMachineRoot, limitsOf, usableLayout } from './delegation.ts';
import { gatherFacts } from './facts.ts';

export interface PrepareOptions {
  readonly id: Bytes;
  /** Compiles the root; absent: `root.path` of the specification, a directory of the host. */
  readonly root?: (facts: HostFacts, mounts: readonly MountEntry[]) => RootPlan;
  readonly dieWithParent?: boolean;
  readonly init?: boolean;
  readonly trace?: boolean;
  readonly showSecrets?: boolean;
  /** From `holdIdMaps`, where a mount is id-mapped. */
  readonly idmapped?: ReadonlyMap<Pointer, number>;
  readonly subpaths?: CompileOptions['subpaths'];
  /** Host files that the caller writes before the start; the specification mounts them. */
  readonly ownFiles?: readonly Bytes[];
  /** CPUs of the first process. */
  readonly affinity?: Bytes;
  readonly environment?: CompileOptions['environment'];
  readonly noPivot?: boolean;
  readonly noNewKeyring?: boolean;
  /** Cgroups where runc has them, and refusals as runc's; else below /caisson. */
  readonly cgroupsAsRunc?: boolean;
  /** From `holdParents`. */
  readonly guard?: number;
  /** Of runc's `--rootless`: whether cgroups that cannot be made are done without; absent: not for the machine's root. */
  readonly rootless?: boolean;
  readonly barrier?: CompileOptions['barrier'];
  readonly consoleSocket?: Bytes;
  readonly pidfdSocket?: Bytes;
  readonly plainLineFeeds?: boolean;
  readonly agent?: CompileOptions['agent'];
  readonly netDevices?: CompileOptions['netDevices'];
  readonly preserveFds?: number;
  readonly lock?: number;
  readonly monitor?: CompileOptions['monitor'];
}

/** A start that is ready to be played or printed. */
export interface Prepared {
  readonly id: Bytes;
  readonly beginning: Beginning;
  readonly spec: Spec;
  readonly facts: HostFacts;
  /** Compiled when it is first asked for: a start plays its beginning meanwhile. Throws CaissonError. */
  readonly plan: StartPlan;
  readonly cgroups: readonly Cgroup[];
  /** Ancestors of the cgroups that this start makes. */
  readonly madeParents: readonly Bytes[];
  /** Of the launcher, until the plan has been played: see `holdParents`. */
  readonly guard?: number;
  readonly warnings: readonly string[];
}

/** Throws CaissonError where this host cannot have what the specification asks for. */
export function prepare(port: Port, given: Spec, options: PrepareOptions): Prepared {
  const facts = gatherFacts(port, given, options);
  const spec = withIdentityMap(given, facts);
  refuseWithoutPrivilege(spec, facts);
  // Hosts have hundreds of mounts; a root that is a directory needs to know of none.
  const only = options.root === undefined && options.noPivot !== true ? 'cgroup' : '';
  const mounts = parseMountinfo(port.readFile('/proc/self/mountinfo') ?? '', only);
  const root = options.root?.(facts, mounts) ?? rootOf(port, spec);
  const warnings: string[] = [];
  const cgroups = cgroupsOf(port, spec, facts, mounts, options, warnings);
  const beginning = begin(spec, facts, {
    ...options,
    ...(options.init ? { initProgram: port.initProgram() } : {}),
    ...(cgroups === undefined ? {} : { cgroup: cgroups.plan }),
    // Without a cgroup nothing else would name its processes, if the launcher died before the record does.
    ...(options.monitor !== undefined && cgroups === undefined ? { dieWithParent: true } : {}),
    root,
    ...(options.noPivot ? { kernelMounts: kernelMounts(mounts, spec.root?.path ?? '/') } : {}),
    mapHelpers: needsMapHelpers(spec, facts),
  });
  let plan: StartPlan | undefined;
  return {
    id: options.id,
    spec,
    facts,
    beginning,
    get plan() {
      plan ??= finish(beginning);
      return plan;
    },
    cgroups: cgroups?.cgroups ?? [],
    madeParents: cgroups?.madeParents ?? [],
    ...(options.guard === undefined ? {} : { guard: options.guard }),
    warnings,
  };
}

/** Whole procfs and sysfs of the host, outside of the root; what lies below another comes first. */
function kernelMounts(mounts: readonly MountEntry[], root: Bytes): Bytes[] {
  return mounts
    .filter(({ fsType, root: shown }) => (fsType === 'proc' || fsType === 'sysfs') && shown === '/')
    .map(({ mountPoint }) => mountPoint)
    .filter((path) => path !== root && !path.startsWith(`${root}/`))
    .reverse();
}

function rootOf(port: Port, spec: Spec): RootPlan {
  const path = spec.root?.path ?? '';
  if (port.stat(path)?.type !== 'directory') {
    throw new CaissonError(`the root ${path} is not a directory of this host`, {
      code: 'EINVALIDSPEC',
      provenance: ['/root/path'],
    });
  }
  return directoryRoot(path, '/root/path');
}

/** A new user namespace without mappings maps the caller alone to root, as bubblewrap and unshare -r do. */
function withIdentityMap(spec: Spec, facts: HostFacts): Spec {
  const asked =
    spec.linux?.namespaces?.some(({ type, path }) => type === 'user' && (path ?? '') === '') ?? false;
  if (!asked) return spec;
  const one = (hostID: number): LinuxIDMapping[] => [{ containerID: 0, hostID, size: 1 }];
  const { uidMappings = [], gidMappings = [] } = spec.linux ?? {};
  return {
    ...spec,
    linux: {
      ...spec.linux,
      uidMappings: uidMappings.length > 0 ? uidMappings : one(facts.uid),
      gidMappings: gidMappings.length > 0 ? gidMappings : one(facts.gid),
    },
  };
}

function refuseWithoutPrivilege(spec: Spec, facts: HostFacts): void {
  if (facts.privileged || (spec.linux?.namespaces ?? []).some(({ type }) => type === 'user')) return;
  throw new CaissonError(
    'an ordinary user needs a user namespace for a container: add {"type": "user"} to /linux/namespaces',
    {
      code: 'EPERMISSION',
      provenance: ['/linux/namespaces'],
    },
  );
}

/** A user may map only their own id without newuidmap(1) (user_namespaces(7)). */
function needsMapHelpers(spec: Spec, facts: HostFacts): boolean {
  if (
    facts.privileged ||
    !spec.linux?.namespaces?.some(({ type, path }) => type === 'user' && (path ?? '') === '')
  )
    return false;
  const own = (mappings: readonly LinuxIDMapping[] | undefined, id: number) =>
    mappings?.length === 1 && mappings[0]?.size === 1 && mappings[0].hostID === id;
  return !own(spec.linux.uidMappings, facts.uid) || !own(spec.linux.gidMappings, facts.gid);
}

/** Without the right to make cgroups a container has none, unless it asks for limits. */
function cgroupsOf(
  port: Port,
  spec: Spec,
  facts: HostFacts,
  mounts: readonly MountEntry[],
  options: PrepareOptions,
  warnings: string[],
): Omit<ContainerCgroups, 'warnings'> | undefined {
  const { id, cgroupsAsRunc: asRunc = false } = options;
  const found = hostLayout(port, mounts);
  if (found.hierarchies.length === 0) return undefined;
  const layout = asRunc ? usableLayout(port, spec, found, options.rootless ?? !isMachineRoot(facts)) : found;
  if (layout === undefined) return undefined;
  if (!asRunc && !facts.privileged && delegatedCgroup(port, layout, facts.uid) === undefined) {
    const limits = limitsOf(spec);
    if (limits.length > 0)
      warnings.push(`no cgroup is delegated to this user: ${limits.join(', ')} not limited`);
    return undefined;
  }
  const made = planCgroups(port, spec, facts, layout, {
    id,
    asRunc,
    ...(options.guard === undefined ? {} : { guard: options.guard }),
  });
  warnings.push(...made.warnings);
  return made;
}

/** The caller's own cgroup, where it may make others below (cgroups(7), Delegation); undefined where it may not. */
export function delegatedCgroup(
  port: Port,
  layout: ReturnType<typeof hostLayout>,
  uid: number,
): Bytes | undefined {
  const own = layout.mode === 'v2' ? layout.hierarchies[0] : undefined;
  if (own === undefined || uid === 0) return undefined;
  const directory = `${own.mountPoint}${own.ownPath === '/' ? '' : own.ownPath}`;
  return port.stat(directory)?.uid === uid ? own.ownPath : undefined;
}
