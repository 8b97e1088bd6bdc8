// Tests of the checks: every field of a complete configuration is broken in turn, and the message must name it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completeSpec } from './complete-spec.ts';
import { exampleSpec } from './defaults.ts';
import { CaissonError } from './error.ts';
import { stringifyJson } from './json.ts';
import { lookupPointer, pointerTokens } from './pointer.ts';
import type { Spec } from './runtime-spec.ts';
import { parseProcess, parseResources, parseSpec, validateSpec } from './validate.ts';

type Json = Record<string, unknown>;

/** What is there when a pointer is to be removed. */
const ABSENT = Symbol('absent');

function change(spec: Spec, pointer: string, value: unknown): Json {
  const tokens = pointerTokens(pointer);
  const last = tokens.pop() as string;
  let at = spec as unknown as Json;
  for (const token of tokens) {
    at[token] ??= {};
    at = at[token] as Json;
  }
  if (value === ABSENT) delete at[last];
  else at[last] = value;
  return spec as unknown as Json;
}

function refusal(run: () => unknown): CaissonError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof CaissonError, String(error));
    assert.equal(error.code, 'EINVALIDSPEC');
    assert.ok(!error.message.includes('\n'), error.message);
    return error;
  }
  throw new assert.AssertionError({ message: 'nothing was refused' });
}

function pointersIn(value: unknown, at = ''): string[] {
  if (typeof value !== 'object' || value === null) return [at];
  const inner = Object.entries(value).flatMap(([key, item]) =>
    pointersIn(item, `${at}/${key.replaceAll('/', '~1')}`),
  );
  return at === '' ? inner : [at, ...inner];
}

test('validate: the complete and the example configurations pass without a warning', () => {
  for (const spec of [completeSpec(), exampleSpec(), exampleSpec({ uid: 1000, gid: 1000 })]) {
    const text = stringifyJson(spec);
    const checked = parseSpec(text);
    assert.deepEqual(checked.warnings, []);
    assert.equal(stringifyJson(checked.spec), text);
  }
});

test('validate: a value of the wrong type is refused at every field, by pointer', () => {
  const pointers = pointersIn(completeSpec());
  assert.ok(pointers.length > 200);
  for (const pointer of pointers) {
    const before = lookupPointer(completeSpec(), pointer);
    const wrong = typeof before === 'object' ? 'text' : typeof before === 'string' ? 7 : { an: 'object' };
    const error = refusal(() => validateSpec(change(completeSpec(), pointer, wrong)));
    assert.ok(error.provenance.includes(pointer), `${pointer}: ${error.message}`);
    const lines = [error.message, ...error.details];
    assert.ok(
      lines.some((line) => line.startsWith(`config.json: ${pointer}: `)),
      `${pointer}: ${lines.join('\n')}`,
    );
  }
});

test('validate: a string with NUL and a number with a fraction are refused at every field', () => {
  for (const pointer of pointersIn(completeSpec())) {
    const before = lookupPointer(completeSpec(), pointer);
    if (typeof before !== 'string' && typeof before !== 'number' && typeof before !== 'bigint') continue;
    const wrong = typeof before === 'string' ? `${before}\0x` : 1.5;
    const error = refusal(() => validateSpec(change(completeSpec(), pointer, wrong)));
    assert.ok(error.provenance.includes(pointer), `${pointer}: ${error.message}`);
  }
});

