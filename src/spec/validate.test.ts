// Tests of the checks: every field of a complete configuration is broken in turn, and the message must name it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completeSpec } from './complete-spec.ts';
import { exampleSpec } from './defaults.ts';
import { CaissonError } from './error.ts';
import { stringifyJson } from './json.ts';
import { lookupPointer } from './pointer.ts';
import type { Spec } from './runtime-spec.ts';
import { ABSENT, change, type Json, pointersIn, refusal } from './spec-breakage.ts';
import { parseProcess, parseResources, parseSpec, validateSpec } from './validate.ts';

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
    [
      '/process/capabilities',
      { inheritable: ['CAP_KILL'], ambient: ['CAP_KILL', 'CAP_CHOWN'] },
      '/process/capabilities/ambient',
    ],
    ['/process/capabilities', { ambient: ['CAP_CHOWN'] }, undefined],
    ['/linux/resources/hugepageLimits/0', { pagesize: '2MB', limit: 1 }, undefined],
    ['/annotations/run.oci.delegate-cgroup', 'x', '/annotations/run.oci.delegate-cgroup'],
    ['/linux/personality/flags', ['X'], '/linux/personality/flags'],
    ['/linux/resources/memory/kernel', -1, '/linux/resources/memory/kernel'],
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

test('validate: a name that is an object without toString is refused as any other type', () => {
  const spec = completeSpec();
  change(spec, '/linux/netDevices/eth0/name', { toString: 1 });
  assert.throws(
    () => validateSpec(spec),
    (error) => error instanceof CaissonError && error.provenance.includes('/linux/netDevices/eth0/name'),
  );
});
