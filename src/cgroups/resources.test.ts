// Tests of the limits that a configuration becomes, on v1, on v2 and on a host with both.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaissonError } from '../spec/error.ts';
import type { LinuxResources } from '../spec/runtime-spec.ts';
import { hybridHost, mountedTogether, unifiedHost } from './hosts.testing.ts';
import type { CurrentLimits, IgnoredField } from './limit.ts';
import { cgroupPath, cgroupsAt } from './path.ts';
import { refuseLimits, resourceLimits } from './resources.ts';
import { LIMITS_V1 } from './resources-v1.ts';

const AT = cgroupPath('/c', '');

interface Made {
  readonly lines: readonly string[];
  readonly ignored: readonly IgnoredField[];
}

function limits(
  layout: ReturnType<typeof unifiedHost>,
  resources: LinuxResources,
  update?: CurrentLimits,
): Made {
  const ignored: IgnoredField[] = [];
  const placed = resourceLimits(resources, cgroupsAt(layout, AT), {
    ...(update === undefined ? {} : { update }),
    ignore: (provenance, reason) => ignored.push({ provenance, reason }),
  });
  const lines = placed.map(({ limit: { file, text, provenance, tolerate, optional, or } }) => {
    const field = provenance.replace('/linux/resources/', '');
    const marks = `${tolerate === undefined ? '' : ' !'}${optional === true ? ' ?' : ''}`;
    return `${file}=${text}${or === undefined ? '' : `|${or.file}=${or.text}`} <- ${field}${marks}`;
  });
  return { lines, ignored };
}

