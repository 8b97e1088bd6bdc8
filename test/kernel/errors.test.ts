// Errors name the field, the system call and the errno; the exit code is right; nothing is left on the host.
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import {
  capabilities,
  Harness,
  MOUNTS,
  NAMESPACES,
  type Part,
  rootless,
  rootOnly,
  skip,
} from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

const others = NAMESPACES.filter(({ type }) => type !== 'network');
const user = rootless ? [{ type: 'user' }] : [];
const mount = (...mounts: readonly Part[]): Part => ({ mounts: [...MOUNTS, ...mounts] });
const bind = (source: string, destination: string, ...options: readonly string[]): Part => ({
  destination,
  type: 'bind',
  source,
  options: ['bind', ...options],
});
const network = (path: string): Part => ({
  linux: { namespaces: [...others, ...user, { type: 'network', path }] },
});
const process_ = (part: Part): Part => ({ process: part });
const linux = (part: Part): Part => ({ linux: part });
const seccomp = (part: Part): Part => linux({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW', ...part } });

/** A configuration that must fail, the field that must be named, and what else must be said. */
interface Row {
  readonly name: string;
  readonly parts: Part;
  readonly field: string;
  /** A system call and its errno, where the kernel is what refuses. */
  readonly kernel?: readonly [string, string];
  readonly says?: RegExp;
  readonly code?: number;
  readonly who?: 'root' | 'user';
}

/** Refused by the kernel, in the middle of a start. */
const KERNEL: readonly Row[] = [
  {
    name: 'no bind source',
    parts: mount(bind('/no/such/source', '/data')),
    field: '/mounts/5/source',
    kernel: ['open_tree', 'ENOENT'],
  },
  {
    name: 'a file in the way of a directory',
    parts: mount(bind('/usr', '/etc/passwd')),
    field: '/mounts/5',
    kernel: ['openat2', 'ENOTDIR'],
  },
  {
    name: 'a directory in the way of a file',
    parts: mount(bind('/etc/hostname', '/home')),
    field: '/mounts/5',
    kernel: ['move_mount', 'EINVAL'],
  },
  {
    name: 'below a file',
    parts: mount(bind('/usr', '/etc/passwd/x')),
    field: '/mounts/5',
    kernel: ['openat2', 'ENOTDIR'],
  },
  {
    name: 'an unknown file system',
    parts: mount({ destination: '/x', type: 'nosuchfs', source: 'x' }),
    field: '/mounts/5',
    kernel: ['fsopen', 'ENODEV'],
  },
  {
    name: 'an option that the file system does not know',
    parts: mount({ destination: '/x', type: 'tmpfs', source: 'x', options: ['nosuchoption=1'] }),
    field: '/mounts/5',
    kernel: ['fsconfig', 'EINVAL'],
  },
  {
    name: 'a bad value of an option',
    parts: mount({ destination: '/x', type: 'tmpfs', source: 'x', options: ['size=lots'] }),
    field: '/mounts/5',
    kernel: ['fsconfig', 'EINVAL'],
  },
  {
    name: 'a namespace that is not there',
    parts: network('/no/such/namespace'),
    field: '/linux/namespaces/',
    kernel: ['openat', 'ENOENT'],
  },
  {
    name: 'a namespace that is none',
    parts: network('/etc/passwd'),
    field: '/linux/namespaces/',
    kernel: ['ioctl', 'ENOTTY'],
  },
  {
    name: 'a namespace of another type',
    parts: network('/proc/self/ns/uts'),
    field: '/linux/namespaces/',
    says: /EINVAL/,
  },
  {
    name: 'a working directory that is a file',
    parts: process_({ cwd: '/etc/passwd' }),
    field: '/process/cwd',
    kernel: ['openat2', 'ENOTDIR'],
  },
  {
    name: 'no program',
    parts: process_({ args: ['/no/such/program'] }),
    field: '/process/args',
    kernel: ['execve', 'ENOENT'],
    code: 127,
  },
  {
    name: 'a program that is data',
    parts: process_({ args: ['/etc/passwd'] }),
    field: '/process/args',
    kernel: ['execve', 'EACCES'],
    code: 126,
  },
  {
    name: 'a sysctl that does not exist',
    parts: linux({ sysctl: { 'net.no.such.key': '1' } }),
    field: '/linux/sysctl/net.no.such.key',
    kernel: ['openat2', 'ENOENT'],
  },
  {
    name: 'a sysctl with a bad value',
    parts: linux({ sysctl: { 'net.ipv4.ip_forward': 'yes' } }),
    field: '/linux/sysctl/net.ipv4.ip_forward',
    kernel: ['write', 'EINVAL'],
  },
  {
    name: 'a limit above the hard one',
    parts: process_({ rlimits: [{ type: 'RLIMIT_NOFILE', soft: 9999999, hard: 9999999 }] }),
    field: '/process/rlimits/0',
    kernel: ['prlimit64', 'EPERM'],
  },
  {
    name: 'an unmapped user',
    parts: process_({ user: { uid: 12345, gid: 0 } }),
    field: '/process/user',
    kernel: ['setresuid', 'EINVAL'],
    who: 'user',
  },
  {
    name: 'an unmapped group',
    parts: process_({ user: { uid: 0, gid: 12345 } }),
    field: '/process/user',
    kernel: ['setresgid', 'EINVAL'],
    who: 'user',
  },
  {
    name: "ids that are not the caller's",
    parts: linux({ uidMappings: [{ containerID: 0, hostID: 0, size: 1 }] }),
    field: '/linux/uidMappings',
    who: 'user',
  },
  {
    name: 'a device where another one is',
    parts: linux({ devices: [{ path: '/dev/pts', type: 'c', major: 1, minor: 3 }] }),
    field: '/linux/devices/0',
    kernel: ['mknodat', 'EEXIST'],
    who: 'root',
  },
  {
    name: 'a real-time period without rights',
    parts: process_({
      scheduler: { policy: 'SCHED_DEADLINE', runtime: 2000, deadline: 1000000, period: 100 },
    }),
    field: '/process/scheduler',
  },
  {
    name: 'a memory node that does not exist',
    parts: linux({ memoryPolicy: { mode: 'MPOL_BIND', nodes: '63' } }),
    field: '/linux/memoryPolicy',
    kernel: ['set_mempolicy', 'EINVAL'],
  },
  {
    name: 'a terminal without devpts',
    parts: {
      ...process_({ terminal: true }),
      mounts: MOUNTS.filter(({ destination }) => destination !== '/dev/pts'),
    },
    field: '/process/terminal',
    kernel: ['openat2', 'ENOENT'],
  },
  {
    name: 'a cpuset that does not exist',
    parts: linux({ resources: { cpu: { cpus: '0-4095' } } }),
    field: '/linux/resources/cpu/cpus',
    says: /E(?:INVAL|RANGE|ACCES)/,
    who: 'root',
  },
];

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

function check({ name, parts, field, kernel, says, code = 125 }: Row): void {
  const { code: exit, stdout, stderr } = harness.oci(parts, 'echo the container ran');
  const text = `${name}: exit ${exit}\n${stderr}`;
  assert.equal(stdout, '', text);
  assert.equal(exit, code, text);
  assert.ok(stderr.includes(field), `${field} is not named: ${text}`);
  assert.ok(stderr.startsWith('caisson: '), text);
  assert.doesNotMatch(stderr, /unexpected|undefined|\n {4,}at /, text);
  if (kernel !== undefined) {
    assert.match(stderr, new RegExp(`\\(${kernel[1]}\\)`), text);
    assert.match(stderr, new RegExp(`system call ${kernel[0]}$`, 'm'), text);
  }
  if (says !== undefined) assert.match(stderr, says, text);
}

for (const [what, rows] of [
  ['the kernel refuses', KERNEL],
  ['is refused before the start', VALIDATION],
] as const) {
  for (const row of rows) {
    const elsewhere = row.who !== undefined && (row.who === 'user') !== rootless ? 'the other round' : false;
    test(`${what}: ${row.name}`, { skip: skip || elsewhere }, () => {
      check(row);
    });
  }
}

test('nothing is left of all these', { skip }, () => {
  harness.assertNothingLeft();
});

/** Flags that must fail, and what must be said. */
const FLAGS: readonly (readonly [readonly string[], RegExp, ('root' | 'user')?])[] = [
  [['-v', '/no/such/source:/data'], /ENOENT[\s\S]*caused by --volume \/no\/such\/source:\/data/],
  [
    ['--mount', 'type=bind,src=/no/such,dst=/x'],
    /ENOENT[\s\S]*caused by --mount type=bind,src=\/no\/such,dst=\/x/,
  ],
  [['-v', '/usr:/etc/passwd'], /ENOTDIR[\s\S]*caused by --volume \/usr:\/etc\/passwd/],
  [['-v', '/usr:relative'], /relative[\s\S]*absolute/],
  [['-w', '/etc/passwd'], /ENOTDIR[\s\S]*caused by --workdir \/etc\/passwd/],
  [['-u', 'nobody-here'], /nobody-here/],
  [['-u', ':no-such-group'], /no-such-group/],
  [['--group-add', 'no-such-group'], /no-such-group/],
  [['--sysctl', 'kernel.panic=1'], /kernel\.panic/],
  [['--sysctl', 'net.ipv4.ip_forward=yes'], /EINVAL[\s\S]*caused by --sysctl net\.ipv4\.ip_forward=yes/],
  [['--ulimit', 'nofile=9999999'], /EPERM[\s\S]*caused by --ulimit nofile=9999999/],
  [['--ulimit', 'nosuch=1'], /nosuch/],
  [['--cap-add', 'NO_SUCH'], /NO_SUCH/],
  [['--device', '/dev/no-such-device'], /\/dev\/no-such-device/],
  [['--device', '/etc/passwd'], /not a device node/],
  [['--security-opt', 'nonsense'], /nonsense/],
  [['--security-opt', 'apparmor=some-profile'], /--security-opt apparmor=some-profile: AppArmor/],
  [['--security-opt', 'seccomp=/no/such/profile.json'], /\/no\/such\/profile\.json/],
  [['--net-ns', '/no/such/namespace'], /ENOENT[\s\S]*caused by --net-ns \/no\/such\/namespace/],
  [['--net-ns', '/proc/self/ns/uts'], /EINVAL[\s\S]*caused by --net-ns/],
  [['--namespaces', 'mnt,web'], /unknown namespace 'web'/],
  [['--hostname', 'h'.repeat(65)], /--hostname|host name/],
  [['--memory', '1k'], /--memory|memory limit/i],
  [['--memory', 'lots'], /lots/],
  [['--cpus', '1000'], /--cpus/, 'root'],
  [['--cpuset-cpus', '4000'], /--cpuset-cpus 4000/, 'root'],
  [['--pids-limit', 'many'], /many/],
  [['--umask', '9'], /--umask/],
  [['--tmpfs', '/t:size=lots'], /"\/t:size=lots" for "--tmpfs"/],
  [['--shm-size', '-1'], /shm-size/],
  [['--env-file', '/no/such/file'], /\/no\/such\/file/],
  [['--env-file', '/etc'], /\/etc cannot be read: EISDIR/],
  [['--rootfs-tar', '/etc'], /\/etc/],
  [['--rootfs-tar', '/etc/passwd'], /\/etc\/passwd/],
  [['--rootfs-tar', '/no/such/tar'], /--rootfs-tar \/no\/such\/tar/],
  [['--rootfs', '/etc/passwd'], /--rootfs \/etc\/passwd/],
  [['--rootfs', '/no/such/root'], /--rootfs \/no\/such\/root/],
  [['--network', 'bridge'], /bridge[\s\S]*issue 6/],
  [['--publish', '80:80'], /--publish|issue 6/],
  [['--oom-score-adj', '5000'], /5000/],
  [['--timens-offset', 'realtime=5'], /realtime/],
  [['--uidmap', '0:0'], /.*/, 'user'],
  [['--no-such-flag'], /no-such-flag/],
];

for (const [flags, message, who] of FLAGS) {
  const elsewhere = who !== undefined && (who === 'user') !== rootless ? 'the other round' : false;
  test(`a flag is named: ${flags.join(' ').slice(0, 60)}`, { skip: skip || elsewhere }, () => {
    const { code, stdout, stderr } = harness.run(flags, 'echo the container ran');
    assert.equal(stdout, '', stderr);
    assert.equal(code, 125, stderr);
    assert.match(stderr, message);
    assert.match(stderr, /^caisson[: ]/);
    assert.doesNotMatch(stderr, /unexpected|undefined|\n {4,}at /);
  });
}

test('nothing is left of those either', { skip }, () => {
  harness.assertNothingLeft();
});

test('a capability that the caller lacks is not given, and nothing fails', { skip: rootOnly }, () => {
  const process = { capabilities: capabilities(['CAP_CHOWN', 'CAP_SYS_RESOURCE']) };
  const output = harness.ociOutput({ process }, 'grep CapEff /proc/self/status | cut -f2');
  assert.ok(['0000000000000001', '0000000001000001'].includes(output), output);
});

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
    assert.equal(code, 125, stderr);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /unexpected:|\n {4,}at /);
  });
}

test('a bundle that is none', { skip }, () => {
  const ended = harness.ociRun('/no/such/bundle');
  assert.deepEqual([ended.code, ended.stdout], [125, '']);
  assert.match(ended.stderr, /\/no\/such\/bundle\/config\.json/);
  const directory = harness.makeDirectory('bundle');
  mkdirSync(`${directory}/config.json`);
  assert.match(harness.ociRun(directory).stderr, /config\.json cannot be read: EISDIR/);
  const loop = harness.makeDirectory('bundle');
  symlinkSync('config.json', `${loop}/config.json`);
  assert.match(harness.ociRun(loop).stderr, /config\.json cannot be read: ELOOP/);
});
