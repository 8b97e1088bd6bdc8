// Tests of the plans that make cgroups: the calls, line by line, on three kinds of host.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bytes } from '../linux/bytes.ts';
import { encode } from '../plan/encode.ts';
import type { LinuxResources } from '../spec/runtime-spec.ts';
import { type CgroupOptions, cgroupFiles, cgroupSteps } from './create.ts';
import { hybridHost, mountedTogether, printed, unifiedHost } from './hosts.testing.ts';
import { joinCgroups } from './join.ts';
import type { CgroupLayout } from './layout.ts';
import { cgroupPath } from './path.ts';

const RESOURCES: LinuxResources = {
  memory: { limit: 67108864 },
  cpu: { shares: 512 },
  devices: [{ allow: false, access: 'rwm' }],
};

function calls(
  layout: CgroupLayout,
  path: string,
  resources: LinuxResources,
  options: CgroupOptions = {},
): string[] {
  return printed(
    cgroupSteps(resources, layout, cgroupPath(path === '' ? undefined : path, 'id1'), options).steps,
  );
}

const known = (files: Record<Bytes, Bytes | undefined>) => new Map(Object.entries(files));

test('hybrid, everything there already: one mkdir and one open per hierarchy, and the limits', () => {
  const files = known({ '/sys/fs/cgroup/cpuset/caisson/cgroup.clone_children': '1\n' });
  const { memory, cpu } = RESOURCES as Required<LinuxResources>;
  assert.deepEqual(calls(hybridHost(), '', { memory, cpu }, { files }), [
    'mkdirat(AT_FDCWD, "/sys/fs/cgroup/systemd/caisson", 0755) /* or EEXIST */',
    'mkdirat(AT_FDCWD, "/sys/fs/cgroup/memory/caisson", 0755) /* or EEXIST */',
    'mkdirat(AT_FDCWD, "/sys/fs/cgroup/cpuset/caisson", 0755) /* or EEXIST */',
    'mkdirat(AT_FDCWD, "/sys/fs/cgroup/cpu/caisson", 0755) /* or EEXIST */',
    'mkdirat(AT_FDCWD, "/sys/fs/cgroup/unified/caisson", 0755) /* or EEXIST */',
    'mkdirat(AT_FDCWD, "/sys/fs/cgroup/systemd/caisson/id1", 0755)',
    'mkdirat(AT_FDCWD, "/sys/fs/cgroup/memory/caisson/id1", 0755)',
    'mkdirat(AT_FDCWD, "/sys/fs/cgroup/cpuset/caisson/id1", 0755)',
    'mkdirat(AT_FDCWD, "/sys/fs/cgroup/cpu/caisson/id1", 0755)',
    'mkdirat(AT_FDCWD, "/sys/fs/cgroup/unified/caisson/id1", 0755)',
    'openat(AT_FDCWD, "/sys/fs/cgroup/systemd/caisson/id1/tasks", O_WRONLY|O_CLOEXEC) = <tasks of systemd>',
    'openat(AT_FDCWD, "/sys/fs/cgroup/memory/caisson/id1/tasks", O_WRONLY|O_CLOEXEC) = <tasks of memory>',
    'openat(AT_FDCWD, "/sys/fs/cgroup/cpuset/caisson/id1/tasks", O_WRONLY|O_CLOEXEC) = <tasks of cpuset>',
    'openat(AT_FDCWD, "/sys/fs/cgroup/cpu/caisson/id1/tasks", O_WRONLY|O_CLOEXEC) = <tasks of cpu>',
    'openat(AT_FDCWD, "/sys/fs/cgroup/unified/caisson/id1", O_RDONLY|O_CLOEXEC) = <cgroup unified>',
    'openat(AT_FDCWD, "/sys/fs/cgroup/cpu/caisson/id1/cpu.shares", O_WRONLY|O_CLOEXEC) = <cpu.shares>',
    'write(<cpu.shares>, "512", 3)',
    'close(<cpu.shares>)',
    'openat(AT_FDCWD, "/sys/fs/cgroup/memory/caisson/id1/memory.limit_in_bytes", O_WRONLY|O_CLOEXEC) = <memory.limit_in_bytes>',
    'write(<memory.limit_in_bytes>, "67108864", 8)',
    'close(<memory.limit_in_bytes>)',
  ]);
});

