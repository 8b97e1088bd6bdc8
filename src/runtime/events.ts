// What happens in a container, for who watches it: statistics, and processes killed for want of memory (`runc events`).
import { hierarchyOf } from '../cgroups/layout.ts';
import type { Cgroup } from '../cgroups/path.ts';
import { type Statistics, statistics, statisticsFiles } from '../cgroups/statistics.ts';
import { parseFlatKeyed } from '../cgroups/statistics-files.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import { type Container, readContainer, type Target } from './container.ts';
import { sleep } from './removal.ts';
import { statisticsData } from './statistics-event.ts';

/** One line of `runc events`. */
export interface ContainerEvent {
  readonly type: 'stats' | 'oom';
  readonly id: Bytes;
  /** Of the type `stats` only: see `statisticsData`. */
  readonly data?: object;
}

/** How often the counts of the memory controller and the container's life are looked at, in milliseconds. */
const LOOK = 100;

/**
 * What the container uses now, as `runc events --stats` prints it. Throws CaissonError ENOTFOUND without such a
 * container, ESTOPPED when it has ended.
 */
export function containerStatistics(port: Port, target: Target): ContainerEvent {
  return statisticsEvent(port, running(port, target));
}

/**
 * Calls `onEvent` with statistics every `interval` milliseconds, first after one interval, and whenever the kernel
 * has killed processes of the container for want of memory; returns when the container has ended, or `stop` says so.
 * Throws as `containerStatistics`.
 */
export async function watchEvents(
  port: Port,
  target: Target,
  interval: number,
  onEvent: (event: ContainerEvent) => void,
  stop: () => boolean = () => false,
): Promise<void> {
  const container = running(port, target);
  const { cgroups, id } = container.record;
  let known = memoryTrouble(port, cgroups);
  let due = port.monotonic() + interval * NANOSECONDS;
  while (!stop()) {
    const left = (due - port.monotonic()) / NANOSECONDS;
    await sleep(port, Math.max(1, Math.min(LOOK, left)));
    const alive = isRunning(port, target, container);
    const trouble = memoryTrouble(port, cgroups);
    if (trouble.kills > known.kills || (trouble.stuck && !known.stuck)) onEvent({ type: 'oom', id });
    known = trouble;
    if (!alive) return;
    if (port.monotonic() < due) continue;
    onEvent(statisticsEvent(port, container));
    due = Math.max(due + interval * NANOSECONDS, port.monotonic());
  }
}

const NANOSECONDS = 1e6;

function running(port: Port, target: Target): Container {
  const container = readContainer(port, target);
  if (container.status !== 'stopped') return container;
  throw new CaissonError(`container with id ${target.id} is not running`, {
    code: 'ESTOPPED',
    exitCode: 1,
  });
}

/** The same container, not a later one of its id. */
function isRunning(port: Port, target: Target, { record }: Container): boolean {
  try {
    const now = readContainer(port, target);
    return now.status !== 'stopped' && now.record.oci.created === record.oci.created;
  } catch (error) {
    if (error instanceof CaissonError) return false;
    throw error;
  }
}

function statisticsEvent(port: Port, { record }: Container): ContainerEvent {
  return { type: 'stats', id: record.id, data: statisticsData(measure(port, record.cgroups)) };
}

/** The container's statistics as numbers. */
export function measure(port: Port, cgroups: readonly Cgroup[]): Statistics {
  const sizes = hierarchyOf(cgroups, 'hugetlb') === undefined ? [] : hugePageSizes(port);
  const files = statisticsFiles(cgroups, sizes);
  return statistics(cgroups, new Map(files.map((file) => [file, readable(port, file)])), sizes);
}

/** `hugepages-2048kB` as `2MB`, the way in which cgroup files name them. */
function hugePageSizes(port: Port): Bytes[] {
  return port.list('/sys/kernel/mm/hugepages').flatMap((name) => {
    const size = Number(/^hugepages-([0-9]+)kB$/.exec(name)?.[1]);
    if (!(size > 0)) return [];
    if (size % 1048576 === 0) return [`${size / 1048576}GB`];
    return [size % 1024 === 0 ? `${size / 1024}MB` : `${size}KB`];
  });
}

interface MemoryTrouble {
  readonly kills: number;
  /** v1 with the killer turned off: processes wait for memory. */
  readonly stuck: boolean;
}

function memoryTrouble(port: Port, cgroups: readonly Cgroup[]): MemoryTrouble {
  const memory = hierarchyOf(cgroups, 'memory');
  if (memory === undefined) return { kills: 0, stuck: false };
  const name = memory.version === 1 ? 'memory.oom_control' : 'memory.events';
  const counts = parseFlatKeyed(readable(port, `${memory.directory}/${name}`));
  const disabled = counts.get('oom_kill_disable') === 1;
  return {
    kills: Number(counts.get('oom_kill') ?? 0),
    stuck: disabled && counts.get('under_oom') === 1,
  };
}

/** A file may be missing, not readable (EOPNOTSUPP of a pressure file), or gone with its cgroup (ENODEV). */
function readable(port: Port, file: Bytes): Bytes | undefined {
  try {
    return port.readFile(file);
  } catch {
    return undefined;
  }
}
