// The cgroups of one container at run time: what to compile into its start, and how they are taken away again.
import { cgroupFiles, cgroupSteps } from '../cgroups/create.ts';
import { freezerRequestFile } from '../cgroups/freezer.ts';
import { type CgroupLayout, cgroupLayout, type Hierarchy, unifiedMountPoint } from '../cgroups/layout.ts';
import { cgroupOwner, SAME_GROUP } from '../cgroups/ownership.ts';
import { type Cgroup, cgroupPath, cgroupsAt } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import type { MountEntry } from '../linux/mountinfo.ts';
import type { CgroupPlan } from '../plan/compile/context.ts';
import type { HostFacts } from '../plan/facts.ts';
import { CaissonError, type Pointer } from '../spec/error.ts';
import type { LinuxDeviceCgroup, LinuxResources, Spec } from '../spec/runtime-spec.ts';
import { releaseStep } from './parents.ts';
import { processesInside } from './removal.ts';

/** What every container may use, as runc allows it: nodes may be made, the harmless ones opened. */
const DEFAULT_RULES: readonly LinuxDeviceCgroup[] = [
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...(
    [
      [1, 3],
      [1, 8],
      [1, 7],
      [5, 0],
      [1, 5],
      [1, 9],
      [5, 2],
    ] as const
  ).map(([major, minor]): LinuxDeviceCgroup => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
  // Pseudo-terminals of the container's own devpts (major 136), any minor.
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

/** /dev/net/tun: programs that make tunnels expect of runc that they may open it without asking. */
const TUNNEL: LinuxDeviceCgroup = { allow: true, type: 'c', major: 10, minor: 200, access: 'rwm' };

const DENY_ALL: LinuxDeviceCgroup = { allow: false, access: 'rwm' };

function withDefaultDevices(resources: LinuxResources, defaults: readonly LinuxDeviceCgroup[]) {
  return { ...resources, devices: [...(resources.devices ?? [DENY_ALL]), ...defaults] };
}

/** The configuration's own rules by their fields, the defaults behind them by what they are. */
function deviceProvenance(spec: Spec, defaults: readonly LinuxDeviceCgroup[]): Pointer[] {
  const own = spec.linux?.resources?.devices;
  const first = own?.map((_, index) => `/linux/resources/devices/${index}`) ?? [
    'default: devices are denied',
  ];
  return [...first, ...defaults.map(() => 'default: devices that every container may use')];
}

/** The layout of this host's cgroups as the caller sees them. */
export function hostLayout(port: Port, mounts: readonly MountEntry[]): CgroupLayout {
  const unified = unifiedMountPoint(mounts);
  const controllers = unified === undefined ? '' : (port.readFile(`${unified}/cgroup.controllers`) ?? '');
  return cgroupLayout(mounts, port.readFile('/proc/self/cgroup') ?? '', controllers);
}

/** Cgroups of a start and the directories that a record must name. */
export interface ContainerCgroups {
  readonly plan: CgroupPlan;
  readonly cgroups: readonly Cgroup[];
  /** Ancestors of them that are not there yet. */
  readonly madeParents: readonly Bytes[];
  readonly warnings: readonly string[];
}

/** Whose cgroups, where, and what `holdParents` gave. */
interface Placement {
  readonly id: Bytes;
  readonly asRunc?: boolean;
  readonly guard?: number;
}

/** Plans the cgroups of a container. Throws CaissonError naming the resource that this host cannot limit. */
export function planCgroups(
  port: Port,
  spec: Spec,
  facts: HostFacts,
  layout: CgroupLayout,
  { id, asRunc = false, guard }: Placement,
): ContainerCgroups {
  const path = cgroupPath(spec.linux?.cgroupsPath, id, { rootless: !facts.privileged, asRunc });
  const known = new Map<Bytes, Bytes | undefined>();
  const wanted = cgroupsAt(layout, path);
  for (
    let files = cgroupFiles(layout, path, known, wanted);
    files.length > 0;
    files = cgroupFiles(layout, path, known, wanted)
  ) {
    for (const file of files) known.set(file, readable(port, file));
  }
  const chosen = spec.linux?.cgroupsPath === undefined ? [] : wanted.flatMap(({ parents }) => parents);
  const absent = new Set(chosen.filter((parent) => port.stat(parent) === undefined));
  // A directory that is there already costs two more looks at each: that nothing runs in it, and that it is thawed.
  const present = wanted.filter(({ directory }) => port.stat(directory) !== undefined);
  if (present.length > 0) refuseUnfit(port, present);
  const owner = facts.privileged ? cgroupOwner(spec, layout) : undefined;
  const defaults = asRunc ? [...DEFAULT_RULES, TUNNEL] : DEFAULT_RULES;
  const made = cgroupSteps(withDefaultDevices(spec.linux?.resources ?? {}, defaults), layout, path, {
    cgroups: wanted,
    files: known,
    absent,
    ...(guard === undefined ? {} : { release: releaseStep(guard) }),
    leaf: present.length > 0 ? 'empty' : 'new',
    ...(owner === undefined ? {} : { owner: { uid: owner, gid: SAME_GROUP, ...delegatedFiles(port) } }),
    deviceProvenance: deviceProvenance(spec, defaults),
    devices: facts.privileged && facts.initialUserNamespace ? 'enforce' : 'skip',
  });
  // Each cgroup is that of the hierarchy at its place.
  const hierarchies = made.cgroups.map(({ directory, version }, index) => {
    const { mountPoint: base } = layout.hierarchies[index] as Hierarchy;
    return { base, path: directory, version };
  });
  const plan = { create: made.steps, join: made.join, release: made.release, hierarchies };
  return {
    plan: made.intoCgroup === undefined ? plan : { ...plan, intoCgroup: made.intoCgroup },
    cgroups: made.cgroups,
    madeParents: [...absent],
    warnings: made.ignored.map(({ provenance, reason }) => `${provenance}: ${reason}`),
  };
}

/** The files that may be given away with a cgroup, where the kernel says (cgroups(7), Delegation). */
function delegatedFiles(port: Port): { readonly files?: readonly Bytes[] } {
  const text = port.readFile('/sys/kernel/cgroup/delegate');
  return text === undefined ? {} : { files: text.split('\n').filter((name) => name !== '') };
}

/** cgroup.procs cannot be read in a threaded cgroup (EOPNOTSUPP). */
function readable(port: Port, file: Bytes): Bytes | undefined {
  try {
    return port.readFile(file);
  } catch {
    return undefined;
  }
}

/** Early and in runc's words; the batch looks again, for what has changed meanwhile or lies in an ancestor. */
function refuseUnfit(port: Port, present: readonly Cgroup[]): void {
  const inside = processesInside(port, present);
  if (inside.length > 0) {
    throw new CaissonError(`container's cgroup is not empty: ${inside.length} process(es) found`, {
      code: 'ECGROUPBUSY',
      provenance: ['/linux/cgroupsPath'],
      details: [`${present[0]?.directory}: process ${inside.slice(0, 5).join(', ')}`],
    });
  }
  // Both kinds beside each other on a hybrid host.
  for (const version of [1, 2]) {
    const file = freezerRequestFile(present.filter((cgroup) => cgroup.version === version));
    if (file === undefined || port.readFile(file)?.trim() !== '1') continue;
    throw new CaissonError("container's cgroup unexpectedly frozen", {
      code: 'ECGROUPBUSY',
      provenance: ['/linux/cgroupsPath'],
      details: [`${file} is 1`],
    });
  }
}
