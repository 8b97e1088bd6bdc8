// `stats`: what containers use now, computed from their cgroups as docker does.
import type { Cgroup } from '../../cgroups/path.ts';
import type { Statistics } from '../../cgroups/statistics.ts';
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { measure } from '../../runtime/events.ts';
import { sleep } from '../../runtime/removal.ts';
import { boundView, findBound } from './bound-view.ts';
import type { Engine } from './engine.ts';
import { findContainer, noSuchContainer } from './find.ts';
import { boundRecords, containerSummaries, isUp } from './list.ts';

/** What a container uses. A container that does not run uses nothing. */
export interface ContainerUsage {
  readonly id: Bytes;
  readonly name: Bytes;
  /** Of one processor: 200 is two that are always busy. */
  readonly cpuPercent: number;
  /** Bytes, without what the page cache could give back at once. */
  readonly memory: number;
  /** The container's limit, or what the machine has. */
  readonly memoryLimit: number;
  readonly memoryPercent: number;
  /** Bytes that came in and went out, over all interfaces of its network namespace but lo. */
  readonly received: number;
  readonly sent: number;
  /** Bytes from and to block devices. */
  readonly read: number;
  readonly written: number;
  readonly processes: number;
  readonly running: boolean;
}

/** One look at a container; two of them make a usage. */
export interface UsageSample {
  readonly id: Bytes;
  readonly name: Bytes;
  /** Nanoseconds of CLOCK_MONOTONIC. */
  readonly at: number;
  readonly statistics: Statistics | undefined;
  readonly network: { readonly received: number; readonly sent: number };
}

/** Milliseconds between the two looks of a single answer (docker's daemon takes one a second). */
const APART = 1000;

interface Watched {
  readonly id: Bytes;
  readonly name: Bytes;
  readonly pid: number;
  readonly cgroups: readonly Cgroup[];
}

/** Looks once; `names` empty: all that run, or with `all` all. Throws CaissonError `ENOTFOUND` for a name that is none. */
export async function sampleUsage(
  engine: Engine,
  names: readonly Bytes[],
  all: boolean,
): Promise<UsageSample[]> {
  const watched = names.length > 0 ? names.map((name) => named(engine, name)) : await everything(engine, all);
  return watched.map(({ id, name, pid, cgroups }) => ({
    id,
    name,
    at: engine.port.monotonic(),
    statistics: pid === 0 ? undefined : measure(engine.port, cgroups),
    network: pid === 0 ? { received: 0, sent: 0 } : networkBytes(engine.port, pid),
  }));
}

/** The usage of containers, measured over one second. Throws as `sampleUsage`. */
export async function containerUsage(
  engine: Engine,
  names: readonly Bytes[],
  all = false,
): Promise<ContainerUsage[]> {
  const before = await sampleUsage(engine, names, all);
  await sleep(engine.port, APART);
  return usages(engine.port, before, await sampleUsage(engine, names, all));
}

function named(engine: Engine, text: Bytes): Watched {
  const record = findBound(engine, text);
  if (record !== undefined) {
    const view = boundView(engine, text);
    if (view === undefined) throw noSuchContainer(text);
    return { id: record.id, name: view.file.name, pid: view.pid, cgroups: record.cgroups };
  }
  const { file, pid, record: run } = findContainer(engine, text);
  return { id: file.id, name: file.name, pid, cgroups: run?.cgroups ?? [] };
}

async function everything(engine: Engine, all: boolean): Promise<Watched[]> {
  const summaries = await containerSummaries(engine, { all });
  const bound = new Map(boundRecords(engine).map((record) => [record.id, record.cgroups]));
  return summaries.flatMap((each) => {
    const { id, name, pid } = each;
    if (!isUp(each)) return [{ id, name, pid: 0, cgroups: [] }];
    if (each.bound) return [{ id, name, pid, cgroups: bound.get(id) ?? [] }];
    try {
      return [{ id, name, pid, cgroups: findContainer(engine, id).record?.cgroups ?? [] }];
    } catch {
      // It has gone since the list was made.
      return [];
    }
  });
}

/** What lies between two looks; a container without an earlier one has used no processor yet. */
export function usages(
  port: Port,
  before: readonly UsageSample[],
  now: readonly UsageSample[],
): ContainerUsage[] {
  const earlier = new Map(before.map((sample) => [sample.id, sample]));
  const machine = machineMemory(port);
  return now.map((sample) => usageOf(sample, earlier.get(sample.id), machine));
}

function usageOf(sample: UsageSample, before: UsageSample | undefined, machine: number): ContainerUsage {
  const { id, name, statistics, network } = sample;
  if (statistics === undefined) {
    const none = { cpuPercent: 0, memory: 0, memoryLimit: 0, memoryPercent: 0, read: 0, written: 0 };
    return { id, name, ...none, ...network, processes: 0, running: false };
  }
  const limit = Number(statistics.memory.usage.limit);
  const memory = memoryOf(statistics);
  const memoryLimit = limit > 0 && limit < machine ? limit : machine;
  return {
    id,
    name,
    cpuPercent: cpuPercent(sample, before),
    memory,
    memoryLimit,
    memoryPercent: memoryLimit === 0 ? 0 : (100 * memory) / memoryLimit,
    ...network,
    ...blockBytes(statistics),
    processes: Number(statistics.pids.current),
    running: true,
  };
}

function cpuPercent({ at, statistics }: UsageSample, before: UsageSample | undefined): number {
  if (before?.statistics === undefined || statistics === undefined || at <= before.at) return 0;
  const used = Number(statistics.cpu.usage.total) - Number(before.statistics.cpu.usage.total);
  return Math.max(0, (100 * used) / (at - before.at));
}

/** docker/cli, calculateMemUsageUnixNoCache: without the cold part of the page cache. */
function memoryOf({ memory: { usage, raw } }: Statistics): number {
  const used = Number(usage.usage);
  const cold = Number(raw.total_inactive_file ?? raw.inactive_file ?? 0);
  return cold < used ? used - cold : used;
}

function blockBytes({ blkio }: Statistics): { readonly read: number; readonly written: number } {
  const sum = (wanted: Bytes): number =>
    (blkio.ioServiceBytesRecursive ?? [])
      .filter(({ op = '' }) => op.toLowerCase() === wanted)
      .reduce((total, { value }) => total + Number(value), 0);
  return { read: sum('read'), written: sum('write') };
}

/** proc_pid_net(5): `name: bytes packets ... bytes`. The eighth number after the first is what was sent. */
function networkBytes(port: Port, pid: number): { readonly received: number; readonly sent: number } {
  let text: Bytes | undefined;
  try {
    // The host's own network is nobody's in particular (docker shows nothing either).
    if (port.stat(`/proc/${pid}/ns/net`)?.ino === port.stat('/proc/self/ns/net')?.ino)
      return { received: 0, sent: 0 };
    text = port.readFile(`/proc/${pid}/net/dev`);
  } catch {
    text = undefined;
  }
  const found = { received: 0, sent: 0 };
  for (const line of (text ?? '').split('\n').slice(2)) {
    const colon = line.indexOf(':');
    const numbers = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    if (colon < 0 || line.slice(0, colon).trim() === 'lo' || numbers.length < 9) continue;
    found.received += numbers[0] ?? 0;
    found.sent += numbers[8] ?? 0;
  }
  return found;
}

function machineMemory(port: Port): number {
  return Number(/^MemTotal:\s*([0-9]+) kB/m.exec(port.readFile('/proc/meminfo') ?? '')?.[1] ?? 0) * 1024;
}
