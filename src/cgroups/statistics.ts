// What a container uses: which files say it, and one shape for both versions of cgroups.
import type { Bytes } from '../linux/bytes.ts';
import { parseCpuList } from '../linux/cpulist.ts';
import type { Int64 } from '../spec/runtime-spec.ts';
import { BLKIO_FILES, type BlkioStatistics, blkioV1, blkioV2 } from './blkio-statistics.ts';
import { hierarchyOf } from './layout.ts';
import type { Cgroup } from './path.ts';
import { MAX, type Pressure, parseFlatKeyed, parseNumber, parsePressure } from './statistics-files.ts';

/** The data of `runc events --stats` (runc types/events.go), under the same names. Times in nanoseconds, sizes in bytes. */
export interface Statistics {
  readonly cpu: CpuStatistics;
  readonly cpuset: CpusetStatistics;
  readonly memory: MemoryStatistics;
  /** `limit` 0 is none, as in runc. */
  readonly pids: { readonly current: Int64; readonly limit: Int64 };
  readonly blkio: BlkioStatistics;
  /** By page size, `2MB`. */
  readonly hugetlb: Readonly<Record<Bytes, { usage: Int64; max: Int64; failcnt: Int64 }>>;
}

/** CPUs and memory nodes; the numbers of v1's flags by file, empty on v2. */
export interface CpusetStatistics {
  readonly cpus: readonly number[];
  readonly mems: readonly number[];
  readonly flags: Readonly<Partial<Record<CpusetFlag, Int64>>>;
}

export const CPUSET_FLAGS = [
  'cpu_exclusive',
  'mem_hardwall',
  'mem_exclusive',
  'memory_migrate',
  'memory_spread_page',
  'memory_spread_slab',
  'memory_pressure',
  'sched_load_balance',
  'sched_relax_domain_level',
] as const;

export type CpusetFlag = (typeof CPUSET_FLAGS)[number];

export interface CpuStatistics {
  readonly usage: {
    readonly total: Int64;
    readonly percpu: readonly Int64[];
    readonly percpuKernel: readonly Int64[];
    readonly percpuUser: readonly Int64[];
    readonly kernel: Int64;
    readonly user: Int64;
  };
  readonly throttling: {
    readonly periods: Int64;
    readonly throttledPeriods: Int64;
    readonly throttledTime: Int64;
  };
  readonly psi?: Pressure;
}

export interface MemoryEntry {
  readonly limit: Int64;
  readonly usage: Int64;
  /** The highest usage; 0 where the kernel does not keep it. */
  readonly max: Int64;
  readonly failcnt: Int64;
}

export interface MemoryStatistics {
  readonly cache: Int64;
  readonly usage: MemoryEntry;
  /** Memory plus swap, as v1 counts it. */
  readonly swap: MemoryEntry;
  readonly kernel: MemoryEntry;
  readonly kernelTCP: MemoryEntry;
  /** memory.stat. */
  readonly raw: Readonly<Record<Bytes, Int64>>;
  readonly psi?: Pressure;
}

export type Contents = ReadonlyMap<Bytes, Bytes | undefined>;

const V1: readonly (readonly [controller: Bytes, files: readonly Bytes[]])[] = [
  ['cpu', ['cpu.stat']],
  [
    'cpuacct',
    ['usage', 'usage_percpu', 'usage_all', 'usage_sys', 'usage_user'].map((name) => `cpuacct.${name}`),
  ],
  ['cpuset', ['cpus', 'mems', ...CPUSET_FLAGS].map((name) => `cpuset.${name}`)],
  ['memory', ['memory.stat', ...['', 'memsw.', 'kmem.', 'kmem.tcp.'].flatMap(v1MemoryFiles)]],
  ['pids', ['pids.current', 'pids.max']],
  ['blkio', BLKIO_FILES],
];
const V2: readonly (readonly [controller: Bytes, files: readonly Bytes[]])[] = [
  ['cpu', ['cpu.stat', 'cpu.pressure']],
  ['cpuset', ['cpuset.cpus.effective', 'cpuset.mems.effective']],
  [
    'memory',
    [
      ...['memory.stat', 'memory.current', 'memory.max', 'memory.peak', 'memory.events'],
      ...['memory.swap.current', 'memory.swap.max', 'memory.swap.events', 'memory.pressure'],
    ],
  ],
  ['pids', ['pids.current', 'pids.max', 'cgroup.procs']],
  ['io', ['io.stat', 'io.pressure']],
];