test('validate: null is absent, as in Go, and does not survive', () => {
  const required = new Set<string>();
  for (const pointer of pointersIn(completeSpec())) {
    if (/\/\d+$/.test(pointer)) continue;
    try {
      const { spec } = validateSpec(change(completeSpec(), pointer, null));
      assert.ok(lookupPointer(spec, pointer) !== null, pointer);
    } catch (error) {
      assert.ok(error instanceof CaissonError);
      required.add(pointer.replace(/\/\d+\//g, '/N/'));
    }
  }
  // What the specification requires, and what other fields of this configuration need.
  const names = new Set([...required].map((pointer) => pointer.slice(pointer.lastIndexOf('/') + 1)));
  const expected =
    'ociVersion args cwd height width type hard soft policy class path destination source hostID containerID size ' +
    'options namespaces major minor defaultAction listenerPath names action index value op mode nodes domain allow pageSize ' +
    'limit name priority rate runtime deadline root uidMappings gidMappings linux';
  for (const name of names) assert.ok(expected.split(' ').includes(name), `${name} need not be there`);
  for (const pointer of ['/process/rlimits/N/hard', '/root', '/mounts/N/destination', '/ociVersion']) {
    assert.ok(required.has(pointer), pointer);
  }
});

/** [pointer to change, value, what the message says]; the complete configuration is right but for this. */
const REFUSED: readonly (readonly [string, unknown, RegExp])[] = [
  ['/ociVersion', ABSENT, /is required/],
  ['/ociVersion', '1.0', /"1\.0" is not a version such as "1\.3\.0"/],
  ['/ociVersion', '2.0.0', /is not a version 1/],
  ['/process/user/uid', 4294967295, /4294967295 is out of range; expected 0 to 4294967294/],
  ['/process/user/gid', -1, /-1 is out of range/],
  ['/process/user/uid', 4294967296, /out of range/],
  ['/process/user/additionalGids/1', 4294967295, /out of range/],
  ['/process/user/umask', -1, /out of range/],
  ['/process/args', [], /is empty; expected the program/],
  ['/process/args', ABSENT, /is required: the program/],
  ['/process/args', [''], /name of the program/],
  ['/process/args/1', 'a\0b', /NUL/],
  ['/process/cwd', 'root', /"root" is not an absolute path/],
  ['/process/cwd', '', /is empty/],
  ['/process/cwd', `/${'a/'.repeat(2048)}`, /a path of 4097 bytes/],
  ['/process/cwd', `/${'a'.repeat(256)}`, /longer than 255 bytes/],
  ['/process/consoleSize/height', 65536, /0 to 65535/],
  [
    '/process/rlimits/0/type',
    'RLIMIT_FOO',
    /"RLIMIT_FOO" is not a limit that Linux has; one of RLIMIT_CPU, /,
  ],
  ['/process/rlimits/1/type', 'RLIMIT_NOFILE', /RLIMIT_NOFILE is set twice, first by entry 0/],
  ['/process/rlimits/0/soft', 1025, /1025 is above the hard limit 1024/],
  ['/process/rlimits/0/hard', 18446744073709551616n, /18446744073709551616 is out of range/],
  ['/process/rlimits/0/hard', 1e19, /an integer with all its digits/],
  ['/process/rlimits/0/hard', -1, /out of range/],
  ['/process/oomScoreAdj', -1001, /-1000 to 1000/],
  ['/process/scheduler/policy', 'SCHED_EXT', /is not a scheduling policy/],
  ['/process/scheduler/flags/0', 'X', /is not a scheduling flag/],
  ['/process/scheduler/priority', 1, /SCHED_DEADLINE has no priority/],
  ['/process/scheduler/runtime', 1023, /at least 1024/],
  ['/process/scheduler/deadline', 9999, /below the runtime/],
  ['/process/scheduler/period', 19999, /below the deadline/],
  ['/process/scheduler', { policy: 'SCHED_FIFO' }, /SCHED_FIFO has 1 to 99/],
  ['/process/scheduler', { policy: 'SCHED_OTHER', nice: 20 }, /-20 to 19/],
  ['/process/scheduler', { policy: 'SCHED_OTHER', runtime: 1 }, /only SCHED_DEADLINE has/],
  ['/process/ioPriority/class', 'IOPRIO_CLASS_NONE', /is not an I\/O priority class/],
  ['/process/ioPriority/priority', 8, /0 to 7/],
  ['/process/execCPUAffinity/initial', '1-', /is not a list of numbers/],
  ['/process/apparmorProfile', 'a\nb', /line break/],
  ['/root', ABSENT, /is required/],
  ['/root/path', '', /is empty/],
  ['/hostname', 'a'.repeat(65), /65 bytes; Linux has at most 64/],
  ['/mounts/0/destination', '', /is empty/],
  ['/mounts/0/destination', ABSENT, /is required/],
  ['/mounts/0/type', ABSENT, /is required: the file system, or the option bind/],
  ['/mounts/0/options', [''], /is empty/],
  ['/mounts/1/source', ABSENT, /is required for a bind mount/],
  ['/mounts/1/source', '', /is required for a bind mount/],
  ['/mounts/1/gidMappings', ABSENT, /is required beside uidMappings/],
  ['/mounts/1/uidMappings', ABSENT, /is required beside gidMappings/],
  ['/mounts/1/options', ['idmap'], /only a bind mount can be id-mapped/],
  ['/hooks/prestart/0/path', 'hook', /not an absolute path/],
  ['/hooks/poststop/0/timeout', 0, /out of range; expected 1/],
  ['/annotations/', 'x', /name of an annotation is empty/],
  ['/linux/uidMappings/0/size', 0, /is 0; a mapping has at least one id/],
  ['/linux/uidMappings/0/hostID', 4294967295, /end beyond 4294967294/],
  ['/linux/sysctl/kernel.core_pattern', 'x', /belongs to no namespace/],
  ['/linux/sysctl/kernel.hostname', 'x', /by \/hostname/],
  ['/linux/sysctl/net.ipv4.ip_forward', '1\n', /line break/],
  ['/linux/sysctl/kernel.sem+kernel.core_pattern', '1', /not the name of a kernel parameter/],
  ['/linux/sysctl/net.~1~1.kernel.core_pattern', '1', /not the name of a kernel parameter/],
  ['/linux/sysctl/net..x', '1', /not the name of a kernel parameter/],
  ['/linux/cgroupsPath', '/a/../b', /contains "\.\."/],
  ['/linux/namespaces/0/type', 'jail', /"jail" is not a type of namespace; one of pid, network, mount/],
  ['/linux/namespaces/2/type', 'pid', /a second pid namespace/],
  ['/linux/namespaces/1/path', 'run/netns', /not an absolute path/],
  ['/linux/devices/0/type', 'x', /is not a type of device; one of c, b, u, p/],
  ['/linux/devices/0/major', ABSENT, /is required/],
  ['/linux/devices/0/major', 4096, /0 to 4095/],
  ['/linux/devices/0/path', 'fuse', /not an absolute path/],
  ['/linux/devices/0/uid', 4294967295, /out of range/],
  ['/linux/netDevices/eth0/name', 'a b', /is not a name that a network device can have/],
  ['/linux/netDevices/0123456789abcdef', {}, /is not a name that a network device can have/],
  ['/linux/seccomp/defaultAction', 'SCMP_ACT_NOTIFY', /cannot be the default/],
  ['/linux/seccomp/defaultAction', ABSENT, /is required/],
  ['/linux/seccomp/architectures/0', 'X86', /is not an architecture of seccomp/],
  ['/linux/seccomp/flags/0', 'X', /is not a flag of seccomp/],
  ['/linux/seccomp/listenerPath', ABSENT, /is required where SCMP_ACT_NOTIFY/],
  ['/linux/seccomp/listenerPath', `/${'a'.repeat(107)}`, /at most 107/],
  ['/linux/seccomp/syscalls/0/names', [], /is empty; expected names/],
  ['/linux/seccomp/syscalls/0/action', 'SCMP_ACT_NOTIFY', /write cannot have SCMP_ACT_NOTIFY/],
  ['/linux/seccomp/syscalls/1/args/0/index', 6, /0 to 5/],
  ['/linux/seccomp/syscalls/1/args/0/value', 2n ** 64n, /out of range/],
  ['/linux/seccomp/syscalls/1/args/0/op', 'EQ', /is not a seccomp operator/],
  ['/linux/rootfsPropagation', 'rbind', /is not a mount propagation/],
  ['/linux/maskedPaths/0', 'proc/kcore', /not an absolute path/],
  ['/linux/readonlyPaths/0', '', /is empty/],
  ['/linux/intelRdt/closID', '../x', /is not the name of a directory/],
  ['/linux/intelRdt/memBwSchema', 'L3:0=1', /does not begin with "MB:"/],
  ['/linux/memoryPolicy/mode', 'MPOL_X', /is not a memory policy/],
  ['/linux/memoryPolicy/nodes', ABSENT, /is required for MPOL_INTERLEAVE/],
  ['/linux/memoryPolicy/flags', ['MPOL_F_STATIC_NODES', 'MPOL_F_RELATIVE_NODES'], /exclude each other/],
  ['/linux/memoryPolicy', { mode: 'MPOL_LOCAL', nodes: '0' }, /MPOL_LOCAL takes no nodes/],
  ['/linux/personality/domain', 'BSD', /is not an execution domain/],
  ['/linux/timeOffsets/realtime', {}, /is not a clock of a time namespace/],
  ['/linux/timeOffsets/monotonic/nanosecs', 1_000_000_000, /0 to 999999999/],
  ['/linux/resources/devices/0/allow', ABSENT, /is required/],
  ['/linux/resources/devices/0/type', 'p', /is not a type in a device rule/],
  ['/linux/resources/devices/0/access', 'rx', /is not made of r/],
  ['/linux/resources/devices/0/major', -2, /-1 to 4095/],
  ['/linux/resources/memory/limit', -2, /-2 is out of range/],
  ['/linux/resources/memory/limit', 2n ** 63n, /out of range/],
  ['/linux/resources/memory/swap', 536870911, /memory and swap together/],
  ['/linux/resources/memory/swappiness', 101, /0 to 100/],
  ['/linux/resources/cpu/quota', 999, /at least 1000/],
  ['/linux/resources/cpu/period', 1000001, /1000 to 1000000/],
  ['/linux/resources/cpu/burst', 1000001, /more than the quota/],
  ['/linux/resources/cpu/cpus', '3-x', /is not a list of numbers/],
  ['/linux/resources/cpu/idle', 2, /0 to 1/],
  ['/linux/resources/blockIO/weight', 9, /expected 10 to 1000/],
  ['/linux/resources/blockIO/weightDevice/0', { major: 8, minor: 0 }, /is required, or leafWeight/],
  ['/linux/resources/blockIO/throttleReadBpsDevice/0/rate', ABSENT, /is required/],
  ['/linux/resources/hugepageLimits/0/pageSize', '2M', /is not a page size/],
  ['/linux/resources/network/priorities/0/name', '', /is not a name that a network device can have/],
  ['/linux/resources/rdma/mlx5_1', {}, /is required, or hcaObjects/],
  ['/linux/resources/unified/..~1x', '1', /is not the name of a file in a cgroup/],
];

test('validate: what the kernel or the specification would refuse is refused, by pointer and reason', () => {
  for (const [pointer, value, message] of REFUSED) {
    const error = refusal(() => validateSpec(change(completeSpec(), pointer, value)));
    const lines = [error.message, ...error.details].filter((line) => message.test(line));
    assert.ok(lines.length > 0, `${pointer} = ${String(value)}: ${error.message}`);
    assert.ok(
      lines.some((line) => line.startsWith(`config.json: ${pointer}`)),
      `${pointer}: ${lines.join('\n')}`,
    );
  }
});

test('validate: what needs a namespace is refused without it', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['network', ['/linux/netDevices', '/linux/sysctl/net.ipv4.ip_forward']],
    ['mount', ['/linux/maskedPaths', '/linux/readonlyPaths']],
    ['ipc', ['/linux/sysctl/kernel.sem']],
    ['uts', ['/hostname', '/domainname']],
    ['user', ['/linux/uidMappings', '/linux/gidMappings']],
    ['time', ['/linux/timeOffsets']],
  ];
  for (const [type, pointers] of cases) {
    const spec = completeSpec();
    const namespaces = spec.linux?.namespaces?.filter((namespace) => namespace.type !== type);
    const error = refusal(() => validateSpec(change(spec, '/linux/namespaces', namespaces)));
    assert.deepEqual([...error.provenance].sort(), [...pointers].sort(), type);
    assert.match(error.message, /needs a/);
  }
  const joined = completeSpec().linux?.namespaces?.map((namespace) =>
    namespace.type === 'time' ? { type: 'time', path: '/proc/1/ns/time' } : namespace,
  );
  assert.match(
    refusal(() => validateSpec(change(completeSpec(), '/linux/namespaces', joined))).message,
    /joined/,
  );
});

