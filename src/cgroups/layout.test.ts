// Tests of the cgroup layouts of hosts and containers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountinfo } from '../linux/mountinfo.ts';
import { HYBRID, HYBRID_SELF, UNIFIED } from './hosts.testing.ts';
import { cgroupLayout, directoryOf, hierarchyName, hierarchyOf, unifiedMountPoint } from './layout.ts';
import { parseMemberships } from './membership.ts';

test('a hybrid host: single v1 controllers, a named hierarchy, v2 beside them', () => {
  const layout = cgroupLayout(parseMountinfo(HYBRID), HYBRID_SELF, 'hugetlb\n');
  assert.equal(layout.mode, 'hybrid');
  assert.deepEqual(
    layout.hierarchies.map((hierarchy) => [
      hierarchyName(hierarchy),
      hierarchy.version,
      hierarchy.mountPoint,
    ]),
    [
      ['systemd', 1, '/sys/fs/cgroup/systemd'],
      ['memory', 1, '/sys/fs/cgroup/memory'],
      ['cpuset', 1, '/sys/fs/cgroup/cpuset'],
      ['cpu', 1, '/sys/fs/cgroup/cpu'],
      ['unified', 2, '/sys/fs/cgroup/unified'],
    ],
  );
  assert.equal(hierarchyOf(layout.hierarchies, 'memory')?.ownPath, '/jobs/one');
  assert.equal(hierarchyOf(layout.hierarchies, 'hugetlb')?.version, 2);
  assert.equal(hierarchyOf(layout.hierarchies, 'pids'), undefined);
});

test('a v2 host', () => {
  const layout = cgroupLayout(
    parseMountinfo(UNIFIED),
    '0::/user.slice/s.scope\n',
    'cpuset cpu io memory pids\n',
  );
  assert.equal(layout.mode, 'v2');
  assert.deepEqual(layout.hierarchies, [
    {
      controllers: ['cpuset', 'cpu', 'io', 'memory', 'pids'],
      mountPoint: '/sys/fs/cgroup',
      version: 2,
      ownPath: '/user.slice/s.scope',
      mountRoot: '/',
    },
  ]);
});

test('controllers mounted together are one hierarchy, under whatever directory', () => {
  const mounts = parseMountinfo('1 0 0:1 / /cg/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n');
  const layout = cgroupLayout(mounts, '3:cpu,cpuacct:/a\n2:memory:/\n', '');
  assert.equal(layout.mode, 'v1');
  assert.equal(layout.hierarchies.length, 1);
  assert.equal(hierarchyOf(layout.hierarchies, 'cpuacct')?.mountPoint, '/cg/cpu,cpuacct');
});

test('the mount at the usual place wins over a bind of it elsewhere', () => {
  const mounts = parseMountinfo(
    '1 0 0:1 / /srv/root/sys/fs/cgroup rw - cgroup2 none rw\n2 0 0:1 / /sys/fs/cgroup rw - cgroup2 none rw\n',
  );
  assert.equal(unifiedMountPoint(mounts), '/sys/fs/cgroup');
  assert.equal(unifiedMountPoint([]), undefined);
});

test('directories where the root of the mount is not the root of the hierarchy', () => {
  const hierarchy = {
    controllers: ['memory'],
    mountPoint: '/sys/fs/cgroup/memory',
    version: 1 as const,
    ownPath: '/docker/abc',
    mountRoot: '/docker/abc',
  };
  assert.equal(directoryOf(hierarchy, '/docker/abc'), '/sys/fs/cgroup/memory');
  assert.equal(directoryOf(hierarchy, '/docker/abc/x'), '/sys/fs/cgroup/memory/x');
  assert.equal(directoryOf(hierarchy, '/docker/abcd'), undefined);
  assert.equal(directoryOf({ ...hierarchy, mountRoot: '/' }, '/'), '/sys/fs/cgroup/memory');
  assert.equal(directoryOf({ ...hierarchy, mountRoot: '/' }, '/../x'), undefined);
});

test('memberships', () => {
  assert.deepEqual(parseMemberships('4:cpu,cpuacct:/a:b\n1:name=systemd:/\n0::/gone (deleted)\n'), [
    { id: 4, controllers: ['cpu', 'cpuacct'], path: '/a:b' },
    { id: 1, controllers: ['name=systemd'], path: '/' },
    { id: 0, controllers: [], path: '/gone' },
  ]);
  for (const line of ['nonsense', ':cpu:/', '1:cpu', '1:cpu:a', 'x:cpu:/']) {
    assert.throws(() => parseMemberships(`${line}\n`), SyntaxError, line);
  }
});