function v1MemoryFiles(kind: Bytes): Bytes[] {
  return ['usage_in_bytes', 'max_usage_in_bytes', 'failcnt', 'limit_in_bytes'].map(
    (name) => `memory.${kind}${name}`,
  );
}

/** The files to read, those that may be missing included. `pageSizes` are the huge page sizes of the host, `2MB`. */
export function statisticsFiles(cgroups: readonly Cgroup[], pageSizes: readonly Bytes[] = []): Bytes[] {
  const files = cgroups.flatMap(({ version, controllers, directory }) =>
    (version === 1 ? V1 : V2)
      .filter(([controller]) => controllers.includes(controller))
      .flatMap(([, names]) => names.map((name) => `${directory}/${name}`)),
  );
  const huge = hierarchyOf(cgroups, 'hugetlb');
  if (huge === undefined) return files;
  return [...files, ...pageSizes.flatMap((size) => hugetlbFiles(huge, size))];
}

function hugetlbFiles({ version, directory }: Cgroup, size: Bytes): Bytes[] {
  const names =
    version === 1
      ? ['rsvd.usage_in_bytes', 'rsvd.max_usage_in_bytes', 'rsvd.failcnt']
      : ['rsvd.current', 'current', 'events'];
  return names.map((name) => `${directory}/hugetlb.${size}.${name}`);
}

/** Reads one file of the cgroup that has a controller. */
type Reader = (name: Bytes) => Bytes | undefined;

/** What the contents of `statisticsFiles` say; what is missing counts as 0. */
export function statistics(
  cgroups: readonly Cgroup[],
  contents: Contents,
  pageSizes: readonly Bytes[] = [],
): Statistics {
  const reader = (...controllers: readonly Bytes[]): { read: Reader; version: 1 | 2 } => {
    const cgroup = controllers.map((name) => hierarchyOf(cgroups, name)).find((found) => found !== undefined);
    return { version: cgroup?.version ?? 1, read: (name) => contents.get(`${cgroup?.directory}/${name}`) };
  };
  const memory = reader('memory');
  const io = reader('blkio', 'io');
  const pids = reader('pids').read;
  const cpuset = reader('cpuset');
  const effective = cpuset.version === 1 ? '' : '.effective';
  const limit = parseNumber(pids('pids.max')) ?? 0;
  return {
    cpu: cpuStatistics(reader('cpu'), reader('cpuacct').read),
    cpuset: {
      cpus: cpuList(cpuset.read(`cpuset.cpus${effective}`)),
      mems: cpuList(cpuset.read(`cpuset.mems${effective}`)),
      flags: cpusetFlags(cpuset.read),
    },
    memory: memory.version === 1 ? memoryV1(memory.read) : memoryV2(memory.read),
    pids: { current: processCount(pids), limit: limit === MAX ? 0 : limit },
    blkio: io.version === 1 ? blkioV1(io.read) : blkioV2(io.read),
    hugetlb: Object.fromEntries(
      pageSizes.flatMap((size) => {
        const entry = hugetlbEntry(reader('hugetlb'), size);
        return entry === undefined ? [] : [[size, entry] as const];
      }),
    ),
  };
}

/** On v2 the controller may not be handed down to the container: the processes themselves are there. */
function processCount(read: Reader): Int64 {
  const lines = read('cgroup.procs')?.split('\n').length ?? 1;
  return parseNumber(read('pids.current')) ?? lines - 1;
}

function cpuList(text: Bytes | undefined): number[] {
  return text === undefined || text.trim() === '' ? [] : parseCpuList(text.trim());
}

function cpusetFlags(read: Reader): CpusetStatistics['flags'] {
  const found: Partial<Record<CpusetFlag, Int64>> = {};
  for (const flag of CPUSET_FLAGS) {
    const value = parseNumber(read(`cpuset.${flag}`));
    if (value !== undefined) found[flag] = value;
  }
  return found;
}

/** A column of cpuacct.usage_all: `cpu user system` and a line for each CPU. */
function usageOf(text: Bytes | undefined, column: 1 | 2): Int64[] {
  return (text ?? '')
    .split('\n')
    .slice(1)
    .flatMap((line) => parseNumber(line.split(' ')[column]) ?? []);
}

