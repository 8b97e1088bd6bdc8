// A configuration that cannot be is refused before the start, by its field, or by line and column.
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Harness, NAMESPACES, type Part, skip } from '../harness/caisson.ts';
import { bind, linux, mount, network, process_, type Row, seccomp, testRows, user } from './error-rows.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

/** Refused before anything has been done. */
const VALIDATION: readonly Row[] = [
  { name: 'no program named', parts: process_({ args: [] }), field: '/process/args', says: /is empty/ },
  {
    name: 'no arguments at all',
    parts: process_({ args: undefined }),
    field: '/process/args',
    says: /required/,
  },
  {
    name: 'an unknown limit',
    parts: process_({ rlimits: [{ type: 'RLIMIT_NONE', soft: 1, hard: 1 }] }),
    field: '/process/rlimits/0/type',
  },
  {
    name: 'a limit above itself',
    parts: process_({ rlimits: [{ type: 'RLIMIT_CORE', soft: 2, hard: 1 }] }),
    field: '/process/rlimits/0/soft',
  },
  {
    name: 'a limit out of range',
    parts: process_({ rlimits: [{ type: 'RLIMIT_CORE', soft: -2, hard: 1 }] }),
    field: '/process/rlimits/0/soft',
  },
  {
    name: 'a relative directory',
    parts: process_({ cwd: 'tmp' }),
    field: '/process/cwd',
    says: /not an absolute path/,
  },
  {
    name: 'a path of 4096 bytes',
    parts: process_({ cwd: `/${'a/'.repeat(2048)}` }),
    field: '/process/cwd',
    says: /4095/,
  },
  {
    name: 'a name of 256 bytes',
    parts: process_({ cwd: `/${'a'.repeat(256)}` }),
    field: '/process/cwd',
    says: /255/,
  },
  { name: 'a NUL in a path', parts: process_({ cwd: '/a\0b' }), field: '/process/cwd', says: /NUL/ },
  {
    name: 'a NUL in an argument',
    parts: process_({ args: ['/bin/echo', 'a\0b'] }),
    field: '/process/args/1',
    says: /NUL/,
  },
  { name: 'a score out of range', parts: process_({ oomScoreAdj: 1001 }), field: '/process/oomScoreAdj' },
  {
    name: 'an id that means "leave it"',
    parts: process_({ user: { uid: 4294967295, gid: 0 } }),
    field: '/process/user/uid',
  },
  { name: 'a negative id', parts: process_({ user: { uid: -1, gid: 0 } }), field: '/process/user/uid' },
  {
    name: 'a number that is text',
    parts: process_({ user: { uid: '0', gid: 0 } }),
    field: '/process/user/uid',
  },
  { name: 'text that is a number', parts: process_({ cwd: 7 }), field: '/process/cwd' },
  { name: 'a list that is an object', parts: { mounts: {} }, field: '/mounts' },
  {
    name: 'an unknown I/O class',
    parts: process_({ ioPriority: { class: 'IOPRIO_CLASS_NONE', priority: 1 } }),
    field: '/process/ioPriority/class',
  },
  {
    name: 'an unknown policy',
    parts: process_({ scheduler: { policy: 'SCHED_NONE' } }),
    field: '/process/scheduler/policy',
  },
  {
    name: 'an unknown namespace',
    parts: linux({ namespaces: [...NAMESPACES, ...user, { type: 'network2' }] }),
    field: '/linux/namespaces/',
  },
  {
    name: 'a namespace twice',
    parts: linux({ namespaces: [...NAMESPACES, ...user, { type: 'pid' }] }),
    field: '/linux/namespaces/',
  },
  { name: 'a relative namespace', parts: network('proc/self/ns/net'), field: '/linux/namespaces/' },
  { name: 'a long host name', parts: { hostname: 'h'.repeat(65) }, field: '/hostname', says: /64/ },
  {
    name: 'a host name without its namespace',
    parts: {
      hostname: 'h',
      linux: { namespaces: [...NAMESPACES, ...user].filter(({ type }) => type !== 'uts') },
    },
    field: '/hostname',
  },
  {
    name: 'a device number out of range',
    parts: linux({ devices: [{ path: '/dev/x', type: 'c', major: 4096, minor: 1 }] }),
    field: '/linux/devices/0/major',
  },
  {
    name: 'a device of no type',
    parts: linux({ devices: [{ path: '/dev/x', type: 'x', major: 1, minor: 1 }] }),
    field: '/linux/devices/0/type',
  },
  {
    name: 'a sysctl of the host',
    parts: linux({ sysctl: { 'kernel.panic': '1' } }),
    field: '/linux/sysctl/kernel.panic',
  },
  {
    name: 'a sysctl out of its place',
    parts: linux({ sysctl: { 'net/../kernel/panic': '1' } }),
    field: '/linux/sysctl/net~1..~1kernel~1panic',
  },
  {
    name: 'an unknown propagation',
    parts: linux({ rootfsPropagation: 'rpublic' }),
    field: '/linux/rootfsPropagation',
  },
  {
    name: 'a relative masked path',
    parts: linux({ maskedPaths: ['proc/keys'] }),
    field: '/linux/maskedPaths/0',
  },
  {
    name: 'overlapping id maps',
    parts: linux({
      namespaces: [...NAMESPACES, { type: 'user' }],
      uidMappings: [
        { containerID: 0, hostID: 0, size: 2 },
        { containerID: 1, hostID: 9, size: 1 },
      ],
    }),
    field: '/linux/uidMappings',
  },
  {
    name: 'an empty id map',
    parts: linux({
      namespaces: [...NAMESPACES, { type: 'user' }],
      uidMappings: [{ containerID: 0, hostID: 0, size: 0 }],
    }),
    field: '/linux/uidMappings/0/size',
  },
  {
    name: 'an unknown seccomp action',
    parts: seccomp({ defaultAction: 'SCMP_ACT_NONE' }),
    field: '/linux/seccomp/defaultAction',
  },
  {
    name: 'a mount over the root',
    parts: mount({ destination: '/x/../..', type: 'tmpfs', source: 'x' }),
    field: '/mounts/5/destination',
  },
  {
    name: 'an errno that no action returns',
    parts: seccomp({ defaultErrnoRet: 1 }),
    field: '/linux/seccomp/defaultErrnoRet',
  },
  {
    name: 'a seccomp rule without names',
    parts: seccomp({ syscalls: [{ names: [], action: 'SCMP_ACT_ERRNO' }] }),
    field: '/linux/seccomp/syscalls/0/names',
  },
  {
    name: 'a seccomp argument out of range',
    parts: seccomp({
      syscalls: [
        { names: ['read'], action: 'SCMP_ACT_ERRNO', args: [{ index: 6, value: 1, op: 'SCMP_CMP_EQ' }] },
      ],
    }),
    field: '/linux/seccomp/syscalls/0/args/0/index',
  },
  {
    name: 'a seccomp filter that is too large',
    parts: seccomp({ syscalls: tooManyRules() }),
    field: '/linux/seccomp',
    says: /instructions|4096|EINVAL/,
  },
  {
    name: 'a profile without AppArmor',
    parts: process_({ apparmorProfile: 'some-profile' }),
    field: '/process/apparmorProfile',
  },
  {
    name: 'a label without SELinux',
    parts: process_({ selinuxLabel: 'system_u:system_r:container_t:s0' }),
    field: '/process/selinuxLabel',
  },
  {
    name: 'a mount without a destination',
    parts: mount({ type: 'tmpfs', source: 'x' }),
    field: '/mounts/5/destination',
  },
  {
    name: 'a mount without a type',
    parts: mount({ destination: '/x', source: 'x' }),
    field: '/mounts/5/type',
  },
  {
    name: 'a bind of nothing',
    parts: mount({ destination: '/x', options: ['bind'] }),
    field: '/mounts/5/source',
  },
  { name: 'a mount below /proc', parts: mount(bind('/etc', '/proc/sys')), field: '/mounts/5/destination' },
  { name: 'no root', parts: { root: { path: '/no/such/root' } }, field: '/root/path' },
  { name: 'a root that is a file', parts: { root: { path: '/etc/passwd' } }, field: '/root/path' },
  { name: 'no version', parts: { ociVersion: undefined }, field: '/ociVersion' },
  { name: 'another version', parts: { ociVersion: '2.0.0' }, field: '/ociVersion' },
  { name: 'a cgroup outside', parts: linux({ cgroupsPath: '/../x' }), field: '/linux/cgroupsPath' },
  {
    name: 'less swap than memory',
    parts: linux({ resources: { memory: { limit: 2000000, swap: 1000000 } } }),
    field: '/linux/resources/memory/swap',
  },
  {
    name: 'a quota that is too small',
    parts: linux({ resources: { cpu: { quota: 10 } } }),
    field: '/linux/resources/cpu/quota',
  },
  {
    name: 'a rule for devices that is none',
    parts: linux({ resources: { devices: [{ allow: true, access: 'xyz' }] } }),
    field: '/linux/resources/devices/0/access',
  },
];

