// Tests of statistics in the words of `runc events`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hybridHost, unifiedHost } from '../cgroups/hosts.testing.ts';
import { cgroupPath, cgroupsAt } from '../cgroups/path.ts';
import { statistics } from '../cgroups/statistics.ts';
import { stringifyJson } from '../spec/json.ts';
import { statisticsData } from './statistics-event.ts';

const AT = cgroupPath('/c', '');

test('what is nothing is left out, but for what runc never leaves out', () => {
  const nothing = statistics(cgroupsAt(unifiedHost(), AT), new Map());
  assert.equal(
    stringifyJson(statisticsData(nothing)),
    '{"cpu":{"usage":{"kernel":0,"user":0}},"cpuset":{"cpu_exclusive":0,"mem_hardwall":0,"mem_exclusive":0,' +
      '"memory_migrate":0,"memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,' +
      '"sched_relax_domain_level":0},"memory":{},"pids":{},"blkio":{},"hugetlb":{},"intel_rdt":{},' +
      '"network_interfaces":null}',
  );
});

test('statistics of v2 with pressure, in order', () => {
  const at = '/sys/fs/cgroup/c';
  const files = new Map([
    [
      `${at}/cpu.stat`,
      'usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 1\nnr_throttled 1\nthrottled_usec 9\n',
    ],
    [
      `${at}/cpu.pressure`,
      'some avg10=1.50 avg60=0.00 avg300=0.00 total=7\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
    ],
    [`${at}/memory.current`, '100\n'],
    [`${at}/memory.max`, 'max\n'],
    [`${at}/memory.stat`, 'file 40\nanon 60\n'],
    [`${at}/pids.current`, '2\n'],
    [`${at}/pids.max`, '20\n'],
    [`${at}/io.stat`, '8:0 rbytes=1 wbytes=0\n'],
    [`${at}/cpuset.cpus.effective`, '0-1\n'],
    [`${at}/hugetlb.2MB.current`, '4194304\n'],
  ]);
  const found = statistics(cgroupsAt(unifiedHost(), AT), files, ['2MB', '1GB']);
  const text = stringifyJson(statisticsData(found));
  for (const part of [
    '{"cpu":{"usage":{"total":5000,"kernel":2000,"user":3000},' +
      '"throttling":{"periods":1,"throttledPeriods":1,"throttledTime":9000},' +
      '"psi":{"some":{"avg10":1.5,"avg60":0,"avg300":0,"total":7}}}',
    '"cpuset":{"cpus":[0,1],"cpu_exclusive":0,"mem_hardwall":0',
    '"memory":{"cache":40,"usage":{"limit":18446744073709551615,"usage":100,"failcnt":0},',
    '"raw":{"anon":60,"file":40}}',
    '"pids":{"current":2,"limit":20}',
    '"blkio":{"ioServiceBytesRecursive":[{"major":8,"op":"Read","value":1},{"major":8,"op":"Write"}]}',
    '"hugetlb":{"2MB":{"usage":4194304,"failcnt":0}}',
  ])
    assert.ok(text.includes(part), `${part}\n${text}`);
});

test('statistics of v1: swap and kernel memory, the flags of cpuset', () => {
  const memory = '/sys/fs/cgroup/memory/c/memory.';
  const files = new Map([
    [`${memory}usage_in_bytes`, '11\n'],
    [`${memory}limit_in_bytes`, '4096\n'],
    [`${memory}memsw.usage_in_bytes`, '12\n'],
    [`${memory}memsw.failcnt`, '3\n'],
    [`${memory}kmem.usage_in_bytes`, '5\n'],
    ['/sys/fs/cgroup/cpuset/c/cpuset.sched_load_balance', '1\n'],
    ['/sys/fs/cgroup/cpuset/c/cpuset.sched_relax_domain_level', '-1\n'],
  ]);
  const text = stringifyJson(statisticsData(statistics(cgroupsAt(hybridHost(), AT), files)));
  for (const part of [
    '"usage":{"limit":4096,"usage":11,"failcnt":0},"swap":{"limit":0,"usage":12,"failcnt":3}',
    '"kernel":{"limit":0,"usage":5,"failcnt":0}',
    '"sched_load_balance":1,"sched_relax_domain_level":-1',
  ])
    assert.ok(text.includes(part), `${part}\n${text}`);
});
