// From the configuration's cgroup v1 units to those of cgroup v2.
import type { Int64 } from '../spec/runtime-spec.ts';

/**
 * cpu.weight (1..10000) of CPU shares (2..262144), 0 for 0. The quadratic fit in log2 that runc 1.3.2 and crun 1.23
 * introduced (opencontainers/cgroups issue 20): 2 -> 1, 1024 -> 100, 262144 -> 10000; before, 1024 gave 39.
 */
export function cpuWeight(shares: Int64): number {
  if (shares <= 0) return 0;
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  const log = Math.log2(Number(shares));
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

/** io.weight (1..10000) of a blkio weight (10..1000), linear. */
export function ioWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}

/**
 * memory.swap.max of v1's memory plus swap, undefined where nothing is to be written: `max`, or the difference.
 * Throws RangeError, with the reason as its message, when swap is asked for without a limit or is below it.
 */
export function swapMaximum(swap: Int64 | undefined, limit: Int64 | undefined): Int64 | 'max' | undefined {
  const wanted = swap ?? 0;
  const memory = limit ?? 0;
  if (wanted <= 0) return wanted < 0 || memory < 0 ? 'max' : undefined;
  if (memory < 0) return wanted;
  if (memory <= 0) throw new RangeError('memory.swap (memory plus swap) needs memory.limit on cgroup v2');
  if (wanted < memory) throw new RangeError('memory.swap (memory plus swap) is below memory.limit');
  return BigInt(wanted) - BigInt(memory);
}