/** More comparisons than a filter of 4,096 instructions can hold (bpf_check_classic of the kernel). */
function tooManyRules(): Part[] {
  return Array.from({ length: 3000 }, (_, value) => ({
    names: ['personality'],
    action: 'SCMP_ACT_ERRNO',
    args: [{ index: 0, value: 3 * value, op: 'SCMP_CMP_EQ' }],
  }));
}

testRows(harness, 'is refused before the start', VALIDATION);

/** config.json as text that is no configuration. */
const TEXTS: readonly (readonly [string, string, RegExp])[] = [
  ['nothing', '', /config\.json:1:1: /],
  ['half', '{"ociVersion": "1.3.0",\n  "process": {', /config\.json:2:\d+: /],
  ['a missing comma', '{"ociVersion": "1.3.0"\n "root": {}}', /config\.json:2:2: /],
  ['a number', '17', /expected an object/],
  ['a list', '[]', /expected an object/],
  ['a lone surrogate', '{"ociVersion": "\\ud800"}', /config\.json:1:\d+: |ociVersion/],
  ['a comment', '{ // here\n}', /config\.json:1:3: /],
  [
    'a number too large for anything',
    '{"ociVersion": "1.3.0", "process": {"oomScoreAdj": 1e400}}',
    /oomScoreAdj|config\.json:1:\d+/,
  ],
  ['deep nesting', '['.repeat(100000), /config\.json:1:\d+: /],
];

for (const [name, text, message] of TEXTS) {
  test(`a config.json that is ${name}`, { skip }, () => {
    const bundle = harness.makeDirectory('bundle');
    writeFileSync(`${bundle}/config.json`, text);
    const { code, stderr } = harness.ociRun(bundle);
    assert.equal(code, 1, stderr);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /unexpected:|\n {4,}at /);
  });
}

test('a bundle that is none', { skip }, () => {
  const ended = harness.ociRun('/no/such/bundle');
  assert.deepEqual([ended.code, ended.stdout], [1, '']);
  assert.match(ended.stderr, /chdir \/no\/such\/bundle: no such file or directory/);
  const directory = harness.makeDirectory('bundle');
  mkdirSync(`${directory}/config.json`);
  assert.match(harness.ociRun(directory).stderr, /config\.json cannot be read: EISDIR/);
  const loop = harness.makeDirectory('bundle');
  symlinkSync('config.json', `${loop}/config.json`);
  assert.match(harness.ociRun(loop).stderr, /config\.json cannot be read: ELOOP/);
});
