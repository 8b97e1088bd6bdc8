// The resources of a container as the last update left them: a file beside its configuration, which stays as given.
import type { Port } from '../host/port.ts';
import { CaissonError } from '../spec/error.ts';
import { parseJson, stringifyJson } from '../spec/json.ts';
import type {
  LinuxBlockIO,
  LinuxBlockIODevice,
  LinuxHugepageLimit,
  LinuxMemory,
  LinuxResources,
} from '../spec/runtime-spec.ts';
import { containerSpec, type Target } from './container.ts';

function fileOf({ stateRoot, id }: Target): string {
  return `${stateRoot}/${id}/resources.json`;
}

/** What limits the container now. Throws CaissonError ENOTFOUND, ESTATE as `containerSpec`. */
export function containerResources(port: Port, target: Target): LinuxResources {
  const text = port.readFile(fileOf(target));
  if (text === undefined) return containerSpec(port, target).linux?.resources ?? {};
  const value = parseJson(text, fileOf(target));
  if (!isResources(value)) throw new CaissonError(`${fileOf(target)} is damaged`, { code: 'ESTATE' });
  return value;
}

/** Only `keepResources` writes this file, of resources that were checked. */
function isResources(value: unknown): value is LinuxResources {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Notes the outcome of an update; the caller holds the container. */
export function keepResources(port: Port, target: Target, resources: LinuxResources): void {
  port.replaceFile(fileOf(target), stringifyJson(resources));
}

/** `changes` over `now`, field by field; entries for the same device or page size take each other's place. */
export function mergeResources(now: LinuxResources, changes: LinuxResources): LinuxResources {
  const memory = mergeMemory(now.memory, changes.memory);
  const cpu = { ...now.cpu, ...given(changes.cpu) };
  const pids = changes.pids?.limit === undefined ? now.pids : changes.pids;
  const blockIO = mergeBlockIO(now.blockIO ?? {}, changes.blockIO ?? {});
  const pages = mergePages(now.hugepageLimits ?? [], changes.hugepageLimits ?? []);
  return {
    ...now,
    ...(isEmpty(memory) ? {} : { memory }),
    ...(isEmpty(cpu) ? {} : { cpu }),
    ...(pids === undefined ? {} : { pids }),
    ...(isEmpty(blockIO) ? {} : { blockIO }),
    ...(pages.length === 0 ? {} : { hugepageLimits: pages }),
    ...(changes.network === undefined ? {} : { network: { ...now.network, ...given(changes.network) } }),
    ...(changes.rdma === undefined ? {} : { rdma: { ...now.rdma, ...changes.rdma } }),
    ...(changes.unified === undefined ? {} : { unified: { ...now.unified, ...changes.unified } }),
  };
}

/**
 * What an update has to write: the changes, and with either of the limit and of memory plus swap the other one that
 * applies, because the two are checked against each other and are one value on cgroup v2.
 */
export function changesOf(changes: LinuxResources, merged: LinuxResources): LinuxResources {
  const { limit, swap } = changes.memory ?? {};
  if (limit === undefined && swap === undefined) return changes;
  const { limit: size, swap: both } = merged.memory ?? {};
  return {
    ...changes,
    memory: {
      ...changes.memory,
      ...(size === undefined ? {} : { limit: size }),
      ...(both === undefined ? {} : { swap: both }),
    },
  };
}

/** Unlimited memory means with swap, unless swap is given too: an older limit for both does not bind any more. */
function mergeMemory(now: LinuxMemory | undefined, changes: LinuxMemory | undefined): LinuxMemory {
  const { checkBeforeUpdate: _, ...kept } = now ?? {};
  const merged = { ...kept, ...given(changes) };
  const unlimited = changes?.limit === -1 || changes?.limit === -1n;
  if (!unlimited || changes?.swap !== undefined) return merged;
  const { swap: __, ...rest } = merged;
  return rest;
}

const DEVICE_LISTS = [
  'weightDevice',
  'throttleReadBpsDevice',
  'throttleWriteBpsDevice',
  'throttleReadIOPSDevice',
  'throttleWriteIOPSDevice',
] as const;

function mergeBlockIO(now: LinuxBlockIO, changes: LinuxBlockIO): LinuxBlockIO {
  const merged = { ...now, ...given(changes) };
  const lists = DEVICE_LISTS.flatMap((field) => {
    const list = mergeDevices<LinuxBlockIODevice>(now[field] ?? [], changes[field] ?? []);
    return list.length === 0 ? [] : [[field, list] as const];
  });
  return { ...merged, ...Object.fromEntries(lists) };
}

function mergeDevices<T extends LinuxBlockIODevice>(now: readonly T[], changes: readonly T[]): T[] {
  const same = (one: T, other: T) => one.major === other.major && one.minor === other.minor;
  const changed = changes.map((change) => ({ ...now.findLast((one) => same(one, change)), ...change }));
  return [...now.filter((one) => !changes.some((change) => same(one, change))), ...changed];
}

function mergePages(
  now: readonly LinuxHugepageLimit[],
  changes: readonly LinuxHugepageLimit[],
): LinuxHugepageLimit[] {
  return [...now.filter(({ pageSize }) => !changes.some((one) => one.pageSize === pageSize)), ...changes];
}

/** Without fields that are there but undefined. */
function given<T extends object>(fields: T | undefined): Partial<T> {
  const found: Partial<T> = {};
  for (const key in fields) if (fields[key] !== undefined) found[key] = fields[key];
  return found;
}

function isEmpty(fields: object): boolean {
  return Object.keys(fields).length === 0;
}
