// Which cgroups the arguments of `exec --cgroup` mean.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cgroup } from './path.ts';
import { subCgroups } from './sub-cgroup.ts';

const cgroup = (version: 1 | 2, ...controllers: string[]): Cgroup => {
  const base = `/sys/fs/cgroup/${controllers.join(',') || 'unified'}`;
  return { version, controllers, base, parents: [], directory: `${base}/box` };
};

const HYBRID = [cgroup(1, 'memory'), cgroup(1, 'cpu', 'cpuacct'), cgroup(2)];
const directories = (given: readonly string[], cgroups = HYBRID) =>
  subCgroups(cgroups, given).map(({ directory }) => directory);
const [memory, cpu, unified] = HYBRID.map(({ directory }) => directory);

test('a path alone is for every hierarchy', () => {
  assert.deepEqual(directories([]), [memory, cpu, unified]);
  assert.deepEqual(directories(['/']), [memory, cpu, unified]);
  assert.deepEqual(directories(['a/./b']), [`${memory}/a/b`, `${cpu}/a/b`, `${unified}/a/b`]);
  assert.deepEqual(directories(['a/../b']), [`${memory}/b`, `${cpu}/b`, `${unified}/b`]);
});

test('a path with controllers is for theirs', () => {
  assert.deepEqual(directories(['memory:a', 'cpu,cpuacct:b']), [`${memory}/a`, `${cpu}/b`, unified]);
  assert.deepEqual(directories(['cpuacct:/b']), [memory, `${cpu}/b`, unified]);
});

test('nothing leads out of the container, and wrong arguments are refused as runc does', () => {
  const refused: [string[], RegExp][] = [
    [['..'], /^bad sub cgroup path: \.\.$/],
    [['a/../../other'], /^bad sub cgroup path/],
    [['memory:../box-too'], /^bad sub cgroup path/],
    [['whaaat:/'], /^unknown controller whaaat in SubCgroupPaths$/],
    [['a', 'b'], /missing <controller>: prefix/],
    [['memory,:a'], /empty <controller> prefix/],
    [['memory:a', 'cpu,memory:b'], /controller memory specified multiple times/],
  ];
  for (const [given, message] of refused)
    assert.throws(() => subCgroups(HYBRID, given), { code: 'EUSAGE', message });
});
