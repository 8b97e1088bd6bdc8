// The limits of `linux.resources` as files of cgroup v2 (kernel: Documentation/admin-guide/cgroup-v2.rst).
import { ERRNO } from '../linux/errno.ts';
import type { Int64, LinuxBlockIO, LinuxCPU, LinuxMemory } from '../spec/runtime-spec.ts';
import { cpuWeight, ioWeight, swapMaximum } from './conversion.ts';
import {
  asked,
  type CurrentLimits,
  invalid,
  isUnlimited,
  type Limit,
  type LimitContext,
  type LimitRules,
  limit,
  resource,
  unsupported,
} from './limit.ts';
import { checkMemory, hugetlb, rdma, throttles, WEIGHT_OF_IDLE, weightRange } from './resource-fields.ts';
import { LIMITS_V1, pidsLimits } from './resources-v1.ts';
import { MAX } from './statistics-files.ts';

/** cgroup v2. What has no equal there is refused, as the specification asks (config-linux.md, Unified). */
export const LIMITS_V2: LimitRules = {
  memory: ({ memory }, context) => (memory === undefined ? [] : memoryLimits(memory, context)),
  cpu: ({ cpu }, context) => (cpu === undefined ? [] : cpuLimits(cpu, context)),
  cpuset: LIMITS_V1.cpuset,
  pids: pidsLimits,
  io: ({ blockIO }, context) => (blockIO === undefined ? [] : ioLimits(blockIO, context)),
  hugetlb: ({ hugepageLimits }) => hugetlb(hugepageLimits, 'max'),
  rdma,
  net_cls: () => [],
  net_prio: () => [],
  unified: ({ unified }) =>
    Object.entries(unified ?? {}).flatMap(([file, text]) => {
      const at = resource('unified', file);
      if (file.includes('/') || !/^[^.]+\../.test(file)) {
        throw invalid(`unified.${file} is not the name of a cgroup v2 file (CONTROLLER.PARAMETER)`, at);
      }
      // The kernel takes one line per write (io.max).
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => limit(file, line, at));
    }),
};

function orMax(value: Int64): Int64 | 'max' {
  return isUnlimited(value) ? 'max' : value;
}

function memoryLimits(memory: LinuxMemory, context: LimitContext): Limit[] {
  checkMemory(memory, context);
  refuseOld(memory, context);
  const limits: Limit[] = [];
  const swap = swapMaximum(memory.swap, limitForSwap(memory, context));
  if (swap !== undefined) {
    const field = asked(memory.swap) ? 'swap' : 'limit';
    // Without swap accounting there is nothing to forbid and nothing to allow.
    const optional = swap === 'max' || !asked(swap);
    limits.push(limit('memory.swap.max', swap, resource('memory', field), optional ? { optional } : {}));
  }
  if (asked(memory.limit)) limits.push(limit('memory.max', orMax(memory.limit), resource('memory', 'limit')));
  if (asked(memory.reservation)) {
    limits.push(limit('memory.low', orMax(memory.reservation), resource('memory', 'reservation')));
  }
  return limits;
}

/** v1's value of swap includes the limit, which may be one that was set before. */
function limitForSwap({ limit: size, swap }: LinuxMemory, { update }: LimitContext): Int64 | undefined {
  if (asked(size) || !asked(swap) || swap < 0) return size;
  const current = update?.memoryLimit;
  if (current === undefined)
    throw invalid(
      'memory.swap (memory plus swap) needs memory.limit on cgroup v2',
      resource('memory', 'swap'),
    );
  if (current === MAX) return -1;
  if (current <= swap) return current;
  throw invalid(
    `memory.swap (memory plus swap) is ${swap}, below the memory limit ${current}`,
    resource('memory', 'swap'),
  );
}

