// Tests of what reaches a cgroup of v2 from above: controllers, and the mode of threads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bytes } from '../linux/bytes.ts';
import type { LinuxResources } from '../spec/runtime-spec.ts';
import { cgroupFiles, cgroupSteps } from './create.ts';
import { unifiedHost } from './hosts.testing.ts';
import { cgroupPath } from './path.ts';

const PATH = cgroupPath('/a/b/c', '');
const TOP = '/sys/fs/cgroup';
const ALL = 'cpuset cpu io memory hugetlb pids\n';

function known(contents: Readonly<Record<string, Bytes | undefined>>): Map<Bytes, Bytes | undefined> {
  return new Map(Object.entries(contents).map(([file, text]) => [`${TOP}${file}`, text]));
}

function titles(resources: LinuxResources, contents: Readonly<Record<string, Bytes | undefined>>): string[] {
  const { steps } = cgroupSteps(resources, unifiedHost(), PATH, { files: known(contents) });
  return steps.map(({ title }) => title).filter((title) => /^(?:enable|make) /.test(title));
}

const ENABLED = {
  '/cgroup.subtree_control': ALL,
  '/a/cgroup.subtree_control': ALL,
  '/a/b/cgroup.subtree_control': ALL,
};

test('the second round asks about ancestors that lack a controller, and for the mode', () => {
  const complete = cgroupFiles(unifiedHost(), PATH, known(ENABLED));
  assert.deepEqual(complete, [`${TOP}/a/b/c/cgroup.type`, `${TOP}/a/b/cgroup.type`]);
  const lacking = {
    ...ENABLED,
    '/a/cgroup.subtree_control': 'cpu\n',
    '/a/b/cgroup.subtree_control': undefined,
  };
  assert.deepEqual(cgroupFiles(unifiedHost(), PATH, known(lacking)), [
    `${TOP}/a/cgroup.type`,
    `${TOP}/a/cgroup.procs`,
    `${TOP}/a/b/c/cgroup.type`,
  ]);
  const answered = { ...ENABLED, '/a/b/c/cgroup.type': undefined, '/a/b/cgroup.type': 'domain\n' };
  assert.deepEqual(cgroupFiles(unifiedHost(), PATH, known(answered)), []);
  assert.deepEqual(titles({}, answered), []);
});

test('an ancestor with processes hands nothing down, the root does', () => {
  const occupied = {
    '/cgroup.subtree_control': 'cpu\n',
    '/cgroup.procs': '1\n',
    '/a/cgroup.subtree_control': 'cpu\n',
    '/a/cgroup.type': 'domain\n',
    '/a/cgroup.procs': '7\n',
  };
  assert.deepEqual(titles({}, occupied), [
    'enable cpuset, io, memory, hugetlb, pids below /sys/fs/cgroup',
    'enable cpuset, cpu, io, memory, hugetlb, pids below /sys/fs/cgroup/a/b',
  ]);
});

test('below a threaded cgroup new ones are made threaded, unless limits need a domain', () => {
  const threaded = {
    '/cgroup.subtree_control': ALL,
    '/a/cgroup.subtree_control': '\n',
    '/a/cgroup.type': 'domain threaded\n',
  };
  const made = titles({ pids: { limit: 4 } }, threaded);
  assert.deepEqual(made, [
    'enable cpuset, cpu, pids below /sys/fs/cgroup/a',
    'make /sys/fs/cgroup/a/b threaded, as those above are',
    'enable cpuset, cpu, pids below /sys/fs/cgroup/a/b',
    'make /sys/fs/cgroup/a/b/c threaded, as those above are',
  ]);
  assert.throws(
    () => titles({ memory: { limit: 4096 } }, threaded),
    /cannot enter cgroupv2 "\/sys\/fs\/cgroup\/a" with domain controllers -- it is in domain threaded mode/,
  );
  assert.throws(
    () => titles({ memory: { limit: 4096 } }, { ...ENABLED, '/a/b/c/cgroup.type': 'domain invalid\n' }),
    /"\/sys\/fs\/cgroup\/a\/b\/c" with domain controllers -- it is in an invalid state/,
  );
  assert.deepEqual(titles({}, { ...ENABLED, '/a/b/c/cgroup.type': 'domain invalid\n' }), [
    'make /sys/fs/cgroup/a/b/c threaded, as those above are',
  ]);
  assert.deepEqual(titles({}, { ...ENABLED, '/a/b/c/cgroup.type': 'threaded\n' }), []);
});