test('v1: the process joins by itself, and the descriptors are closed after the fork', () => {
  const plan = cgroupSteps({}, hybridHost(), cgroupPath('/x', ''));
  assert.deepEqual(printed(plan.join), [
    'write(<tasks of systemd>, "0", 1)',
    'write(<tasks of memory>, "0", 1)',
    'write(<tasks of cpuset>, "0", 1)',
    'write(<tasks of cpu>, "0", 1)',
  ]);
  assert.ok(plan.join.every(({ actor }) => actor === 'child'));
  assert.ok([...plan.steps, ...plan.release].every(({ actor }) => actor === 'parent'));
  assert.equal(plan.intoCgroup?.name, 'cgroup unified');
  assert.equal(plan.release[0]?.calls.length, 5);
  encode([...plan.steps, ...plan.release, ...plan.join], 'x86_64');
});

test('cpuset on v1: a new parent gets the CPUs of its parent and passes them on', () => {
  const options = { files: known({ '/sys/fs/cgroup/cpuset/a/cgroup.clone_children': undefined }) };
  const steps = cgroupSteps({}, hybridHost(), cgroupPath('/a/b', ''), options).steps;
  assert.deepEqual(
    steps.filter(({ id }) => id === 'cgroup-cpuset').map(({ title }) => title),
    [
      'give /sys/fs/cgroup/cpuset/a the CPUs of /sys/fs/cgroup/cpuset',
      'let /sys/fs/cgroup/cpuset/a pass on its CPUs',
    ],
  );
  const text = printed(steps);
  const fill = text.indexOf('write(<cpuset.mems>, [cpuset.mems], <length of cpuset.mems>)');
  assert.ok(fill > 0);
  assert.ok(text.indexOf('mkdirat(AT_FDCWD, "/sys/fs/cgroup/cpuset/a/b", 0755)') > fill);
});

test('cpuset on v1: an ancestor with CPUs of its own keeps them, one without gets some', () => {
  const file = (name: string) => `/sys/fs/cgroup/cpuset/${name}`;
  const files = known({
    [file('a/b/cgroup.clone_children')]: '0\n',
    [file('a/cpuset.cpus')]: '1\n',
    [file('a/b/cpuset.cpus')]: '\n',
  });
  const titles = (resources: LinuxResources) =>
    cgroupSteps(resources, hybridHost(), cgroupPath('/a/b/c', ''), { files })
      .steps.filter(({ id }) => id === 'cgroup-cpuset')
      .map(({ title, calls: made }) => `${title}: ${made.length}`);
  assert.deepEqual(titles({}), [
    `give ${file('a/b')} the CPUs of ${file('a')}: 12`,
    `give ${file('a/b/c')} the CPUs of ${file('a/b')}: 12`,
  ]);
  assert.deepEqual(titles({ cpu: { cpus: '1' } })[1], `give ${file('a/b/c')} the CPUs of ${file('a/b')}: 6`);
  assert.equal(titles({ cpu: { cpus: '1', mems: '0' } }).length, 1);
});

test('cpuset on v1: directly below the mount the leaf is filled', () => {
  const text = calls(hybridHost(), '/x', {});
  assert.ok(
    text.includes(
      'openat(AT_FDCWD, "/sys/fs/cgroup/cpuset/cpuset.cpus", O_RDONLY|O_CLOEXEC) = <parent cpuset.cpus>',
    ),
  );
  assert.ok(
    text.includes(
      'openat(AT_FDCWD, "/sys/fs/cgroup/cpuset/x/cpuset.cpus", O_WRONLY|O_CLOEXEC) = <cpuset.cpus>',
    ),
  );
});

test('the files to know are asked for in two rounds at most', () => {
  const path = cgroupPath('/a/b/c', '');
  const first = cgroupFiles(hybridHost(), path, new Map());
  assert.deepEqual(first, ['/sys/fs/cgroup/cpuset/a/b/cgroup.clone_children']);
  const answered = (content: string | undefined) =>
    cgroupFiles(hybridHost(), path, new Map([[first[0] ?? '', content]]));
  assert.deepEqual(answered('1\n'), []);
  assert.deepEqual(answered('0\n'), [
    '/sys/fs/cgroup/cpuset/a/cpuset.cpus',
    '/sys/fs/cgroup/cpuset/a/b/cpuset.cpus',
  ]);
  assert.deepEqual(cgroupFiles(unifiedHost(), path, new Map()), [
    '/sys/fs/cgroup/cgroup.subtree_control',
    '/sys/fs/cgroup/a/cgroup.subtree_control',
    '/sys/fs/cgroup/a/b/cgroup.subtree_control',
  ]);
});