test('validate: id mappings may not overlap on either side nor be more than 340', () => {
  const one = (containerID: number, hostID: number, size: number): Json => ({ containerID, hostID, size });
  const refused: readonly (readonly [Json[], RegExp])[] = [
    [[one(0, 1000, 10), one(9, 5000, 1)], /entries 0 and 1 overlap in containerID/],
    [[one(20, 1005, 10), one(0, 1000, 6)], /entries 0 and 1 overlap in hostID/],
    [Array.from({ length: 341 }, (_, i) => one(i, i, 1)), /341 mappings; Linux has at most 340/],
  ];
  for (const [mappings, message] of refused) {
    const error = refusal(() => validateSpec(change(completeSpec(), '/linux/gidMappings', mappings)));
    assert.match(error.message, message);
    assert.ok(error.provenance.includes('/linux/gidMappings'));
  }
  const accepted = [
    [one(0, 0, 4294967295)],
    [one(10, 1010, 5), one(0, 1000, 10), one(15, 1015, 1)],
    Array.from({ length: 340 }, (_, i) => one(i, i, 1)),
  ];
  for (const mappings of accepted) validateSpec(change(completeSpec(), '/linux/gidMappings', mappings));
});

test('validate: what runc or crun accept is accepted, some of it with a warning', () => {
  const accepted: readonly (readonly [string, unknown, string | undefined])[] = [
    ['/unknown', { any: [1, null] }, undefined],
    ['/linux/unknown', 7, undefined],
    ['/solaris', {}, undefined],
    ['/process', ABSENT, undefined],
    ['/process/user', ABSENT, undefined],
    ['/process/rlimits', [], undefined],
    ['/linux/rootfsPropagation', '', undefined],
    ['/linux/namespaces/1/path', '', undefined],
    ['/linux/cgroupsPath', 'system.slice:docker:abc', undefined],
    ['/linux/devices/0/fileMode', 8630, undefined],
    ['/linux/resources/devices/0/type', '', undefined],
    ['/linux/resources/devices/0/major', -1, undefined],
    ['/linux/resources/memory/swappiness', 18446744073709551615n, undefined],
    ['/linux/resources/memory/limit', -1, undefined],
    ['/linux/resources/cpu/quota', -1, undefined],
    ['/linux/resources/pids/limit', 0, undefined],
    ['/linux/resources/blockIO/weight', 0, undefined],
    ['/linux/seccomp', {}, undefined],
    ['/linux/timeOffsets/monotonic/secs', -9223372036854775808n, undefined],
    ['/mounts/0', { destination: '/', options: ['rshared'] }, undefined],
    ['/mounts/0', { destination: '/a', type: 'bind', source: 'b' }, undefined],
    ['/ociVersion', '1.0.2-dev', undefined],
    ['/ociVersion', '1.4.0', '/ociVersion'],
    ['/mounts/0/destination', 'proc', '/mounts/0/destination'],
    ['/mounts/0/options', ['ro', 'rw'], '/mounts/0/options'],
    ['/mounts/0/options', ['tmpcopyup'], '/mounts/0/options'],
    ['/mounts/1/options', ['rbind', 'size=1'], '/mounts/1/options'],
    ['/process/env', ['NOVALUE'], '/process/env'],
    ['/process/capabilities/ambient', ['CAP_FLY'], '/process/capabilities/ambient'],
    ['/linux/personality/flags', ['X'], '/linux/personality/flags'],
    ['/linux/resources/memory/kernel', -1, '/linux/resources/memory/kernel'],
    ['/linux/seccomp/syscalls/0/errnoRet', 1, '/linux/seccomp/syscalls/0/errnoRet'],
    ['/linux/uidMappings', [], '/linux/uidMappings'],
  ];
  for (const [pointer, value, warning] of accepted) {
    const { warnings } = validateSpec(change(completeSpec(), pointer, value));
    assert.deepEqual(
      warnings.map((one) => one.pointer),
      warning === undefined ? [] : [warning],
      pointer,
    );
  }
});