function cpuStatistics(cpu: { read: Reader; version: 1 | 2 }, cpuacct: Reader): CpuStatistics {
  const stat = parseFlatKeyed(cpu.read('cpu.stat'));
  const get = (key: Bytes) => stat.get(key) ?? 0;
  const throttling = { periods: get('nr_periods'), throttledPeriods: get('nr_throttled') };
  if (cpu.version === 1) {
    return {
      usage: {
        total: parseNumber(cpuacct('cpuacct.usage')) ?? 0,
        percpu: (cpuacct('cpuacct.usage_percpu') ?? '')
          .trim()
          .split(' ')
          .flatMap((text) => parseNumber(text) ?? []),
        percpuKernel: usageOf(cpuacct('cpuacct.usage_all'), 2),
        percpuUser: usageOf(cpuacct('cpuacct.usage_all'), 1),
        kernel: parseNumber(cpuacct('cpuacct.usage_sys')) ?? 0,
        user: parseNumber(cpuacct('cpuacct.usage_user')) ?? 0,
      },
      throttling: { ...throttling, throttledTime: get('throttled_time') },
    };
  }
  const nanoseconds = (key: Bytes) => times(get(key), 1000);
  const psi = parsePressure(cpu.read('cpu.pressure'));
  return {
    usage: {
      total: nanoseconds('usage_usec'),
      percpu: [],
      percpuKernel: [],
      percpuUser: [],
      kernel: nanoseconds('system_usec'),
      user: nanoseconds('user_usec'),
    },
    throttling: { ...throttling, throttledTime: nanoseconds('throttled_usec') },
    ...(psi === undefined ? {} : { psi }),
  };
}

function memoryV1(read: Reader): MemoryStatistics {
  const stat = parseFlatKeyed(read('memory.stat'));
  const entry = (kind: Bytes): MemoryEntry => {
    const [usage, max, failcnt, limit] = v1MemoryFiles(kind).map((name) => parseNumber(read(name)) ?? 0);
    return { limit: limit ?? 0, usage: usage ?? 0, max: max ?? 0, failcnt: failcnt ?? 0 };
  };
  return {
    cache: stat.get('cache') ?? 0,
    usage: entry(''),
    swap: entry('memsw.'),
    kernel: entry('kmem.'),
    kernelTCP: entry('kmem.tcp.'),
    raw: Object.fromEntries(stat),
  };
}

function memoryV2(read: Reader): MemoryStatistics {
  const stat = parseFlatKeyed(read('memory.stat'));
  const number = (name: Bytes) => parseNumber(read(name)) ?? 0;
  const usage = {
    limit: number('memory.max'),
    usage: number('memory.current'),
    max: number('memory.peak'),
    failcnt: parseFlatKeyed(read('memory.events')).get('max') ?? 0,
  };
  const swapLimit = number('memory.swap.max');
  const swap = {
    limit: swapLimit === MAX || usage.limit === MAX ? MAX : plus(swapLimit, usage.limit),
    usage: plus(number('memory.swap.current'), usage.usage),
    max: 0,
    failcnt: parseFlatKeyed(read('memory.swap.events')).get('max') ?? 0,
  };
  const none = { limit: 0, usage: 0, max: 0, failcnt: 0 };
  const psi = parsePressure(read('memory.pressure'));
  return {
    cache: stat.get('file') ?? 0,
    usage,
    swap,
    kernel: none,
    kernelTCP: none,
    raw: Object.fromEntries(stat),
    ...(psi === undefined ? {} : { psi }),
  };
}

/** Undefined where the controller is not handed down to the container. */
function hugetlbEntry({ read, version }: { read: Reader; version: 1 | 2 }, size: Bytes) {
  const number = (name: Bytes) => parseNumber(read(`hugetlb.${size}.${name}`));
  if (version === 1) {
    const usage = number('rsvd.usage_in_bytes');
    const max = number('rsvd.max_usage_in_bytes') ?? 0;
    return usage === undefined ? undefined : { usage, max, failcnt: number('rsvd.failcnt') ?? 0 };
  }
  const usage = number('rsvd.current') ?? number('current');
  const events = parseFlatKeyed(read(`hugetlb.${size}.events`));
  return usage === undefined ? undefined : { usage, max: 0, failcnt: events.get('max') ?? 0 };
}

function plus(left: Int64, right: Int64): Int64 {
  return exact(BigInt(left) + BigInt(right));
}

function times(left: Int64, right: number): Int64 {
  const product = Number(left) * right;
  return Number.isSafeInteger(product) ? product : exact(BigInt(left) * BigInt(right));
}

function exact(value: bigint): Int64 {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