test('v2: controllers are enabled from the top, one write each, where they are not yet', () => {
  const files = known({
    '/sys/fs/cgroup/cgroup.subtree_control': 'cpuset cpu io memory hugetlb pids\n',
    '/sys/fs/cgroup/caisson/cgroup.subtree_control': 'cpuset cpu io memory\n',
  });
  assert.deepEqual(calls(unifiedHost(), '', { memory: { limit: 5 } }, { files }), [
    'mkdirat(AT_FDCWD, "/sys/fs/cgroup/caisson", 0755) /* or EEXIST */',
    'openat(AT_FDCWD, "/sys/fs/cgroup/caisson/cgroup.subtree_control", O_WRONLY|O_CLOEXEC) = <cgroup.subtree_control> /* or EACCES, EPERM, EROFS */',
    'write(<cgroup.subtree_control>, "+hugetlb", 8) /* or EBADF, EBUSY, EINVAL, ENOENT */',
    'write(<cgroup.subtree_control>, "+pids", 5) /* or EBADF, EBUSY, EINVAL, ENOENT */',
    'close(<cgroup.subtree_control>) /* or EBADF */',
    'mkdirat(AT_FDCWD, "/sys/fs/cgroup/caisson/id1", 0755)',
    'openat(AT_FDCWD, "/sys/fs/cgroup/caisson/id1", O_RDONLY|O_CLOEXEC) = <cgroup unified>',
    'openat(AT_FDCWD, "/sys/fs/cgroup/caisson/id1/memory.max", O_WRONLY|O_CLOEXEC) = <memory.max>',
    'write(<memory.max>, "5", 1)',
    'close(<memory.max>)',
  ]);
});

test('v2: cloned into the cgroup, or joined by a write; devices by a program', () => {
  const cloned = cgroupSteps(RESOURCES, unifiedHost(), cgroupPath('/a', ''));
  assert.deepEqual(cloned.join, []);
  assert.equal(cloned.intoCgroup?.name, 'cgroup unified');
  assert.ok(cloned.steps.some(({ id }) => id === 'cgroup-device-attach'));
  const written = cgroupSteps(RESOURCES, unifiedHost(), cgroupPath('/a', ''), {
    unified: 'write',
    devices: 'skip',
  });
  assert.deepEqual(printed(written.join), ['write(<cgroup.procs of unified>, "0", 1)']);
  assert.equal(written.intoCgroup, undefined);
  assert.ok(!written.steps.some(({ id }) => id.startsWith('cgroup-device')));
  encode([...cloned.steps, ...cloned.release], 'x86_64');
});

test('beside v1 the controllers of v2 are enabled only for a limit that needs them', () => {
  const enabled = (resources: LinuxResources) =>
    cgroupSteps(resources, hybridHost(), cgroupPath('/a/b', '')).steps.filter(
      ({ id }) => id === 'cgroup-enable',
    ).length;
  assert.equal(enabled({}), 0);
  assert.equal(enabled({ hugepageLimits: [{ pageSize: '2MB', limit: 0 }] }), 2);
});

test('an existing cgroup must be empty and not frozen', () => {
  const v1 = calls(mountedTogether(), '/a', {}, { leaf: 'empty' });
  assert.ok(v1.includes('mkdirat(AT_FDCWD, "/sys/fs/cgroup/freezer/a", 0755) /* or EEXIST */'));
  assert.ok(
    v1.includes(
      'openat(AT_FDCWD, "/sys/fs/cgroup/cpu,cpuacct/a/tasks", O_RDWR|O_CLOEXEC) = <tasks of cpu,cpuacct>',
    ),
  );
  assert.equal(v1.filter((text) => text === 'CHECK <length of cgroup.procs> == 0 else EBUSY').length, 5);
  // "THAWED\n" as a number.
  assert.ok(v1.includes(`CHECK <freezer.state> == ${0x0a444557414854n} else EBUSY`));
  const v2 = calls(unifiedHost(), '/a', {}, { leaf: 'empty' });
  // The two digits, with what stands around them.
  assert.ok(v2.includes(`CHECK <cgroup.events 8> == ${0x7a6f72660a302064n} else EBUSY`));
  assert.ok(v2.includes(`CHECK (<cgroup.events 16> & 0xffffffffff) == ${0x0a30206e65n} else EBUSY`));
  assert.equal(calls(unifiedHost(), '/a', {}).filter((text) => text.startsWith('CHECK')).length, 1);
});

