// Whether the kernel killed processes of a container for want of memory.
import type { Bytes } from '../linux/bytes.ts';
import { type Step, step } from '../plan/step.ts';
import type { Int64 } from '../spec/runtime-spec.ts';
import { hierarchyOf } from './layout.ts';
import type { Cgroup } from './path.ts';
import { type Reading, type Replies, reading } from './reading.ts';
import type { Contents } from './statistics.ts';
import { MAX, parseFlatKeyed, parseNumber } from './statistics-files.ts';

export interface OomReport {
  /** Processes killed, by a limit of this container's cgroup or of an ancestor. */
  readonly kills: Int64;
  /** How often an allocation ran into the container's own limit; v1 of Linux 6.18 was seen to count nothing. */
  readonly limitHits: Int64;
  /** The container's own limit in bytes; undefined for none. */
  readonly limit: Int64 | undefined;
}

const V1 = ['memory.oom_control', 'memory.limit_in_bytes', 'memory.failcnt', 'memory.memsw.failcnt'] as const;
const V2 = ['memory.events', 'memory.max', 'memory.events.local'] as const;

/** The files that `oomReport` wants. They go with the cgroup: read them before it is removed. */
export function oomFiles(cgroups: readonly Cgroup[]): Bytes[] {
  const memory = hierarchyOf(cgroups, 'memory');
  if (memory === undefined) return [];
  return (memory.version === 1 ? V1 : V2).map((name) => `${memory.directory}/${name}`);
}

/** Undefined without a memory controller, or after the cgroup is gone. */
export function oomReport(cgroups: readonly Cgroup[], contents: Contents): OomReport | undefined {
  const memory = hierarchyOf(cgroups, 'memory');
  const [counts, size, ...hits] = oomFiles(cgroups).map((file) => contents.get(file));
  if (memory === undefined || counts === undefined) return undefined;
  const limit = parseNumber(size);
  const unlimited = limit === undefined || limit === MAX || limit >= NO_LIMIT_V1;
  return {
    kills: parseFlatKeyed(counts).get('oom_kill') ?? 0,
    // Where swap is limited to the same size, v1 counts what runs into the limit there alone.
    limitHits:
      memory.version === 1
        ? hits.reduce((sum, text) => sum + Number(parseNumber(text) ?? 0), 0)
        : (parseFlatKeyed(hits[0]).get('max') ?? 0),
    limit: unlimited ? undefined : limit,
  };
}

/** v1 shows "no limit" as the greatest number of whole pages, whose size is at most 64 KiB. */
const NO_LIMIT_V1 = 2n ** 63n - 65536n;

/** Reads the counts in the batch that follows the end of the container; `report` understands the answer. */
export function oomStep(cgroups: readonly Cgroup[]): {
  readonly steps: readonly Step[];
  readonly report: (replies: Replies) => OomReport | undefined;
} {
  const files = oomFiles(cgroups).map((file): [Bytes, Reading] => [file, reading(file, 512)]);
  if (files.length === 0) return { steps: [], report: () => undefined };
  const calls = files.flatMap(([, made]) => made.calls);
  return {
    steps: [
      step(
        'parent',
        'cgroup-oom',
        'read the out-of-memory counts',
        'default: out of memory is reported',
        calls,
      ),
    ],
    report: (replies) =>
      oomReport(cgroups, new Map(files.map(([file, made]) => [file, made.content(replies)]))),
  };
}
