// The limits of `linux.resources` as files of cgroup v1 (kernel: Documentation/admin-guide/cgroup-v1).
import { ERRNO } from '../linux/errno.ts';
import type { LinuxBlockIO, LinuxCPU, LinuxMemory, LinuxResources } from '../spec/runtime-spec.ts';
import {
  asked,
  invalid,
  isUnlimited,
  type Limit,
  type LimitContext,
  type LimitRules,
  limit,
  requireRange,
  resource,
  unsupported,
} from './limit.ts';
import { checkMemory, hugetlb, rdma, throttles, WEIGHT_OF_IDLE, weightRange } from './resource-fields.ts';

/** What cgroup v1 makes of every group. */
export const LIMITS_V1: LimitRules = {
  memory: ({ memory }, context) => (memory === undefined ? [] : memoryLimits(memory, context)),
  cpu: ({ cpu }, context) => (cpu === undefined ? [] : cpuLimits(cpu, context)),
  cpuset: ({ cpu }) => cpusetLimits(cpu),
  pids: pidsLimits,
  io: ({ blockIO }) => (blockIO === undefined ? [] : blkioLimits(blockIO)),
  hugetlb: ({ hugepageLimits }) => hugetlb(hugepageLimits, 'limit_in_bytes'),
  rdma,
  net_cls: ({ network }) =>
    asked(network?.classID)
      ? [limit('net_cls.classid', network.classID, resource('network', 'classID'))]
      : [],
  net_prio: ({ network }) =>
    (network?.priorities ?? []).map(({ name, priority }, index) => {
      if (name === '' || /\s/.test(name)) {
        throw invalid(
          `network.priorities.${index}.name is not the name of an interface`,
          resource('network', 'priorities', index, 'name'),
        );
      }
      return limit('net_prio.ifpriomap', `${name} ${priority}`, resource('network', 'priorities', index));
    }),
  unified: ({ unified }) => {
    const [first] = Object.keys(unified ?? {});
    if (first === undefined) return [];
    throw unsupported(
      `invalid configuration: unified.${first} is a cgroup v2 file, and this host has cgroup v1`,
      resource('unified', first),
    );
  },
};

function memoryLimits(memory: LinuxMemory, context: LimitContext): Limit[] {
  checkMemory(memory, context);
  const limits = [...sizeLimits(memory, context)];
  if (asked(memory.kernelTCP)) {
    limits.push(limit('memory.kmem.tcp.limit_in_bytes', memory.kernelTCP, resource('memory', 'kernelTCP')));
  }
  if (asked(memory.reservation)) {
    limits.push(limit('memory.soft_limit_in_bytes', memory.reservation, resource('memory', 'reservation')));
  }
  if (memory.disableOOMKiller === true) {
    limits.push(limit('memory.oom_control', '1', resource('memory', 'disableOOMKiller')));
  }
  if (memory.swappiness !== undefined && !isUnlimited(memory.swappiness)) {
    limits.push(limit('memory.swappiness', memory.swappiness, resource('memory', 'swappiness')));
  }
  return limits;
}

/** memsw may never be below limit, so the one that grows goes first: a fresh cgroup has both unlimited. */
function sizeLimits({ limit: size, swap }: LinuxMemory, { update }: LimitContext): Limit[] {
  const own = asked(size) ? [limit('memory.limit_in_bytes', size, resource('memory', 'limit'))] : [];
  if (asked(swap)) {
    const swapLimit = limit('memory.memsw.limit_in_bytes', swap, resource('memory', 'swap'));
    const current = update?.memoryLimit;
    const raised = isUnlimited(swap) || (current !== undefined && !isUnlimited(current) && current < swap);
    return raised ? [swapLimit, ...own] : [...own, swapLimit];
  }
  if (!isUnlimited(size)) return own;
  // "Unlimited memory" means with swap, where the kernel accounts swap.
  return [limit('memory.memsw.limit_in_bytes', -1, resource('memory', 'limit'), { optional: true }), ...own];
}