test('undo removes the directory that a step made, and ancestors that were missing', () => {
  const absent = new Set(['/sys/fs/cgroup/a/b']);
  const { steps } = cgroupSteps({}, unifiedHost(), cgroupPath('/a/b/c', ''), { absent });
  const undone = steps.flatMap(({ undo }) =>
    undo === undefined ? [] : printed([{ ...(steps[0] as (typeof steps)[0]), calls: undo }]),
  );
  assert.deepEqual(undone, [
    'unlinkat(AT_FDCWD, "/sys/fs/cgroup/a/b", AT_REMOVEDIR) /* or ENOENT, EBUSY, ENOTEMPTY */',
    'unlinkat(AT_FDCWD, "/sys/fs/cgroup/a/b/c", AT_REMOVEDIR) /* or ENOENT, EBUSY, ENOTEMPTY */',
  ]);
});

test('a limit names its field, a weight that two schedulers know is one step', () => {
  const { steps } = cgroupSteps({ blockIO: { weight: 10 } }, unifiedHost(), cgroupPath('/a', ''));
  const weight = steps.find(({ id }) => id === 'cgroup-limit');
  assert.deepEqual(weight?.provenance, ['/linux/resources/blockIO/weight']);
  assert.deepEqual(printed(weight === undefined ? [] : [weight]), [
    'openat(AT_FDCWD, "/sys/fs/cgroup/a/io.bfq.weight", O_WRONLY|O_CLOEXEC) = <io.bfq.weight> /* or ENOENT */',
    'openat(AT_FDCWD, "/sys/fs/cgroup/a/io.weight", O_WRONLY|O_CLOEXEC) = <io.weight> /* or ENOENT */',
    'ppoll([{fd=<io.bfq.weight>, events=POLLOUT}, {fd=<io.weight>, events=POLLOUT}], 2, {tv_sec=0, tv_nsec=0}, NULL, 8) = <open files>',
    'CHECK <open files> >= 1 else ENOENT',
    'write(<io.bfq.weight>, "10", 2) /* or EBADF */',
    'write(<io.weight>, "1", 1) /* or EBADF */',
    'close(<io.bfq.weight>) /* or EBADF */',
    'close(<io.weight>) /* or EBADF */',
  ]);
});

test('a v2 cgroup can be given to the user inside', () => {
  const owner = { uid: 100000, gid: 100000, files: ['cgroup.procs', 'memory.reclaim', '../x'] };
  const text = calls(unifiedHost(), '/a', {}, { owner }).filter((line) => line.startsWith('fchownat'));
  assert.deepEqual(text, [
    'fchownat(AT_FDCWD, "/sys/fs/cgroup/a", 100000, 100000, 0)',
    'fchownat(<cgroup unified>, "cgroup.procs", 100000, 100000, 0) /* or ENOENT */',
    'fchownat(<cgroup unified>, "memory.reclaim", 100000, 100000, 0) /* or ENOENT */',
  ]);
  assert.equal(
    calls(mountedTogether(), '/a', {}, { owner }).filter((line) => line.startsWith('fchownat')).length,
    0,
  );
});

test('where the kernel does not say what is delegated it is three files', () => {
  const owner = { uid: 7, gid: 8 };
  const text = calls(unifiedHost(), '/a', {}, { owner }).filter((line) => line.startsWith('fchownat(<'));
  assert.deepEqual(
    text.map((line) => /"(.*)"/.exec(line)?.[1]),
    ['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'],
  );
});

test('exec joins what is there, unless it is frozen', () => {
  const { cgroups } = cgroupSteps({}, hybridHost(), cgroupPath('/a', ''));
  const plan = joinCgroups(cgroups);
  assert.equal(plan.intoCgroup?.name, 'cgroup unified');
  assert.equal(printed(plan.join).length, 4);
  assert.ok(printed(plan.steps).some((text) => text.startsWith('CHECK')));
  assert.ok(!printed(plan.steps).some((text) => text.startsWith('mkdirat')));
});
