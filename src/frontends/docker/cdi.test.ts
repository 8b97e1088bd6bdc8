// CDI: names, edits as flags, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CdiFile, cdiWishes, isCdiName, withCdiEdits } from './cdi.ts';

const file = (path: string, devices: unknown, rest: object = {}): CdiFile => ({
  path,
  document: { cdiVersion: '0.8.0', kind: 'vendor.com/class', devices, ...rest },
});

const FIRST = file(
  '/etc/cdi/vendor.json',
  [
    {
      name: 'one',
      containerEdits: {
        env: ['ONE=1'],
        deviceNodes: [{ path: '/dev/one', hostPath: '/dev/null', permissions: 'rw' }, { path: '/dev/zero' }],
        mounts: [
          { hostPath: '/opt/one', containerPath: '/usr/lib/one', options: ['ro', 'nosuid', 'nodev', 'bind'] },
        ],
        additionalGids: [44],
      },
    },
    { name: 'two', containerEdits: { env: ['TWO=2'] } },
  ],
  { containerEdits: { env: ['ALL=yes'] } },
);

const resolve = (device: string[], files: readonly CdiFile[] = [FIRST], rest: object = {}) => {
  const flags = { device, ...rest };
  return withCdiEdits(flags, cdiWishes(flags), files);
};

test('a name is told from a path', () => {
  for (const name of ['vendor.com/class=one', 'nvidia.com/gpu=all', 'a.b-c/d_e=0:1'])
    assert.ok(isCdiName(name), name);
  for (const text of ['/dev/null', '/dev/a=b', 'vendor.com/class', 'vendor.com/class=', '=x', '/x/y=z'])
    assert.ok(!isCdiName(text), text);
});

test('edits become flags, those of all devices once, and the own flags come last', () => {
  assert.deepEqual(
    resolve(['vendor.com/class=one', '/dev/fuse', 'vendor.com/class=two'], [FIRST], { env: ['ONE=mine'] }),
    {
      device: ['/dev/fuse', '/dev/null:/dev/one:rw', '/dev/zero:/dev/zero:rwm'],
      env: ['ONE=1', 'ALL=yes', 'TWO=2', 'ONE=mine'],
      volume: ['/opt/one:/usr/lib/one:ro'],
      groupAdd: ['44'],
    },
  );
});

test('a later file counts more', () => {
  const later = file('/var/run/cdi/vendor.json', [{ name: 'one', containerEdits: { env: ['ONE=new'] } }]);
  assert.deepEqual(resolve(['vendor.com/class=one'], [FIRST, later]).env, ['ONE=new']);
});

test('--gpus: all, a number, names', () => {
  const names = (gpus: string) => cdiWishes({ gpus }).map(({ name }) => name);
  assert.deepEqual(names('all'), ['nvidia.com/gpu=all']);
  assert.deepEqual(names('2'), ['nvidia.com/gpu=0', 'nvidia.com/gpu=1']);
  assert.deepEqual(names('"device=0,GPU-3a"'), ['nvidia.com/gpu=0', 'nvidia.com/gpu=GPU-3a']);
  assert.throws(() => names('some'), /invalid argument "some" for "--gpus" flag/);
});

test('what cannot be had is refused, with the file or the flag', () => {
  assert.throws(() => resolve(['vendor.com/class=three']), /unresolvable CDI device vendor.com\/class=three/);
  const hooks = { hooks: [{ hookName: 'createContainer', path: '/x' }] };
  assert.throws(
    () => resolve(['vendor.com/class=h'], [file('/f', [{ name: 'h', containerEdits: hooks }])]),
    /asks for hooks/,
  );
  for (const containerEdits of [
    { deviceNodes: [{ path: 'dev/x' }] },
    { mounts: [{ hostPath: '/a:b', containerPath: '/c' }] },
    { env: [1] },
    { mounts: {} },
    'x',
  ])
    assert.throws(
      () => resolve(['vendor.com/class=b'], [file('/f.json', [{ name: 'b', containerEdits }])]),
      /^CaissonError: \/f\.json: /,
    );
  assert.throws(() => resolve(['vendor.com/class=b'], [{ path: '/f', document: [] }]), /is an object/);
});
