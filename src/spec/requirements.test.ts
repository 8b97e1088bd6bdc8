// Tests of what the specification requires of a configuration, one each: test/conformance names them one by one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completeSpec } from './complete-spec.ts';
import { ABSENT, change, refusal } from './spec-breakage.ts';
import { validateSpec } from './validate.ts';

/** Fields without which a configuration is refused. */
const REQUIRED: readonly string[] = [
  '/ociVersion',
  '/root',
  '/root/path',
  '/mounts/0/destination',
  '/process/args',
  '/process/cwd',
  '/process/consoleSize/height',
  '/process/consoleSize/width',
  '/process/rlimits/0/type',
  '/process/rlimits/0/soft',
  '/process/rlimits/0/hard',
  '/process/scheduler/policy',
  '/process/ioPriority/class',
  '/hooks/prestart/0/path',
  '/hooks/createRuntime/0/path',
  '/linux/namespaces/0/type',
  '/linux/uidMappings/0/containerID',
  '/linux/uidMappings/0/hostID',
  '/linux/uidMappings/0/size',
  '/linux/devices/0/type',
  '/linux/devices/0/path',
  '/linux/devices/0/major',
  '/linux/devices/0/minor',
  '/linux/resources/devices/0/allow',
  '/linux/resources/blockIO/weightDevice/0/major',
  '/linux/resources/blockIO/throttleReadBpsDevice/0/minor',
  '/linux/resources/blockIO/throttleReadIOPSDevice/0/minor',
  '/linux/resources/blockIO/throttleReadBpsDevice/0/rate',
  '/linux/resources/blockIO/throttleReadIOPSDevice/0/rate',
  '/linux/resources/hugepageLimits/0/pageSize',
  '/linux/resources/hugepageLimits/0/limit',
  '/linux/resources/network/priorities/0/name',
  '/linux/resources/network/priorities/0/priority',
  '/linux/memoryPolicy/mode',
  '/linux/seccomp/defaultAction',
  '/linux/seccomp/syscalls/0/names',
  '/linux/seccomp/syscalls/0/action',
  '/linux/seccomp/syscalls/1/args/0/index',
  '/linux/seccomp/syscalls/1/args/0/value',
  '/linux/seccomp/syscalls/1/args/0/op',
  '/linux/personality/domain',
];

for (const pointer of REQUIRED) {
  test(`requirements: no ${pointer} is refused`, () => {
    const { message, details } = refusal(() => validateSpec(change(completeSpec(), pointer, ABSENT)));
    // The complete configuration has some objects in several places.
    const lines = [message, ...(details ?? [])];
    const start = `config.json: ${pointer}: is required`;
    assert.ok(
      lines.some((line) => line.startsWith(start)),
      message,
    );
  });
}

