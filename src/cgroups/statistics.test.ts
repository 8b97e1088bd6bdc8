// Tests of what is read about a container's use of resources, and of the limits that bind a process.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hybridHost, mountedTogether, unifiedHost } from './hosts.testing.ts';
import { effectiveLimits, limitFiles, processCgroups } from './inspect.ts';
import { cgroupPath, cgroupsAt } from './path.ts';
import { statistics, statisticsFiles } from './statistics.ts';
import {
  exactNumber,
  MAX,
  parseBlkio,
  parseFlatKeyed,
  parseNestedKeyed,
  parseNumber,
  parsePressure,
} from './statistics-files.ts';

const AT = cgroupPath('/c', '');

test('numbers are exact', () => {
  assert.equal(parseNumber('9223372036854771712\n'), 9223372036854771712n);
  assert.equal(parseNumber('9007199254740991\n'), 9007199254740991);
  assert.equal(parseNumber('-1\n'), -1);
  assert.equal(parseNumber('max\n'), MAX);
  assert.equal(parseNumber('1 2'), undefined);
  assert.equal(parseNumber(undefined), undefined);
  assert.equal(exactNumber('18446744073709551615'), MAX);
});

test('the formats of cgroup files', () => {
  assert.deepEqual(
    [...parseFlatKeyed('anon 1\nbad line here\nfile 18446744073709551615\n')],
    [
      ['anon', 1],
      ['file', MAX],
    ],
  );
  assert.equal(parseNestedKeyed('8:0 rbytes=1 wios=2\n').get('8:0')?.get('wios'), '2');
  assert.deepEqual(parseBlkio('8:0 Read 7\n8:0 9\nTotal 16\n'), [
    { major: 8, minor: 0, op: 'Read', value: 7 },
    { major: 8, minor: 0, op: '', value: 9 },
  ]);
  assert.equal(parsePressure(undefined), undefined);
  assert.deepEqual(
    parsePressure(
      'some avg10=1.50 avg60=2.00 avg300=0.00 total=3\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n',
    ),
    {
      some: { avg10: 1.5, avg60: 2, avg300: 0, total: 3 },
      full: { avg10: 0, avg60: 0, avg300: 0, total: 1 },
    },
  );
});

test('statistics of v1', () => {
  const cgroups = cgroupsAt(mountedTogether(), AT);
  const files = statisticsFiles(cgroups);
  assert.ok(files.includes('/sys/fs/cgroup/cpu,cpuacct/c/cpuacct.usage'));
  assert.ok(!files.some((file) => file.includes('memory.')));
  const cpu = '/sys/fs/cgroup/cpu,cpuacct/c';
  const found = statistics(
    cgroups,
    new Map([
      [`${cpu}/cpuacct.usage`, '1000\n'],
      [`${cpu}/cpuacct.usage_percpu`, '600 400 \n'],
      [`${cpu}/cpuacct.usage_all`, 'cpu user system\n0 500 100\n1 200 200\n'],
      [`${cpu}/cpuacct.usage_sys`, '300\n'],
      [`${cpu}/cpuacct.usage_user`, '700\n'],
      [`${cpu}/cpu.stat`, 'nr_periods 5\nnr_throttled 2\nthrottled_time 77\n'],
      ['/sys/fs/cgroup/pids/c/pids.current', '3\n'],
      ['/sys/fs/cgroup/pids/c/pids.max', 'max\n'],
      ['/sys/fs/cgroup/blkio/c/blkio.throttle.io_service_bytes_recursive', '8:0 Read 4096\nTotal 4096\n'],
    ]),
  );
  assert.deepEqual(found.cpu, {
    usage: {
      total: 1000,
      percpu: [600, 400],
      percpuKernel: [100, 200],
      percpuUser: [500, 200],
      kernel: 300,
      user: 700,
    },
    throttling: { periods: 5, throttledPeriods: 2, throttledTime: 77 },
  });
  assert.deepEqual(found.pids, { current: 3, limit: 0 });
  assert.deepEqual(found.blkio.ioServiceBytesRecursive, [{ major: 8, minor: 0, op: 'Read', value: 4096 }]);
});

test('statistics of v1 memory', () => {
  const at = '/sys/fs/cgroup/memory/c/memory.';
  const found = statistics(
    cgroupsAt(hybridHost(), AT),
    new Map([
      [`${at}stat`, 'cache 5\nrss 6\n'],
      [`${at}usage_in_bytes`, '11\n'],
      [`${at}max_usage_in_bytes`, '12\n'],
      [`${at}failcnt`, '1\n'],
      [`${at}limit_in_bytes`, '9223372036854771712\n'],
      [`${at}memsw.usage_in_bytes`, '21\n'],
    ]),
  ).memory;
  assert.equal(found.cache, 5);
  assert.deepEqual(found.usage, { limit: 9223372036854771712n, usage: 11, max: 12, failcnt: 1 });
  assert.equal(found.swap.usage, 21);
  assert.deepEqual(found.raw, { cache: 5, rss: 6 });
});

