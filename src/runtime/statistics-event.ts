// The statistics of a container in the words of `runc events --stats` (runc types/events.go): what is 0 is left out there.
import { BLKIO_TABLES, type BlkioStatistics } from '../cgroups/blkio-statistics.ts';
import {
  CPUSET_FLAGS,
  type CpuStatistics,
  type CpusetStatistics,
  type MemoryEntry,
  type MemoryStatistics,
  type Statistics,
} from '../cgroups/statistics.ts';
import type { BlkioEntry, Pressure, PressureLine } from '../cgroups/statistics-files.ts';

/** `data` of an event of the type `stats`; numbers beyond 2^53 are bigints, which `stringifyJson` writes exactly. */
export function statisticsData(found: Statistics): object {
  return {
    cpu: cpuData(found.cpu),
    cpuset: cpusetData(found.cpuset),
    memory: memoryData(found.memory),
    pids: shown(found.pids),
    blkio: blkioData(found.blkio),
    hugetlb: Object.fromEntries(
      Object.entries(found.hugetlb).map(([size, { usage, max, failcnt }]) => [
        size,
        { ...shown({ usage, max }), failcnt },
      ]),
    ),
    intel_rdt: {},
    network_interfaces: null,
  };
}

function cpuData({ usage, throttling, psi }: CpuStatistics): object {
  const { total, percpu, percpuKernel, percpuUser, kernel, user } = usage;
  const counts = shown(throttling);
  return {
    usage: {
      ...shown({ total, percpu, percpu_kernel: percpuKernel, percpu_user: percpuUser }),
      kernel,
      user,
    },
    ...(isEmpty(counts) ? {} : { throttling: counts }),
    ...pressureData(psi),
  };
}

/** The names are those of v1's files; two are in runc's words the one between the other. */
function cpusetData({ cpus, mems, flags }: CpusetStatistics): object {
  const [exclusive, ...others] = CPUSET_FLAGS.map((flag) => [flag, flags[flag] ?? 0] as const);
  return {
    ...shown({ cpus }),
    ...(exclusive === undefined ? {} : Object.fromEntries([exclusive])),
    ...shown({ mems }),
    ...Object.fromEntries(others),
  };
}

function memoryData({ cache, usage, swap, kernel, kernelTCP, raw, psi }: MemoryStatistics): object {
  return {
    ...shown({ cache }),
    ...entryData('usage', usage),
    ...entryData('swap', swap),
    ...entryData('kernel', kernel),
    ...entryData('kernelTCP', kernelTCP),
    ...(isEmpty(raw) ? {} : { raw: Object.fromEntries(Object.entries(raw).sort(byName)) }),
    ...pressureData(psi),
  };
}

function entryData(name: string, { limit, usage, max, failcnt }: MemoryEntry): object {
  const known = shown({ limit, usage, max, failcnt });
  return isEmpty(known) ? {} : { [name]: { limit, ...shown({ usage, max }), failcnt } };
}

function blkioData(found: BlkioStatistics): object {
  const tables = BLKIO_TABLES.flatMap((name) => {
    const entries = found[name];
    return entries === undefined ? [] : [[name, entries.map(blkioEntry)] as const];
  });
  return { ...Object.fromEntries(tables), ...pressureData(found.psi) };
}

function blkioEntry({ major, minor, op, value }: BlkioEntry): object {
  return shown({ major, minor, op, value });
}

function pressureData(psi: Pressure | undefined): object {
  if (psi === undefined) return {};
  return { psi: { ...pressureLine('some', psi.some), ...pressureLine('full', psi.full) } };
}

function pressureLine(name: string, line: PressureLine): object {
  return isEmpty(shown({ ...line })) ? {} : { [name]: line };
}

/** Without zeros, empty texts and empty lists. */
function shown(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isZero(value)));
}

function isZero(value: unknown): boolean {
  return value === 0 || value === 0n || value === '' || (Array.isArray(value) && value.length === 0);
}

function isEmpty(fields: object): boolean {
  return Object.keys(fields).length === 0;
}

function byName([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1;
}