/** [what is refused, the pointer that is changed, to what, the pointer that is named, why]. */
const REFUSED: readonly (readonly [string, string, unknown, string, RegExp])[] = [
  ['a version that is no SemVer', '/ociVersion', '1.3', '/ociVersion', /not a version/],
  ['a relative working directory', '/process/cwd', 'root', '/process/cwd', /absolute/],
  ['no argument', '/process/args', [], '/process/args', /is empty/],
  ['a limit that Linux has not', '/process/rlimits/0/type', 'RLIMIT_A', '/process/rlimits/0/type', /limit/],
  ['a limit twice', '/process/rlimits/1/type', 'RLIMIT_NOFILE', '/process/rlimits/1/type', /twice/],
  ['user ids without group ids', '/mounts/1/gidMappings', ABSENT, '/mounts/1/gidMappings', /beside/],
  ['group ids without user ids', '/mounts/1/uidMappings', ABSENT, '/mounts/1/uidMappings', /beside/],
  ['a relative prestart hook', '/hooks/prestart/0/path', 'a', '/hooks/prestart/0/path', /absolute/],
  ['a relative other hook', '/hooks/poststop/0/path', 'a', '/hooks/poststop/0/path', /absolute/],
  ['no time for a prestart hook', '/hooks/prestart/0/timeout', 0, '/hooks/prestart/0/timeout', /range/],
  ['no time for another hook', '/hooks/poststop/0/timeout', 0, '/hooks/poststop/0/timeout', /range/],
  ['annotations in a list', '/annotations', ['a'], '/annotations', /an object/],
  ['an annotation without a name', '/annotations', { '': 'a' }, '/annotations/', /is empty/],
  ['an annotation that is a number', '/annotations/a', 1, '/annotations/a', /a string/],
  ['an unknown value', '/linux/rootfsPropagation', 'a', '/linux/rootfsPropagation', /propagation/],
  ['a relative namespace', '/linux/namespaces/1/path', 'a', '/linux/namespaces/1/path', /absolute/],
  ['a namespace twice', '/linux/namespaces/0/type', 'uts', '/linux/namespaces/4/type', /second uts/],
  ['a cgroup above', '/linux/cgroupsPath', '/a/../../b', '/linux/cgroupsPath', /"\.\."/],
  ['a burst above the quota', '/linux/resources/cpu/burst', 1000001, '/linux/resources/cpu/burst', /more/],
  [
    'a device without weights',
    '/linux/resources/blockIO/weightDevice/0',
    { major: 8, minor: 0 },
    '/linux/resources/blockIO/weightDevice/0/weight',
    /or leafWeight/,
  ],
  [
    'an RDMA device without limits',
    '/linux/resources/rdma/mlx5_1',
    {},
    '/linux/resources/rdma/mlx5_1/hcaHandles',
    /or hcaObjects/,
  ],
  ['a bandwidth without MB', '/linux/intelRdt/memBwSchema', 'L3:0', '/linux/intelRdt/memBwSchema', /"MB:"/],
  [
    'a bandwidth in two lines',
    '/linux/intelRdt/memBwSchema',
    'MB:0\n',
    '/linux/intelRdt/memBwSchema',
    /line/,
  ],
  [
    'a cache in two lines',
    '/linux/intelRdt/l3CacheSchema',
    'L3:0\n',
    '/linux/intelRdt/l3CacheSchema',
    /line/,
  ],
  ['a schema in two lines', '/linux/intelRdt/schemata/0', 'L2:0\n', '/linux/intelRdt/schemata/0', /line/],
  [
    'a default errno of an action without one',
    '/linux/seccomp/defaultAction',
    'SCMP_ACT_ALLOW',
    '/linux/seccomp/defaultErrnoRet',
    /no errno/,
  ],
  [
    'an errno of an action without one',
    '/linux/seccomp/syscalls/0/errnoRet',
    1,
    '/linux/seccomp/syscalls/0/errnoRet',
    /no errno/,
  ],
  ['metadata for nobody', '/linux/seccomp', lonely(), '/linux/seccomp/listenerMetadata', /listenerPath/],
  ['a rule for no call', '/linux/seccomp/syscalls/0/names', [], '/linux/seccomp/syscalls/0/names', /empty/],
  ['a relative masked path', '/linux/maskedPaths/0', 'a', '/linux/maskedPaths/0', /absolute/],
  ['a relative read-only path', '/linux/readonlyPaths/0', 'a', '/linux/readonlyPaths/0', /absolute/],
];

function lonely() {
  return { defaultAction: 'SCMP_ACT_ALLOW', listenerMetadata: 'data' };
}

for (const [what, pointer, value, named, why] of REFUSED) {
  test(`requirements: ${what} is refused`, () => {
    const error = refusal(() => validateSpec(change(completeSpec(), pointer, value)));
    const lines = [error.message, ...(error.details ?? [])];
    const line = lines.find((each) => each.startsWith(`config.json: ${named}: `));
    assert.match(line ?? error.message, why);
    assert.ok(line !== undefined, error.message);
  });
}

for (const option of ['idmap', 'ridmap']) {
  test(`requirements: ${option} without any mappings is refused`, () => {
    const spec = { ...completeSpec(), linux: { namespaces: [{ type: 'mount' as const }] }, hostname: '' };
    const { uidMappings: _, gidMappings: __, ...mount } = spec.mounts?.[1] ?? { destination: '' };
    const given = { ...spec, domainname: '', mounts: [{ ...mount, options: ['bind', option] }] };
    const { message } = refusal(() => validateSpec(given));
    assert.match(message, /^config\.json: \/mounts\/0\/options: r?idmap needs uidMappings and gidMappings/);
  });
}

test('requirements: an unknown property is ignored', () => {
  for (const pointer of ['/unknown', '/process/unknown', '/linux/unknown', '/linux/resources/unknown'])
    assert.deepEqual(validateSpec(change(completeSpec(), pointer, { a: 1 })).warnings, [], pointer);
});

test('requirements: an unknown annotation is ignored', () => {
  assert.deepEqual(validateSpec(change(completeSpec(), '/annotations/org.example.new', 'a')).warnings, []);
});

test('requirements: a capability that nobody knows is warned of', () => {
  const spec = change(completeSpec(), '/process/capabilities/bounding', ['CAP_KILL', 'CAP_NONE']);
  const [warning] = validateSpec(spec).warnings;
  assert.equal(warning?.pointer, '/process/capabilities/bounding');
  assert.match(warning?.message ?? '', /"CAP_NONE" is not a capability/);
});

/** What is required and taken for 0, because runc and crun do so, and configurations rely on it. */
const ZERO: readonly string[] = ['/process/user/uid', '/process/user/gid', '/process/ioPriority/priority'];

for (const pointer of ZERO) {
  test(`requirements: no ${pointer} is 0, and another value stays`, () => {
    const read = (value: unknown) => {
      let at: unknown = validateSpec(change(completeSpec(), pointer, value)).spec;
      for (const key of pointer.slice(1).split('/')) at = (at as Record<string, unknown>)[key];
      return at;
    };
    assert.deepEqual([read(ABSENT), read(5)], [0, 5]);
  });
}
