// Checks of `linux.resources` (config-linux.md, Control groups), of a configuration or of an update.

import { type Bytes, isMadeOf } from '../linux/bytes.ts';
import { type Check, type Fields, quote } from './check.ts';
import { MAJOR_MAX, MINOR_MAX } from './device-check.ts';
import { deviceNameRule, numberListRule } from './text-rules.ts';

const DEVICE_TYPES = ['a', 'b', 'c'] as const;
const THROTTLES = [
  'throttleReadBpsDevice',
  'throttleWriteBpsDevice',
  'throttleReadIOPSDevice',
  'throttleWriteIOPSDevice',
] as const;

/** Checks all of `linux.resources`. */
export function checkResources(resources: Fields, c: Check): void {
  c.objects(resources, 'devices', checkDeviceRule);
  c.object(resources, 'memory', checkMemory);
  c.object(resources, 'cpu', checkCPU);
  c.object(resources, 'pids', (pids) => c.int64(pids, 'limit'));
  c.object(resources, 'blockIO', checkBlockIO);
  c.objects(resources, 'hugepageLimits', checkHugepageLimit);
  c.object(resources, 'network', checkNetwork);
  c.entries(resources, 'rdma', (map, device) => {
    c.object(map, device, checkRdma);
  });
  c.entries(resources, 'unified', (map, file) => {
    c.text(map, file);
    if (file === '' || file === '.' || file === '..' || file.includes('/')) {
      c.fail(file, `${quote(file)} is not the name of a file in a cgroup`);
    }
  });
}

function checkDeviceRule(rule: Fields, c: Check): void {
  c.require(rule, 'allow');
  c.boolean(rule, 'allow');
  if (rule.type === '') delete rule.type;
  c.oneOf(rule, 'type', DEVICE_TYPES, 'a type in a device rule');
  // -1 is any, as an absent number (runc and crun agree).
  c.integer(rule, 'major', -1, MAJOR_MAX);
  c.integer(rule, 'minor', -1, MINOR_MAX);
  const access = c.textOrNothing(rule, 'access', accessRule);
  if (access === undefined || isMadeOf(access, ACCESSES)) return;
  // runc takes the letters that it knows.
  c.warn('access', `${quote(access)}: letters other than r, w and m are ignored`);
  rule.access = [...access].filter((letter) => ACCESSES.includes(letter)).join('');
}

const ACCESSES = 'rwm';

function accessRule(access: Bytes): string | undefined {
  return [...access].some((letter) => ACCESSES.includes(letter))
    ? undefined
    : `${quote(access)} is not made of r (read), w (write) and m (mknod)`;
}

function checkMemory(memory: Fields, c: Check): void {
  for (const key of ['reservation', 'kernel', 'kernelTCP']) c.int64(memory, key, -1);
  const limit = c.int64(memory, 'limit', -1) ?? 0;
  const swap = c.int64(memory, 'swap', -1) ?? 0;
  if (limit > 0 && swap > 0 && swap < limit) {
    c.fail('swap', `${swap} is memory and swap together: expected at least the memory limit, ${limit}`);
  }
  // Old engines write -1 as unsigned for "unset" (runc takes it so).
  if (memory.swappiness === 2n ** 64n - 1n) delete memory.swappiness;
  c.integer(memory, 'swappiness', 0, 100);
  for (const key of ['disableOOMKiller', 'useHierarchy', 'checkBeforeUpdate']) c.boolean(memory, key);
  for (const key of ['kernel', 'kernelTCP']) {
    if (memory[key] !== undefined) c.warn(key, 'kernel memory limits are obsolete: ignored');
  }
}

function checkCPU(cpu: Fields, c: Check): void {
  for (const key of ['shares', 'realtimePeriod']) c.uint64(cpu, key);
  c.int64(cpu, 'realtimeRuntime');
  const quota = c.int64(cpu, 'quota') ?? 0;
  const period = c.uint64(cpu, 'period') ?? 0;
  const burst = c.uint64(cpu, 'burst') ?? 0;
  // sched-bwc of the kernel: 1 ms to 1 s; 0 leaves the default, below 0 is no limit.
  if (quota > 0 && quota < 1000) c.fail('quota', `${quota} us; Linux has at least 1000`);
  if (period > 0 && (period < 1000 || period > 1_000_000))
    c.fail('period', `${period} us; Linux has 1000 to 1000000`);
  if (quota > 0 && burst > quota) c.fail('burst', `${burst} us is more than the quota, ${quota} us`);
  c.textOrNothing(cpu, 'cpus', numberListRule);
  c.textOrNothing(cpu, 'mems', numberListRule);
  c.integer(cpu, 'idle', 0, 1);
}

function checkBlockIO(blockIO: Fields, c: Check): void {
  checkWeight(blockIO, 'weight', c);
  checkWeight(blockIO, 'leafWeight', c);
  c.objects(blockIO, 'weightDevice', (device) => {
    checkDeviceNumber(device, c);
    checkWeight(device, 'weight', c);
    checkWeight(device, 'leafWeight', c);
    if (device.weight === undefined && device.leafWeight === undefined)
      c.fail('weight', 'is required, or leafWeight');
  });
  for (const key of THROTTLES) {
    c.objects(blockIO, key, (device) => {
      checkDeviceNumber(device, c);
      c.require(device, 'rate');
      c.uint64(device, 'rate');
    });
  }
}

function checkDeviceNumber(device: Fields, c: Check): void {
  c.require(device, 'major');
  c.require(device, 'minor');
  c.integer(device, 'major', 0, MAJOR_MAX);
  c.integer(device, 'minor', 0, MINOR_MAX);
}

/** cgroups v1, blkio.weight: 10 to 1000; 0 is unset. On v2 it is converted. */
function checkWeight(fields: Fields, key: Bytes, c: Check): void {
  const weight = c.integer(fields, key, 0, 65535);
  if (weight !== undefined && weight !== 0 && (weight < 10 || weight > 1000)) {
    c.fail(key, `${weight} is out of range; expected 10 to 1000`);
  }
}

function checkHugepageLimit(limit: Fields, c: Check): void {
  // runc reads names of fields in any case, and configurations with this one are about.
  if (limit.pageSize === undefined && limit.pagesize !== undefined) limit.pageSize = limit.pagesize;
  c.require(limit, 'pageSize');
  c.text(limit, 'pageSize', (size) =>
    /^[1-9][0-9]{0,9}[KMG]B$/.test(size)
      ? undefined
      : `${quote(size)} is not a page size such as "64KB", "2MB" or "1GB"`,
  );
  c.require(limit, 'limit');
  c.uint64(limit, 'limit');
}

function checkNetwork(network: Fields, c: Check): void {
  c.uint32(network, 'classID');
  c.objects(network, 'priorities', (priority) => {
    c.require(priority, 'name');
    c.text(priority, 'name', deviceNameRule);
    c.require(priority, 'priority');
    c.uint32(priority, 'priority');
  });
}

function checkRdma(rdma: Fields, c: Check): void {
  c.uint32(rdma, 'hcaHandles');
  c.uint32(rdma, 'hcaObjects');
  if (rdma.hcaHandles === undefined && rdma.hcaObjects === undefined)
    c.fail('hcaHandles', 'is required, or hcaObjects');
}
