// Fields of `linux.resources` that both versions of cgroups read the same way, and their bounds.
import { ERRNO } from '../linux/errno.ts';
import type {
  Int64,
  LinuxBlockIO,
  LinuxHugepageLimit,
  LinuxMemory,
  LinuxResources,
  LinuxThrottleDevice,
} from '../spec/runtime-spec.ts';
import {
  asked,
  invalid,
  isUnlimited,
  type Limit,
  type LimitContext,
  limit,
  requireRange,
  resource,
} from './limit.ts';

/** Throws CaissonError for sizes below -1, swap below the limit, swappiness above 100, and a limit below the usage where that is to be checked. */
export function checkMemory(memory: LinuxMemory, { ignore, update }: LimitContext): void {
  for (const field of ['limit', 'reservation', 'swap', 'kernel', 'kernelTCP'] as const) {
    const size = memory[field];
    if (size !== undefined && size < -1) {
      throw invalid(
        `memory.${field} is ${size}: it must be -1 (unlimited) or a size in bytes`,
        resource('memory', field),
      );
    }
  }
  const { limit: size, swap, swappiness } = memory;
  if (asked(size) && asked(swap) && !isUnlimited(swap) && (isUnlimited(size) ? false : swap < size)) {
    throw invalid(
      `memory.swap (memory plus swap) is ${swap}, below memory.limit ${size}`,
      resource('memory', 'swap'),
    );
  }
  if (swappiness !== undefined && !isUnlimited(swappiness)) {
    requireRange(swappiness, 0, 100, resource('memory', 'swappiness'));
  }
  if (asked(memory.kernel)) {
    ignore(
      resource('memory', 'kernel'),
      'limits of kernel memory alone went in Linux 5.16; memory.limit includes it',
    );
  }
  if (memory.useHierarchy === false) {
    ignore(resource('memory', 'useHierarchy'), 'memory is always accounted hierarchically since Linux 5.11');
  }
  refuseBelowUsage(memory, update?.memoryUsage);
}

/** checkBeforeUpdate; the texts are those that engines know from runc. */
function refuseBelowUsage(memory: LinuxMemory, usage: Int64 | undefined): void {
  if (memory.checkBeforeUpdate !== true || usage === undefined) return;
  for (const [field, name] of [
    ['swap', 'memory+swap'],
    ['limit', 'memory'],
  ] as const) {
    const size = memory[field];
    if (!asked(size) || size < 0 || size > usage) continue;
    throw invalid(`rejecting ${name} limit ${size} <= usage ${usage}`, resource('memory', field));
  }
}

/** Reservations first, where the kernel accounts them (since 5.7), and usage. */
export function hugetlb(
  pages: readonly LinuxHugepageLimit[] | undefined,
  suffix: 'limit_in_bytes' | 'max',
): Limit[] {
  return (pages ?? []).flatMap(({ pageSize, limit: bytes }, index) => {
    const at = resource('hugepageLimits', index);
    if (!/^[1-9][0-9]*[KMG]B$/.test(pageSize)) {
      throw invalid(
        `hugepageLimits.${index}.pageSize "${pageSize}" is not a size such as 64KB, 2MB, 1GB`,
        `${at}/pageSize`,
      );
    }
    return [
      limit(`hugetlb.${pageSize}.${suffix}`, bytes, at),
      limit(`hugetlb.${pageSize}.rsvd.${suffix}`, bytes, at, { optional: true }),
    ];
  });
}

export function rdma({ rdma: devices }: LinuxResources): Limit[] {
  return Object.entries(devices ?? {}).map(([device, { hcaHandles, hcaObjects }]) => {
    const at = resource('rdma', device);
    if (device === '' || /\s/.test(device)) throw invalid(`rdma "${device}" is not the name of a device`, at);
    const parts = [device];
    if (hcaHandles !== undefined) parts.push(`hca_handle=${hcaHandles}`);
    if (hcaObjects !== undefined) parts.push(`hca_object=${hcaObjects}`);
    if (parts.length === 1) throw invalid(`rdma.${device} needs hcaHandles or hcaObjects`, at);
    return limit('rdma.max', parts.join(' '), at);
  });
}

/** The range of the specification's schema (config-linux.json), which is CFQ's and BFQ's. */
export function weightRange(weight: number, provenance: string): void {
  requireRange(weight, 10, 1000, provenance);
}

/** One entry of the four lists of rates. */
export interface Throttle {
  readonly kind: { readonly read: boolean; readonly unit: 'bps' | 'iops' };
  readonly field: keyof LinuxBlockIO;
  readonly index: number;
  readonly device: LinuxThrottleDevice;
}

const THROTTLES = [
  { field: 'throttleReadBpsDevice', kind: { read: true, unit: 'bps' } },
  { field: 'throttleWriteBpsDevice', kind: { read: false, unit: 'bps' } },
  { field: 'throttleReadIOPSDevice', kind: { read: true, unit: 'iops' } },
  { field: 'throttleWriteIOPSDevice', kind: { read: false, unit: 'iops' } },
] as const;

export function throttles(blockIO: LinuxBlockIO): Throttle[] {
  return THROTTLES.flatMap(({ field, kind }) =>
    (blockIO[field] ?? []).map((device, index) => ({ kind, field, index, device })),
  );
}

/** The weight of an idle cgroup cannot be set (sched_group_set_shares in kernel/sched/fair.c). */
export const WEIGHT_OF_IDLE = [ERRNO.EINVAL] as const;