/** The kernel checks period, quota and burst against each other and the parent: an update may need a second try. */
function cpuLimits(cpu: LinuxCPU, { update }: LimitContext): Limit[] {
  const { shares, period, quota, burst } = cpu;
  const again = update !== undefined && asked(quota) ? { tolerate: [ERRNO.EINVAL] } : undefined;
  const periodLimit = asked(period) ? [limit('cpu.cfs_period_us', period, resource('cpu', 'period'))] : [];
  // runc goes on without burst where the file is missing, which is before 5.14.
  const burstLimit =
    burst === undefined
      ? []
      : [limit('cpu.cfs_burst_us', burst, resource('cpu', 'burst'), { optional: true })];
  const limits: Limit[] = [];
  if (again !== undefined)
    limits.push(...[...periodLimit, ...burstLimit].map((first) => ({ ...first, ...again })));
  else limits.push(...periodLimit);
  if (asked(quota)) limits.push(limit('cpu.cfs_quota_us', quota, resource('cpu', 'quota')));
  if (again !== undefined) limits.push(...periodLimit);
  limits.push(...burstLimit);

  // Idle goes last when it is turned on: after it the weight is refused.
  const idle = cpu.idle === undefined ? [] : [limit('cpu.idle', cpu.idle, resource('cpu', 'idle'))];
  const turnedOn = cpu.idle === 1 || cpu.idle === 1n;
  const weight: Limit[] = [];
  if (asked(shares)) {
    requireRange(shares, 2, 262144, resource('cpu', 'shares'));
    weight.push(
      limit('cpu.shares', shares, resource('cpu', 'shares'), turnedOn ? { tolerate: WEIGHT_OF_IDLE } : {}),
    );
  }
  limits.push(...(turnedOn ? [...weight, ...idle] : [...idle, ...weight]));
  return [...limits, ...realtimeLimits(cpu, update !== undefined)];
}

function realtimeLimits({ realtimePeriod, realtimeRuntime }: LinuxCPU, update: boolean): Limit[] {
  const period = asked(realtimePeriod)
    ? [limit('cpu.rt_period_us', realtimePeriod, resource('cpu', 'realtimePeriod'))]
    : [];
  if (!asked(realtimeRuntime)) return period;
  const runtime = limit('cpu.rt_runtime_us', realtimeRuntime, resource('cpu', 'realtimeRuntime'));
  if (!update) return [...period, runtime];
  return [...period.map((first) => ({ ...first, tolerate: [ERRNO.EINVAL] })), runtime, ...period];
}

function cpusetLimits(cpu: LinuxCPU | undefined): Limit[] {
  const limits: Limit[] = [];
  if (cpu?.cpus !== undefined && cpu.cpus !== '') {
    limits.push(limit('cpuset.cpus', cpu.cpus, resource('cpu', 'cpus')));
  }
  if (cpu?.mems !== undefined && cpu.mems !== '') {
    limits.push(limit('cpuset.mems', cpu.mems, resource('cpu', 'mems')));
  }
  return limits;
}

/** Below 0 is no limit; 0 is written as 1, as runc does, because the container's first process must fit in. */
export function pidsLimits({ pids }: LinuxResources): Limit[] {
  if (pids?.limit === undefined) return [];
  const text = pids.limit < 0 ? 'max' : pids.limit <= 1 ? '1' : String(pids.limit);
  return [limit('pids.max', text, resource('pids', 'limit'))];
}

/** CFQ's blkio.weight and blkio.leaf_weight went in Linux 5.0; BFQ has files of its own. */
function blkioLimits(blockIO: LinuxBlockIO): Limit[] {
  const limits: Limit[] = [];
  if (asked(blockIO.weight)) {
    weightRange(blockIO.weight, resource('blockIO', 'weight'));
    limits.push(limit('blkio.bfq.weight', blockIO.weight, resource('blockIO', 'weight')));
  }
  if (asked(blockIO.leafWeight)) throw leafWeight(resource('blockIO', 'leafWeight'));
  blockIO.weightDevice?.forEach(({ major, minor, weight, leafWeight: leaf }, index) => {
    const at = (field: string) => resource('blockIO', 'weightDevice', index, field);
    if (asked(leaf)) throw leafWeight(at('leafWeight'));
    if (!asked(weight)) return;
    weightRange(weight, at('weight'));
    limits.push(limit('blkio.bfq.weight_device', `${major}:${minor} ${weight}`, at('weight')));
  });
  for (const { kind, index, field, device } of throttles(blockIO)) {
    const file = `blkio.throttle.${kind.read ? 'read' : 'write'}_${kind.unit}_device`;
    limits.push(
      limit(file, `${device.major}:${device.minor} ${device.rate}`, resource('blockIO', field, index)),
    );
  }
  return limits;
}

function leafWeight(provenance: string): Error {
  return unsupported('blockIO leafWeight belonged to the CFQ scheduler, which Linux 5.0 removed', provenance);
}
