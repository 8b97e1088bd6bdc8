// Compiles a change of limits of a running container (`update`).
import type { Bytes } from '../linux/bytes.ts';
import type { Step } from '../plan/step.ts';
import type { LinuxResources } from '../spec/runtime-spec.ts';
import { hierarchyOf } from './layout.ts';
import { type CurrentLimits, type IgnoredField, type Limit, limit, limitStep } from './limit.ts';
import type { Cgroup } from './path.ts';
import { type PlacedLimit, resourceLimits } from './resources.ts';
import type { Contents } from './statistics.ts';
import { MAX, parseNumber } from './statistics-files.ts';

/** The files whose present content decides what an update writes, and in which order. */
export function updateFiles(cgroups: readonly Cgroup[]): Bytes[] {
  const memory = hierarchyOf(cgroups, 'memory');
  const cpu = hierarchyOf(cgroups, 'cpu');
  const names =
    memory?.version === 2
      ? ['memory.max', 'memory.current']
      : ['memory.limit_in_bytes', 'memory.usage_in_bytes'];
  return [
    ...(memory === undefined ? [] : names.map((name) => `${memory.directory}/${name}`)),
    ...(cpu?.version === 2 ? [`${cpu.directory}/cpu.max`] : []),
  ];
}

export interface Update {
  readonly limits: readonly PlacedLimit[];
  /** What cannot be changed. */
  readonly ignored: readonly IgnoredField[];
}

/** The limits of an update in the order of writing; device rules stay as they are, as in runc. Throws as `cgroupSteps`. */
export function updateLimits(
  resources: LinuxResources,
  cgroups: readonly Cgroup[],
  contents: Contents,
): Update {
  const ignored: IgnoredField[] = [];
  const limits = resourceLimits(resources, cgroups, {
    update: currentLimits(cgroups, contents),
    ignore: (provenance, reason) => ignored.push({ provenance, reason }),
  });
  return { limits, ignored };
}

/** One step for each limit. */
export function updateSteps(limits: readonly PlacedLimit[]): Step[] {
  return limits.map(({ cgroup, limit: one }) => limitStep(cgroup.directory, one));
}

/** Every file that these limits are written to; what they hold now is what `restoreSteps` wants. */
export function writtenFiles(limits: readonly PlacedLimit[]): Bytes[] {
  return limits.flatMap(({ cgroup, limit: one }) =>
    filesOf(one).map((file) => `${cgroup.directory}/${file}`),
  );
}

/**
 * Puts back what was written, last first, so that every state on the way is one that was there before. Files with a
 * line for each device are left as they are.
 */
export function restoreSteps(written: readonly PlacedLimit[], before: Contents): Step[] {
  return [...written].reverse().flatMap(({ cgroup, limit: one }) =>
    filesOf(one).flatMap((file) => {
      const content = before.get(`${cgroup.directory}/${file}`);
      if (content === undefined || !isOneValue(content)) return [];
      const text = content.trim() === '' ? '\n' : content.trim();
      return [limitStep(cgroup.directory, limit(file, text, one.provenance, { optional: true }))];
    }),
  );
}

function filesOf({ file, or }: Limit): Bytes[] {
  return or === undefined ? [file] : [file, or.file];
}

/** Not a table by device. */
function isOneValue(content: Bytes): boolean {
  return !content.trim().includes('\n') && !content.includes(':');
}

function currentLimits(cgroups: readonly Cgroup[], contents: Contents): CurrentLimits {
  const read = (suffix: RegExp) => {
    const file = updateFiles(cgroups).find((path) => suffix.test(path));
    return file === undefined ? undefined : contents.get(file);
  };
  const size = parseNumber(read(/\/memory\.(max|limit_in_bytes)$/));
  const usage = parseNumber(read(/\/memory\.(current|usage_in_bytes)$/));
  const [quota, period] = (read(/\/cpu\.max$/) ?? '').trim().split(' ').map(parseNumber);
  return {
    ...(size === undefined ? {} : { memoryLimit: size }),
    ...(usage === undefined ? {} : { memoryUsage: usage }),
    ...(quota === undefined || quota === MAX ? {} : { cpuQuota: quota }),
    ...(period === undefined ? {} : { cpuPeriod: period }),
  };
}
