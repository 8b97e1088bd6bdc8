// Tests of changes to the limits of a running container.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bytes } from '../linux/bytes.ts';
import type { LinuxMemory, LinuxResources } from '../spec/runtime-spec.ts';
import { deviceUpdateFiles, deviceUpdateSteps } from './device-update.ts';
import { hybridHost, mountedTogether, unifiedHost } from './hosts.testing.ts';
import { type Cgroup, cgroupPath, cgroupsAt } from './path.ts';
import { restoreSteps, updateFiles, updateLimits, updateSteps, writtenFiles } from './update.ts';

const AT = cgroupPath('/c', '');
const V1 = cgroupsAt(mountedTogether(), AT);
const V2 = cgroupsAt(unifiedHost(), AT);
const BOTH = cgroupsAt(hybridHost(), AT);

test('an update reads what decides its order', () => {
  assert.deepEqual(updateFiles(V2), [
    '/sys/fs/cgroup/c/memory.max',
    '/sys/fs/cgroup/c/memory.current',
    '/sys/fs/cgroup/c/cpu.max',
  ]);
  assert.deepEqual(updateFiles(V1), []);
  const at = '/sys/fs/cgroup/memory/c/memory.';
  const order = (current: string) =>
    titles({ memory: { limit: 200, swap: 300 } }, BOTH, { [`${at}limit_in_bytes`]: current });
  assert.deepEqual(order('100\n'), [
    'set memory.memsw.limit_in_bytes to 300',
    'set memory.limit_in_bytes to 200',
  ]);
  assert.deepEqual(order('400\n'), [
    'set memory.limit_in_bytes to 200',
    'set memory.memsw.limit_in_bytes to 300',
  ]);
});

function titles(
  resources: LinuxResources,
  cgroups: readonly Cgroup[],
  contents: Readonly<Record<Bytes, Bytes>>,
): string[] {
  const { limits } = updateLimits(resources, cgroups, new Map(Object.entries(contents)));
  return updateSteps(limits).map(({ title }) => title);
}

test('of quota and period on v2 the one that is not given stays', () => {
  const now = { '/sys/fs/cgroup/c/cpu.max': '500000 1000000\n' };
  assert.deepEqual(titles({ cpu: { period: 900000 } }, V2, now), ['set cpu.max to 500000 900000']);
  assert.deepEqual(titles({ cpu: { quota: 600000 } }, V2, now), ['set cpu.max to 600000 1000000']);
  assert.deepEqual(titles({ cpu: { quota: -1 } }, V2, now), ['set cpu.max to max 1000000']);
  const none = { '/sys/fs/cgroup/c/cpu.max': 'max 100000\n' };
  assert.deepEqual(titles({ cpu: { period: 50000 } }, V2, none), ['set cpu.max to max 50000']);
});

test('a limit that is to be checked is not set below the usage', () => {
  const usage = { '/sys/fs/cgroup/c/memory.current': '5000\n', '/sys/fs/cgroup/c/memory.max': 'max\n' };
  const set = (memory: LinuxMemory) => () => titles({ memory }, V2, usage);
  assert.throws(set({ limit: 5000, checkBeforeUpdate: true }), /rejecting memory limit 5000 <= usage 5000/);
  assert.throws(
    set({ limit: 4000, swap: 4500, checkBeforeUpdate: true }),
    /rejecting memory\+swap limit 4500 <= usage 5000/,
  );
  assert.deepEqual(set({ limit: 5001, checkBeforeUpdate: true })(), ['set memory.max to 5001']);
  assert.deepEqual(set({ limit: 4000 })(), ['set memory.max to 4000']);
});

test('what an update has written is put back, last first', () => {
  const { limits } = updateLimits(
    { pids: { limit: 5 }, cpu: { cpus: '0' }, blockIO: { weight: 10 }, unified: { 'io.max': '8:0 rbps=1' } },
    V2,
    new Map(),
  );
  const before = new Map([
    ['/sys/fs/cgroup/c/pids.max', 'max\n'],
    ['/sys/fs/cgroup/c/cpuset.cpus', '\n'],
    ['/sys/fs/cgroup/c/io.weight', 'default 100\n'],
    ['/sys/fs/cgroup/c/io.max', '8:0 rbps=max\n'],
  ]);
  assert.deepEqual(writtenFiles(limits), [
    '/sys/fs/cgroup/c/cpuset.cpus',
    '/sys/fs/cgroup/c/pids.max',
    '/sys/fs/cgroup/c/io.bfq.weight',
    '/sys/fs/cgroup/c/io.weight',
    '/sys/fs/cgroup/c/io.max',
  ]);
  assert.deepEqual(
    restoreSteps(limits, before).map(({ title }) => title),
    ['set io.weight to default 100', 'set pids.max to max', 'set cpuset.cpus to \n'],
  );
});

test('an update of devices replaces, on v1 by the difference', () => {
  const devices = [{ allow: true, type: 'c' as const, major: 1, minor: 3, access: 'rw' }];
  assert.deepEqual(deviceUpdateFiles(V2), []);
  const [list = ''] = deviceUpdateFiles(V1);
  assert.equal(list, '/sys/fs/cgroup/devices/c/devices.list');
  const v1 = deviceUpdateSteps(devices, V1, { files: new Map([[list, 'c 1:3 r\n']]) });
  assert.deepEqual(
    v1.map(({ title }) => title),
    ['allow device c 1:3 w'],
  );
  const v2 = deviceUpdateSteps(devices, V2, { files: new Map(), hasDeviceProgram: true });
  assert.ok(v2.some(({ title }) => title === 'replace the device program'));
});