test("validate: Go's zero values are filled in or removed", () => {
  const { spec } = validateSpec({
    ociVersion: '1.0.0',
    process: {
      args: ['x'],
      cwd: '/',
      ioPriority: { class: 'IOPRIO_CLASS_BE' },
      apparmorProfile: '',
      env: null,
    },
    root: { path: '/r' },
    hostname: '',
    linux: { seccomp: {}, namespaces: [{ type: 'mount', path: '' }], cgroupsPath: '' },
  });
  assert.deepEqual(spec, {
    ociVersion: '1.0.0',
    process: {
      args: ['x'],
      cwd: '/',
      ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 0 },
      user: { uid: 0, gid: 0 },
    },
    root: { path: '/r' },
    linux: { namespaces: [{ type: 'mount' }] },
  });
});

test('validate: all problems are told, the first one first', () => {
  const spec = change(completeSpec(), '/process/cwd', 'x');
  change(spec as unknown as Spec, '/root/readonly', 'yes');
  const error = refusal(() => validateSpec(spec, 'bundle/config.json'));
  assert.equal(
    error.message,
    'bundle/config.json: /process/cwd: "x" is not an absolute path (and 1 more problem)',
  );
  assert.deepEqual(error.provenance, ['/process/cwd', '/root/readonly']);
  assert.deepEqual(error.details, [
    'bundle/config.json: /root/readonly: expected true or false, found the string "yes"',
  ]);
});