function refuseOld(memory: LinuxMemory, { ignore }: LimitContext): void {
  if (memory.disableOOMKiller === true) {
    throw unsupported(
      'memory.disableOOMKiller has no equal on cgroup v2',
      resource('memory', 'disableOOMKiller'),
    );
  }
  if (memory.swappiness !== undefined && !isUnlimited(memory.swappiness)) {
    throw unsupported('memory.swappiness has no equal on cgroup v2', resource('memory', 'swappiness'));
  }
  if (asked(memory.kernelTCP)) {
    ignore(
      resource('memory', 'kernelTCP'),
      'cgroup v2 counts TCP buffers as memory, without a limit of their own',
    );
  }
}

function cpuLimits(cpu: LinuxCPU, { update }: LimitContext): Limit[] {
  for (const field of ['realtimeRuntime', 'realtimePeriod'] as const) {
    if (asked(cpu[field]))
      throw unsupported(`cpu.${field} has no equal on cgroup v2`, resource('cpu', field));
  }
  const { shares, quota, period, burst } = cpu;
  const weight = asked(shares) ? [limit('cpu.weight', cpuWeight(shares), resource('cpu', 'shares'))] : [];
  const idle = cpu.idle === undefined ? [] : [limit('cpu.idle', cpu.idle, resource('cpu', 'idle'))];
  // Idle goes last when it is turned on: after it the weight is refused.
  const turnedOn = cpu.idle === 1 || cpu.idle === 1n;
  const limits = turnedOn
    ? [...weight.map((first) => ({ ...first, tolerate: WEIGHT_OF_IDLE })), ...idle]
    : [...idle, ...weight];
  const burstLimit = burst === undefined ? [] : [limit('cpu.max.burst', burst, resource('cpu', 'burst'))];
  if (!asked(quota) && !asked(period)) return [...limits, ...burstLimit];
  // A burst is at most the quota, so either may have to change first in a running container.
  if (update !== undefined)
    limits.push(...burstLimit.map((first) => ({ ...first, tolerate: [ERRNO.EINVAL] })));
  const field = asked(quota) ? 'quota' : 'period';
  return [...limits, limit('cpu.max', cpuMax(cpu, update), resource('cpu', field)), ...burstLimit];
}

/** Both numbers are written at once: the one that is not given stays what it is. */
function cpuMax({ quota, period }: LinuxCPU, update: CurrentLimits | undefined): string {
  const first = asked(quota) ? quota : update?.cpuQuota;
  const second = asked(period) ? period : (update?.cpuPeriod ?? 100000);
  return `${first !== undefined && first > 0 ? first : 'max'} ${second}`;
}

/** A weight is for BFQ, for io.cost, or for both, whichever this kernel has. */
function ioLimits(blockIO: LinuxBlockIO, { ignore }: LimitContext): Limit[] {
  const limits: Limit[] = [];
  const weigh = (weight: number, at: string, device = '') => {
    weightRange(weight, at);
    const cost = { file: 'io.weight', text: `${device}${ioWeight(weight)}` };
    limits.push(limit('io.bfq.weight', `${device}${weight}`, at, { or: cost }));
  };
  if (asked(blockIO.weight)) weigh(blockIO.weight, resource('blockIO', 'weight'));
  if (asked(blockIO.leafWeight)) ignore(resource('blockIO', 'leafWeight'), 'cgroup v2 has no leaf weights');
  blockIO.weightDevice?.forEach(({ major, minor, weight, leafWeight }, index) => {
    const at = (field: string) => resource('blockIO', 'weightDevice', index, field);
    if (asked(leafWeight)) ignore(at('leafWeight'), 'cgroup v2 has no leaf weights');
    if (asked(weight)) weigh(weight, at('weight'), `${major}:${minor} `);
  });
  for (const { kind, index, field, device } of throttles(blockIO)) {
    const rate = asked(device.rate) ? device.rate : 'max';
    const text = `${device.major}:${device.minor} ${kind.read ? 'r' : 'w'}${kind.unit}=${rate}`;
    limits.push(limit('io.max', text, resource('blockIO', field, index)));
  }
  return limits;
}
