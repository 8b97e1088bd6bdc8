// Whether a container was refused processes because it had as many as its limit allows.
import type { Bytes } from '../linux/bytes.ts';
import { type Step, step } from '../plan/step.ts';
import type { Int64 } from '../spec/runtime-spec.ts';
import { hierarchyOf } from './layout.ts';
import type { Cgroup } from './path.ts';
import { type Reading, type Replies, reading } from './reading.ts';
import type { Contents } from './statistics.ts';
import { MAX, parseFlatKeyed, parseNumber } from './statistics-files.ts';

export interface ProcessLimitReport {
  /** How often fork(2) or clone(2) ended with EAGAIN. v1 counts refusals by an ancestor's limit here, too. */
  readonly refusals: Int64;
  /** The container's own limit; undefined when it has none or never had so many processes: an ancestor's was the one. */
  readonly limit: Int64 | undefined;
}

/** pids.peak exists since Linux 6.1. */
const FILES = ['pids.events', 'pids.max', 'pids.peak'] as const;

/** The files that `processLimitReport` wants, in the order of FILES. They go with the cgroup. */
export function processLimitFiles(cgroups: readonly Cgroup[]): Bytes[] {
  const pids = hierarchyOf(cgroups, 'pids');
  return pids === undefined ? [] : FILES.map((name) => `${pids.directory}/${name}`);
}

/** Undefined without a pids controller, or after the cgroup is gone. */
export function processLimitReport(
  cgroups: readonly Cgroup[],
  contents: Contents,
): ProcessLimitReport | undefined {
  const [events, max, most] = processLimitFiles(cgroups).map((file) => contents.get(file));
  if (events === undefined) return undefined;
  const limit = parseNumber(max);
  const peak = parseNumber(most);
  const own = limit !== undefined && limit !== MAX && (peak === undefined || peak >= limit);
  return { refusals: parseFlatKeyed(events).get('max') ?? 0, limit: own ? limit : undefined };
}

/** Reads the counts in the batch that follows the end of the container; `report` understands the answer. */
export function processLimitStep(cgroups: readonly Cgroup[]): {
  readonly steps: readonly Step[];
  readonly report: (replies: Replies) => ProcessLimitReport | undefined;
} {
  const files = processLimitFiles(cgroups).map((file): [Bytes, Reading] => [file, reading(file, 64)]);
  const calls = files.flatMap(([, made]) => made.calls);
  const cause = 'default: a refused process is reported';
  return {
    steps:
      files.length === 0
        ? []
        : [step('parent', 'cgroup-processes', 'read the counts of refused processes', cause, calls)],
    report: (replies) =>
      processLimitReport(cgroups, new Map(files.map(([file, made]) => [file, made.content(replies)]))),
  };
}