test('validate: no value of the environment is in a message', () => {
  const secret = 'hunter2';
  const spec = change(completeSpec(), '/process/env', [`PASSWORD=${secret}\0`, secret, 'A=b']);
  const error = refusal(() => validateSpec(spec));
  assert.ok(![error.message, ...error.details].join().includes(secret));
  const { warnings } = validateSpec(change(completeSpec(), '/process/env', [secret]));
  assert.equal(warnings.length, 1);
  assert.ok(!stringifyJson(warnings).includes(secret));
});

test('parseSpec: malformed JSON and what is no object, with position', () => {
  assert.equal(
    refusal(() => parseSpec('{\n"ociVersion": 1.0.2}')).message,
    `config.json:2:18: expected ',' or '}' after a property, found ".2}"`,
  );
  for (const text of ['[]', '1', 'null', '"x"']) {
    assert.match(refusal(() => parseSpec(text)).message, /^config\.json: \/: expected an object/);
  }
  assert.match(refusal(() => parseSpec(' '.repeat((16 << 20) + 1))).message, /bytes; at most/);
});

test('parseSpec: 64-bit limits and Latin-1 names are exact', () => {
  const text = stringifyJson(exampleSpec())
    .replace('"hard":1024', '"hard":18446744073709551615')
    .replace('"sh"', '"\xe9\\u00e9"');
  const { spec } = parseSpec(text);
  assert.equal(spec.process?.rlimits?.[0]?.hard, 18446744073709551615n);
  assert.deepEqual(spec.process?.args, ['\xe9\xc3\xa9']);
});

test('parseProcess and parseResources: pointers begin at the object', () => {
  const { process, warnings } = parseProcess('{"args":["a"],"cwd":"/","env":["X"]}', 'process.json');
  assert.deepEqual([process.user.uid, process.args, warnings[0]?.pointer], [0, ['a'], '/env']);
  assert.match(
    refusal(() => parseProcess('{"args":["a"]}', 'process.json')).message,
    /^process\.json: \/cwd: is required$/,
  );
  const { resources } = parseResources('{"memory":{"limit":9223372036854775807}}', 'stdin');
  assert.equal(resources.memory?.limit, 9223372036854775807n);
  assert.match(
    refusal(() => parseResources('{"cpu":{"idle":3}}', 'stdin')).message,
    /^stdin: \/cpu\/idle: 3 is out/,
  );
});
