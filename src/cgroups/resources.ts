// Sends every group of `linux.resources` to the hierarchy that has its controller, and refuses what has none.
import type { Bytes } from '../linux/bytes.ts';
import type { LinuxResources } from '../spec/runtime-spec.ts';
import type { CgroupLayout } from './layout.ts';
import { type Limit, type LimitContext, type LimitGroup, type LimitRules, unsupported } from './limit.ts';
import type { Cgroup } from './path.ts';
import { LIMITS_V1 } from './resources-v1.ts';
import { LIMITS_V2 } from './resources-v2.ts';

/** A limit and the cgroup it is set in. */
export interface PlacedLimit {
  readonly cgroup: Cgroup;
  readonly limit: Limit;
}

/** The controllers of each group; in the order of writing: a process cannot join before cpuset is set on v1. */
const GROUPS: readonly { readonly group: LimitGroup; readonly v1: Bytes; readonly v2: Bytes }[] = [
  { group: 'cpuset', v1: 'cpuset', v2: 'cpuset' },
  { group: 'cpu', v1: 'cpu', v2: 'cpu' },
  { group: 'memory', v1: 'memory', v2: 'memory' },
  { group: 'pids', v1: 'pids', v2: 'pids' },
  { group: 'io', v1: 'blkio', v2: 'io' },
  { group: 'hugetlb', v1: 'hugetlb', v2: 'hugetlb' },
  { group: 'rdma', v1: 'rdma', v2: 'rdma' },
  { group: 'net_cls', v1: 'net_cls', v2: '' },
  { group: 'net_prio', v1: 'net_prio', v2: '' },
];

/**
 * The limits in the order of writing, `unified` last because it is the most particular. Throws CaissonError for
 * values out of range and for a group that is asked for while its controller is in no hierarchy of this host.
 */
export function resourceLimits(
  resources: LinuxResources,
  cgroups: readonly Cgroup[],
  context: LimitContext,
): PlacedLimit[] {
  const placed = GROUPS.flatMap(({ group, v1, v2 }) => {
    const found = findGroup(cgroups, v1, v2);
    if (found !== undefined)
      return found.rules[group](resources, context).map((limit) => ({ cgroup: found.cgroup, limit }));
    const [first] = LIMITS_V1[group](resources, context);
    if (first === undefined) return [];
    throw missing(first, v1);
  });
  return [...placed, ...unifiedLimits(resources, cgroups, context)];
}

/** Throws CaissonError that names the first limit asked for, for a caller that cannot make cgroups. */
export function refuseLimits(resources: LinuxResources, layout: CgroupLayout, reason: string): void {
  const rules = layout.mode === 'v2' ? LIMITS_V2 : LIMITS_V1;
  for (const { group } of [...GROUPS, { group: 'unified' as const }]) {
    const [first] = rules[group](resources, { ignore: () => {} });
    if (first !== undefined)
      throw unsupported(`${fieldOf(first)} cannot be set: ${reason}`, first.provenance);
  }
}

function findGroup(
  cgroups: readonly Cgroup[],
  v1: Bytes,
  v2: Bytes,
): { cgroup: Cgroup; rules: LimitRules } | undefined {
  const has = (version: 1 | 2, name: Bytes) =>
    cgroups.find((cgroup) => cgroup.version === version && cgroup.controllers.includes(name));
  const old = has(1, v1);
  if (old !== undefined) return { cgroup: old, rules: LIMITS_V1 };
  const unified = has(2, v2);
  return unified === undefined ? undefined : { cgroup: unified, rules: LIMITS_V2 };
}

function unifiedLimits(
  resources: LinuxResources,
  cgroups: readonly Cgroup[],
  context: LimitContext,
): PlacedLimit[] {
  const cgroup = cgroups.find(({ version }) => version === 2);
  if (cgroup === undefined)
    return LIMITS_V1.unified(resources, context).map((limit) => ({ cgroup: cgroups[0] as Cgroup, limit }));
  return LIMITS_V2.unified(resources, context).map((limit) => {
    const controller = limit.file.slice(0, limit.file.indexOf('.'));
    if (controller !== 'cgroup' && !cgroup.controllers.includes(controller))
      throw missing(limit, controller, 'invalid configuration: ');
    return { cgroup, limit };
  });
}

function missing(limit: Limit, controller: Bytes, prefix = ''): Error {
  return unsupported(
    `${prefix}${fieldOf(limit)} needs the cgroup controller ${controller}, which no hierarchy of this host offers`,
    limit.provenance,
  );
}

/** `/linux/resources/memory/limit` as `memory.limit`. */
function fieldOf({ provenance }: Limit): string {
  return provenance.replace('/linux/resources/', '').replaceAll('/', '.');
}
