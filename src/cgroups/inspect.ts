// Which cgroups a process is in, and which limit of which ancestor is the tightest (`caisson cgroup inspect`).
import type { Bytes } from '../linux/bytes.ts';
import type { Int64 } from '../spec/runtime-spec.ts';
import { type CgroupLayout, directoryOf, type Hierarchy, hierarchyName } from './layout.ts';
import { parseMemberships } from './membership.ts';
import type { Contents } from './statistics.ts';
import { MAX, parseNumber } from './statistics-files.ts';

/** The cgroup of a process in one hierarchy. */
export interface ProcessCgroup {
  readonly hierarchy: Hierarchy;
  /** `cpu,cpuacct`, `systemd`, `unified`. */
  readonly name: string;
  readonly path: Bytes;
  /** The cgroup and its ancestors up to the mount point, deepest first; empty where the mount does not show it. */
  readonly directories: readonly Bytes[];
}

export type Quantity = 'memory' | 'memory+swap' | 'swap' | 'processes' | 'cpu';

/** The limit that binds: an ancestor's where that is tighter than the cgroup's own. */
export interface EffectiveLimit {
  readonly quantity: Quantity;
  /** Bytes, processes, or CPUs (1.5 is one and a half); undefined for none. */
  readonly value: Int64 | undefined;
  /** The cgroup that sets it, the deepest of those with the same value. */
  readonly directory: Bytes | undefined;
  /** What the process's own cgroup says. */
  readonly own: Int64 | undefined;
}

interface LimitSource {
  readonly quantity: Quantity;
  readonly controller: Bytes;
  readonly version: 1 | 2;
  readonly files: readonly Bytes[];
  readonly parse: (texts: readonly (Bytes | undefined)[]) => Int64 | undefined;
}

/** v1 shows "no limit" as the greatest number of whole pages, whose size is at most 64 KiB. */
const NO_LIMIT_V1 = 2n ** 63n - 65536n;

const SOURCES: readonly LimitSource[] = [
  { quantity: 'memory', controller: 'memory', version: 1, files: ['memory.limit_in_bytes'], parse: size },
  {
    quantity: 'memory+swap',
    controller: 'memory',
    version: 1,
    files: ['memory.memsw.limit_in_bytes'],
    parse: size,
  },
  { quantity: 'processes', controller: 'pids', version: 1, files: ['pids.max'], parse: size },
  {
    quantity: 'cpu',
    controller: 'cpu',
    version: 1,
    files: ['cpu.cfs_quota_us', 'cpu.cfs_period_us'],
    parse: cpusV1,
  },
  { quantity: 'memory', controller: 'memory', version: 2, files: ['memory.max'], parse: size },
  { quantity: 'swap', controller: 'memory', version: 2, files: ['memory.swap.max'], parse: size },
  { quantity: 'processes', controller: 'pids', version: 2, files: ['pids.max'], parse: size },
  { quantity: 'cpu', controller: 'cpu', version: 2, files: ['cpu.max'], parse: cpusV2 },
];

/** The cgroups of the process whose /proc/PID/cgroup is given, one per mounted hierarchy. */
export function processCgroups(layout: CgroupLayout, procCgroup: Bytes): ProcessCgroup[] {
  return parseMemberships(procCgroup).flatMap(({ id, controllers, path }) => {
    const hierarchy = layout.hierarchies.find(({ version, controllers: offered }) =>
      id === 0 ? version === 2 : version === 1 && controllers.every((name) => offered.includes(name)),
    );
    if (hierarchy === undefined) return [];
    return [{ hierarchy, name: hierarchyName(hierarchy), path, directories: lineage(hierarchy, path) }];
  });
}

function lineage(hierarchy: Hierarchy, path: Bytes): Bytes[] {
  const found: Bytes[] = [];
  let directory = directoryOf(hierarchy, path);
  while (directory !== undefined && directory.length > hierarchy.mountPoint.length) {
    found.push(directory);
    directory = directory.slice(0, directory.lastIndexOf('/'));
  }
  return directory === undefined ? found : [...found, directory];
}

/** The files that `effectiveLimits` compares; those of a root cgroup do not exist. */
export function limitFiles(cgroups: readonly ProcessCgroup[]): Bytes[] {
  return cgroups.flatMap((cgroup) =>
    sourcesOf(cgroup).flatMap(({ files }) =>
      cgroup.directories.flatMap((directory) => files.map((file) => `${directory}/${file}`)),
    ),
  );
}

/** The tightest limit of every quantity that this host limits. */
export function effectiveLimits(cgroups: readonly ProcessCgroup[], contents: Contents): EffectiveLimit[] {
  return cgroups.flatMap((cgroup) =>
    sourcesOf(cgroup).map((source) => tightest(source, cgroup.directories, contents)),
  );
}

function sourcesOf({ hierarchy }: ProcessCgroup): LimitSource[] {
  return SOURCES.filter(
    ({ controller, version }) => version === hierarchy.version && hierarchy.controllers.includes(controller),
  );
}

function tightest(source: LimitSource, directories: readonly Bytes[], contents: Contents): EffectiveLimit {
  const values = directories.map((directory) => ({
    directory,
    value: source.parse(source.files.map((file) => contents.get(`${directory}/${file}`))),
  }));
  let best: { directory: Bytes; value: Int64 } | undefined;
  for (const { directory, value } of values) {
    if (value !== undefined && (best === undefined || value < best.value)) best = { directory, value };
  }
  return {
    quantity: source.quantity,
    value: best?.value,
    directory: best?.directory,
    own: values[0]?.value,
  };
}

function size([text]: readonly (Bytes | undefined)[]): Int64 | undefined {
  const value = parseNumber(text);
  return value === undefined || value === MAX || value >= NO_LIMIT_V1 ? undefined : value;
}

function cpusV1([quota, period]: readonly (Bytes | undefined)[]): number | undefined {
  const microseconds = Number(quota ?? -1);
  return microseconds > 0 ? microseconds / Number(period) : undefined;
}

function cpusV2([text]: readonly (Bytes | undefined)[]): number | undefined {
  const [quota, period] = (text ?? 'max').trim().split(' ');
  return cpusV1([quota === 'max' ? '-1' : quota, period]);
}