test('statistics of v2, in the units and under the names of v1', () => {
  const at = '/sys/fs/cgroup/c';
  const found = statistics(
    cgroupsAt(unifiedHost(), AT),
    new Map([
      [
        `${at}/cpu.stat`,
        'usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 1\nnr_throttled 1\nthrottled_usec 9\n',
      ],
      [`${at}/memory.current`, '100\n'],
      [`${at}/memory.max`, '200\n'],
      [`${at}/memory.swap.current`, '10\n'],
      [`${at}/memory.swap.max`, '50\n'],
      [`${at}/memory.stat`, 'anon 60\nfile 40\nkernel 7\nsock 2\n'],
      [`${at}/memory.events`, 'low 0\nmax 4\noom_kill 1\n'],
      [`${at}/pids.current`, '2\n'],
      [`${at}/pids.max`, '20\n'],
      [`${at}/io.stat`, '8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n'],
      [`${at}/cpuset.cpus.effective`, '0-1,3\n'],
      [`${at}/hugetlb.2MB.rsvd.current`, '2097152\n'],
      [`${at}/hugetlb.2MB.events`, 'max 3\n'],
    ]),
    ['2MB'],
  );
  assert.deepEqual(found.cpu.usage, {
    total: 5000,
    percpu: [],
    percpuKernel: [],
    percpuUser: [],
    kernel: 2000,
    user: 3000,
  });
  assert.equal(found.cpu.throttling.throttledTime, 9000);
  assert.deepEqual(found.memory.usage, { limit: 200, usage: 100, max: 0, failcnt: 4 });
  assert.deepEqual(found.memory.swap, { limit: 250, usage: 110, max: 0, failcnt: 0 });
  assert.equal(found.memory.cache, 40);
  assert.equal(found.memory.raw.kernel, 7);
  assert.deepEqual(found.pids, { current: 2, limit: 20 });
  assert.deepEqual(found.cpuset, { cpus: [0, 1, 3], mems: [], flags: {} });
  assert.deepEqual(
    found.blkio.ioServicedRecursive?.map(({ op, value }) => `${op} ${value}`),
    ['Read 3', 'Write 4'],
  );
  assert.deepEqual(found.hugetlb, { '2MB': { usage: 2097152, max: 0, failcnt: 3 } });
});

test('processes are counted where no controller counts them', () => {
  const procs = new Map([['/sys/fs/cgroup/c/cgroup.procs', '7\n9\n']]);
  assert.deepEqual(statistics(cgroupsAt(unifiedHost(), AT), procs).pids, { current: 2, limit: 0 });
});

test('the cgroups of a process and all of their ancestors', () => {
  const found = processCgroups(hybridHost(), '8:pids:/x\n4:memory:/a/b\n1:cpu:/\n0::/../u\n');
  assert.deepEqual(
    found.map(({ name, path, directories }) => [name, path, ...directories]),
    [
      ['memory', '/a/b', '/sys/fs/cgroup/memory/a/b', '/sys/fs/cgroup/memory/a', '/sys/fs/cgroup/memory'],
      ['cpu', '/', '/sys/fs/cgroup/cpu'],
      ['unified', '/../u'],
    ],
  );
});

test('the tightest limit is an ancestor’s', () => {
  const found = processCgroups(unifiedHost(), '0::/a/b\n');
  const files = limitFiles(found);
  assert.ok(files.includes('/sys/fs/cgroup/a/b/cpu.max'));
  assert.ok(files.includes('/sys/fs/cgroup/a/memory.max'));
  const limits = effectiveLimits(
    found,
    new Map([
      ['/sys/fs/cgroup/a/b/memory.max', '2000\n'],
      ['/sys/fs/cgroup/a/memory.max', '1000\n'],
      ['/sys/fs/cgroup/a/b/pids.max', '20\n'],
      ['/sys/fs/cgroup/a/pids.max', 'max\n'],
      ['/sys/fs/cgroup/a/b/cpu.max', 'max 100000\n'],
      ['/sys/fs/cgroup/a/cpu.max', '150000 100000\n'],
    ]),
  );
  assert.deepEqual(limits, [
    { quantity: 'memory', value: 1000, directory: '/sys/fs/cgroup/a', own: 2000 },
    { quantity: 'swap', value: undefined, directory: undefined, own: undefined },
    { quantity: 'processes', value: 20, directory: '/sys/fs/cgroup/a/b', own: 20 },
    { quantity: 'cpu', value: 1.5, directory: '/sys/fs/cgroup/a', own: undefined },
  ]);
});

test('v1 shows no limit as a great number, and -1', () => {
  const found = processCgroups(hybridHost(), '4:memory:/a\n1:cpu:/a\n');
  const limits = effectiveLimits(
    found,
    new Map([
      ['/sys/fs/cgroup/memory/a/memory.limit_in_bytes', '9223372036854771712\n'],
      ['/sys/fs/cgroup/memory/a/memory.memsw.limit_in_bytes', '4096\n'],
      ['/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us', '-1\n'],
      ['/sys/fs/cgroup/cpu/a/cpu.cfs_period_us', '100000\n'],
    ]),
  );
  assert.deepEqual(
    limits.map(({ quantity, value }) => [quantity, value]),
    [
      ['memory', undefined],
      ['memory+swap', 4096],
      ['cpu', undefined],
    ],
  );
});