function refused(
  layout: ReturnType<typeof unifiedHost>,
  resources: LinuxResources,
  field: string,
  reason: RegExp,
): void {
  assert.throws(
    () => limits(layout, resources),
    (error: unknown) =>
      error instanceof CaissonError &&
      error.provenance[0] === `/linux/resources/${field}` &&
      reason.test(error.message),
    JSON.stringify(resources, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
  );
}

/** v1 limits without a host. */
function v1(group: keyof typeof LIMITS_V1, resources: LinuxResources, update?: CurrentLimits): string[] {
  const context = { ...(update === undefined ? {} : { update }), ignore: () => {} };
  return LIMITS_V1[group](resources, context).map(
    ({ file, text, tolerate, optional }) =>
      `${file}=${text}${tolerate === undefined ? '' : ' !'}${optional === true ? ' ?' : ''}`,
  );
}

test('v1 memory: exact sizes, swap after the limit in a fresh cgroup', () => {
  assert.deepEqual(v1('memory', { memory: { limit: 9007199254740993n, swap: 9223372036854775807n } }), [
    'memory.limit_in_bytes=9007199254740993',
    'memory.memsw.limit_in_bytes=9223372036854775807',
  ]);
  assert.deepEqual(v1('memory', { memory: { limit: 0, swap: 0 } }), []);
  assert.deepEqual(
    v1('memory', {
      memory: { reservation: 5, kernelTCP: 6, swappiness: 0, disableOOMKiller: true, useHierarchy: true },
    }),
    [
      'memory.kmem.tcp.limit_in_bytes=6',
      'memory.soft_limit_in_bytes=5',
      'memory.oom_control=1',
      'memory.swappiness=0',
    ],
  );
});

test('v1 memory: what grows is written first in a running container', () => {
  const memory = { limit: 200, swap: 300 };
  assert.deepEqual(v1('memory', { memory }, { memoryLimit: 100 }), [
    'memory.memsw.limit_in_bytes=300',
    'memory.limit_in_bytes=200',
  ]);
  assert.deepEqual(v1('memory', { memory }, { memoryLimit: 400 }), [
    'memory.limit_in_bytes=200',
    'memory.memsw.limit_in_bytes=300',
  ]);
  assert.deepEqual(v1('memory', { memory: { limit: 200, swap: -1 } }), [
    'memory.memsw.limit_in_bytes=-1',
    'memory.limit_in_bytes=200',
  ]);
  assert.deepEqual(v1('memory', { memory: { limit: -1 } }), [
    'memory.memsw.limit_in_bytes=-1 ?',
    'memory.limit_in_bytes=-1',
  ]);
});

test('v1 cpu: an order that the kernel takes, twice where an update needs it', () => {
  const cpu = { shares: 1024, quota: 50000, period: 100000, burst: 1000 };
  assert.deepEqual(v1('cpu', { cpu }), [
    'cpu.cfs_period_us=100000',
    'cpu.cfs_quota_us=50000',
    'cpu.cfs_burst_us=1000 ?',
    'cpu.shares=1024',
  ]);
  assert.deepEqual(v1('cpu', { cpu }, {}), [
    'cpu.cfs_period_us=100000 !',
    'cpu.cfs_burst_us=1000 ! ?',
    'cpu.cfs_quota_us=50000',
    'cpu.cfs_period_us=100000',
    'cpu.cfs_burst_us=1000 ?',
    'cpu.shares=1024',
  ]);
  assert.deepEqual(v1('cpu', { cpu: { quota: -1, realtimePeriod: 1000000, realtimeRuntime: 950000 } }), [
    'cpu.cfs_quota_us=-1',
    'cpu.rt_period_us=1000000',
    'cpu.rt_runtime_us=950000',
  ]);
  assert.deepEqual(v1('cpu', { cpu: { realtimePeriod: 5, realtimeRuntime: 4 } }, {}), [
    'cpu.rt_period_us=5 !',
    'cpu.rt_runtime_us=4',
    'cpu.rt_period_us=5',
  ]);
});

test('the weight goes before idle is turned on and after it is turned off', () => {
  assert.deepEqual(v1('cpu', { cpu: { idle: 1, shares: 10 } }), ['cpu.shares=10 !', 'cpu.idle=1']);
  assert.deepEqual(v1('cpu', { cpu: { idle: 0, shares: 10 } }), ['cpu.idle=0', 'cpu.shares=10']);
  assert.deepEqual(limits(unifiedHost(), { cpu: { idle: 1, shares: 1024 } }).lines, [
    'cpu.weight=100 <- cpu/shares !',
    'cpu.idle=1 <- cpu/idle',
  ]);
});

test('pids: 0 leaves room for the first process, below 0 is no limit', () => {
  for (const [limit, text] of [
    [20, '20'],
    [0, '1'],
    [1, '1'],
    [-1, 'max'],
    [-1n, 'max'],
  ] as const) {
    assert.deepEqual(limits(unifiedHost(), { pids: { limit } }).lines, [`pids.max=${text} <- pids/limit`]);
  }
  assert.deepEqual(limits(unifiedHost(), { pids: {} }).lines, []);
});

test('v1 block I/O, by BFQ and by throttling', () => {
  const device = { major: 8, minor: 16 };
  const { lines } = limits(mountedTogether(), {
    blockIO: {
      weight: 100,
      weightDevice: [{ ...device, weight: 1000 }],
      throttleReadBpsDevice: [{ ...device, rate: 18446744073709551615n }],
      throttleWriteIOPSDevice: [{ ...device, rate: 7 }],
    },
  });
  assert.deepEqual(lines, [
    'blkio.bfq.weight=100 <- blockIO/weight',
    'blkio.bfq.weight_device=8:16 1000 <- blockIO/weightDevice/0/weight',
    'blkio.throttle.read_bps_device=8:16 18446744073709551615 <- blockIO/throttleReadBpsDevice/0',
    'blkio.throttle.write_iops_device=8:16 7 <- blockIO/throttleWriteIOPSDevice/0',
  ]);
});

test('v2: everything that has an equal', () => {
  const device = { major: 8, minor: 16 };
  const { lines, ignored } = limits(unifiedHost(), {
    cpu: { shares: 512, quota: 50000, period: 20000, burst: 100, cpus: '0-1', mems: '0' },
    memory: { limit: 100, swap: 150, reservation: 50, kernel: 1, useHierarchy: false },
    blockIO: {
      weight: 500,
      weightDevice: [{ ...device, weight: 10, leafWeight: 9 }],
      throttleReadBpsDevice: [{ ...device, rate: 1 }],
      throttleWriteBpsDevice: [{ ...device, rate: 0 }],
      throttleReadIOPSDevice: [{ ...device, rate: 3 }],
      throttleWriteIOPSDevice: [{ ...device, rate: 4 }],
    },
    hugepageLimits: [{ pageSize: '2MB', limit: 2097152 }],
    unified: { 'memory.high': '90', 'io.max': '8:0 rbps=1\n8:16 rbps=2\n', 'cgroup.max.depth': '3' },
  });
  assert.deepEqual(lines, [
    'cpuset.cpus=0-1 <- cpu/cpus',
    'cpuset.mems=0 <- cpu/mems',
    'cpu.weight=59 <- cpu/shares',
    'cpu.max=50000 20000 <- cpu/quota',
    'cpu.max.burst=100 <- cpu/burst',
    'memory.swap.max=50 <- memory/swap',
    'memory.max=100 <- memory/limit',
    'memory.low=50 <- memory/reservation',
    'io.bfq.weight=500|io.weight=4950 <- blockIO/weight',
    'io.bfq.weight=8:16 10|io.weight=8:16 1 <- blockIO/weightDevice/0/weight',
    'io.max=8:16 rbps=1 <- blockIO/throttleReadBpsDevice/0',
    'io.max=8:16 wbps=max <- blockIO/throttleWriteBpsDevice/0',
    'io.max=8:16 riops=3 <- blockIO/throttleReadIOPSDevice/0',
    'io.max=8:16 wiops=4 <- blockIO/throttleWriteIOPSDevice/0',
    'hugetlb.2MB.max=2097152 <- hugepageLimits/0',
    'hugetlb.2MB.rsvd.max=2097152 <- hugepageLimits/0 ?',
    'memory.high=90 <- unified/memory.high',
    'io.max=8:0 rbps=1 <- unified/io.max',
    'io.max=8:16 rbps=2 <- unified/io.max',
    'cgroup.max.depth=3 <- unified/cgroup.max.depth',
  ]);
  assert.deepEqual(
    ignored.map(({ provenance }) => provenance.replace('/linux/resources/', '')),
    ['memory/kernel', 'memory/useHierarchy', 'blockIO/weightDevice/0/leafWeight'],
  );
});

test('v2: unlimited, and swap that is not to be had', () => {
  assert.deepEqual(limits(unifiedHost(), { memory: { limit: -1 }, cpu: { quota: -1 } }).lines, [
    'cpu.max=max 100000 <- cpu/quota',
    'memory.swap.max=max <- memory/limit ?',
    'memory.max=max <- memory/limit',
  ]);
  assert.deepEqual(limits(unifiedHost(), { memory: { limit: 10, swap: 10 } }).lines, [
    'memory.swap.max=0 <- memory/swap ?',
    'memory.max=10 <- memory/limit',
  ]);
  assert.deepEqual(limits(unifiedHost(), { cpu: { period: 1000 } }).lines, [
    'cpu.max=max 1000 <- cpu/period',
  ]);
  assert.deepEqual(limits(unifiedHost(), { memory: { swap: 30 } }, { memoryLimit: 10 }).lines, [
    'memory.swap.max=20 <- memory/swap',
  ]);
  assert.deepEqual(limits(unifiedHost(), { cpu: { quota: 5, burst: 4 } }, {}).lines, [
    'cpu.max.burst=4 <- cpu/burst !',
    'cpu.max=5 100000 <- cpu/quota',
    'cpu.max.burst=4 <- cpu/burst',
  ]);
});

test('a hybrid host: each limit where its controller is', () => {
  const placed = resourceLimits(
    { memory: { limit: 1 }, hugepageLimits: [{ pageSize: '1GB', limit: 1 }] },
    cgroupsAt(hybridHost(), AT),
    { ignore: () => {} },
  );
  assert.deepEqual(
    placed.map(({ cgroup, limit }) => `${cgroup.directory}/${limit.file}`),
    [
      '/sys/fs/cgroup/memory/c/memory.limit_in_bytes',
      '/sys/fs/cgroup/unified/c/hugetlb.1GB.max',
      '/sys/fs/cgroup/unified/c/hugetlb.1GB.rsvd.max',
    ],
  );
});

test('a limit without its controller is refused by field and controller', () => {
  refused(
    hybridHost(),
    { pids: { limit: 5 } },
    'pids/limit',
    /^pids\.limit needs the cgroup controller pids/,
  );
  refused(hybridHost(), { network: { classID: 5 } }, 'network/classID', /controller net_cls/);
  refused(
    hybridHost(),
    { network: { priorities: [{ name: 'lo', priority: 1 }] } },
    'network/priorities/0',
    /net_prio/,
  );
  refused(hybridHost(), { rdma: { mlx5_0: { hcaHandles: 1 } } }, 'rdma/mlx5_0', /controller rdma/);
  refused(hybridHost(), { unified: { 'memory.max': '1' } }, 'unified/memory.max', /controller memory/);
  refused(
    mountedTogether(),
    { unified: { 'memory.max': '1' } },
    'unified/memory.max',
    /this host has cgroup v1/,
  );
  refused(mountedTogether(), { memory: { limit: 1 } }, 'memory/limit', /controller memory/);
});

test('what cgroup v2 has no equal for is refused', () => {
  const host = unifiedHost();
  refused(host, { memory: { swappiness: 5 } }, 'memory/swappiness', /no equal/);
  refused(host, { memory: { disableOOMKiller: true } }, 'memory/disableOOMKiller', /no equal/);
  refused(host, { cpu: { realtimeRuntime: 5 } }, 'cpu/realtimeRuntime', /no equal/);
  refused(host, { network: { classID: 5 } }, 'network/classID', /net_cls/);
  refused(host, { memory: { swap: 5 } }, 'memory/swap', /needs memory.limit/);
  assert.deepEqual(limits(host, { memory: { disableOOMKiller: false }, network: {} }).lines, []);
});

test('values out of range name their field', () => {
  const host = mountedTogether();
  refused(unifiedHost(), { memory: { limit: -2 } }, 'memory/limit', /-1 \(unlimited\)/);
  refused(unifiedHost(), { memory: { limit: 10, swap: 5 } }, 'memory/swap', /below memory.limit 10/);
  refused(unifiedHost(), { memory: { swappiness: 101 } }, 'memory/swappiness', /from 0 to 100/);
  refused(host, { cpu: { shares: 1 } }, 'cpu/shares', /^cpu\.shares is 1: it must be from 2 to 262144/);
  refused(host, { blockIO: { weight: 9 } }, 'blockIO/weight', /from 10 to 1000/);
  refused(host, { blockIO: { leafWeight: 10 } }, 'blockIO/leafWeight', /CFQ/);
  refused(
    unifiedHost(),
    { hugepageLimits: [{ pageSize: '../x', limit: 1 }] },
    'hugepageLimits/0/pageSize',
    /such as/,
  );
  refused(unifiedHost(), { rdma: { 'a b': { hcaHandles: 1 } } }, 'rdma/a b', /name of a device/);
  refused(unifiedHost(), { rdma: { a: {} } }, 'rdma/a', /needs hcaHandles/);
  refused(unifiedHost(), { unified: { 'a/b.c': '1' } }, 'unified/a~1b.c', /CONTROLLER\.PARAMETER/);
  refused(unifiedHost(), { unified: { nodot: '1' } }, 'unified/nodot', /CONTROLLER\.PARAMETER/);
});

test('rdma and network lines', () => {
  assert.deepEqual(v1('rdma', { rdma: { mlx: { hcaHandles: 2, hcaObjects: 2000 }, x: { hcaObjects: 1 } } }), [
    'rdma.max=mlx hca_handle=2 hca_object=2000',
    'rdma.max=x hca_object=1',
  ]);
  assert.deepEqual(v1('net_cls', { network: { classID: 1048577 } }), ['net_cls.classid=1048577']);
  assert.deepEqual(v1('net_prio', { network: { priorities: [{ name: 'eth0', priority: 500 }] } }), [
    'net_prio.ifpriomap=eth0 500',
  ]);
});

test('checkBeforeUpdate refuses a limit below the usage', () => {
  const memory = { limit: 100, checkBeforeUpdate: true };
  assert.throws(
    () => limits(unifiedHost(), { memory }, { memoryUsage: 101 }),
    /rejecting memory limit 100 <= usage 101/,
  );
  assert.equal(limits(unifiedHost(), { memory }, { memoryUsage: 99 }).lines.length, 1);
  assert.equal(limits(unifiedHost(), { memory: { limit: 100 } }, { memoryUsage: 101 }).lines.length, 1);
});

test('a caller without cgroups: the first limit is refused by name', () => {
  assert.throws(
    () => refuseLimits({ pids: { limit: 3 } }, unifiedHost(), 'no cgroup is delegated to this user'),
    /^CaissonError: pids\.limit cannot be set: no cgroup is delegated/,
  );
  refuseLimits({ memory: { swap: 0 }, devices: [] }, unifiedHost(), 'x');
});
