// Named and anonymous volumes of flags, `--volumes-from`, and where their mounts come from.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileRun } from './compile-run.ts';
import { requestedVolumes } from './filesystem.ts';
import type { RunFlags } from './run-flags.ts';
import { compile, EMPTY_IMAGE, messageOf, ROOT_HOST, USER_HOST } from './test-facts.ts';
import type { VolumeFact } from './volume-request.ts';
import type { ContainerMount } from './volumes-from.ts';

function mountOf(flags: RunFlags, facts = ROOT_HOST): string {
  const mount = compile(flags, facts).spec.mounts?.find(({ destination }) => destination === '/y');
  return `${mount?.type} ${mount?.source} ${mount?.options?.join()}`;
}

const PLAIN = 'rbind,nosuid,nodev,rprivate';

test('volumes of flags', () => {
  const cases: readonly (readonly [RunFlags, string])[] = [
    [{ volume: ['data:/y'] }, `bind /v/data/y ${PLAIN}`],
    [{ volume: ['/y'] }, `bind /v/anonymous/y ${PLAIN}`],
    [{ volume: ['data:/y:ro,nocopy'] }, 'bind /v/data/y rbind,rro,nosuid,nodev,rprivate'],
    [{ volume: ['data:/y:suid,noexec'] }, 'bind /v/data/y rbind,nodev,rprivate,noexec'],
    [{ mount: ['src=data,dst=/y'] }, `bind /v/data/y ${PLAIN}`],
    [{ mount: ['type=volume,dst=/y'] }, `bind /v/anonymous/y ${PLAIN}`],
    [
      { mount: ['type=volume,source=data,target=/y,readonly'] },
      'bind /v/data/y rbind,rro,nosuid,nodev,rprivate',
    ],
    [{ volume: ['data:/y'], volumeDriver: 'local' }, `bind /v/data/y ${PLAIN}`],
  ];
  for (const [flags, expected] of cases) assert.equal(mountOf(flags), expected, JSON.stringify(flags));
});

test('what is asked of new volumes', () => {
  const [first, second] = requestedVolumes(
    {
      volume: ['data:/a:nocopy,U'],
      mount: [
        'type=volume,dst=/b,volume-label=x=1,volume-label=y,volume-opt=type=tmpfs,"volume-opt=o=size=1m,mode=1"',
      ],
    },
    EMPTY_IMAGE,
    ROOT_HOST,
  );
  assert.deepEqual(first?.volume, {
    name: 'data',
    words: ['U'],
    driverOptions: {},
    labels: {},
    copy: false,
    subpath: undefined,
  });
  assert.deepEqual(second?.volume?.labels, { x: '1', y: '' });
  assert.deepEqual(second?.volume?.driverOptions, { type: 'tmpfs', o: 'size=1m,mode=1' });
});

test('a directory of a volume is resolved when it is mounted', () => {
  const flags = {
    mount: ['type=volume,src=data,dst=/y,volume-subpath=./a//b/'],
    volume: ['other:/z/deeper'],
  };
  const { subpaths, spec } = compile(flags);
  const at = spec.mounts?.findIndex(({ destination }) => destination === '/y');
  assert.deepEqual([...subpaths], [[`/mounts/${at}`, 'a/b']]);
});

test('a volume with options of its own, of memory, and in a user namespace of root', () => {
  const place = (fact: VolumeFact, volume: string, facts = ROOT_HOST) =>
    mountOf({ volume: [volume] }, { ...facts, volumes: new Map([['/y', fact]]) });
  const device = {
    name: 'd',
    kind: 'directory',
    path: '/srv',
    options: ['ro', 'noexec'],
    own: false,
  } as const;
  assert.equal(place(device, 'dev:/y'), 'bind /srv rbind,rro,nosuid,nodev,rprivate,noexec');
  assert.equal(place(device, 'dev:/y:rw'), 'bind /srv rbind,nosuid,nodev,rprivate,noexec');
  const memory = { name: 'm', kind: 'tmpfs', options: ['nosuid', 'nodev', 'size=1m'] } as const;
  assert.equal(place(memory, 'mem:/y:ro'), 'tmpfs tmpfs nosuid,nodev,size=1m,ro');
  const mapped = { userns: 'private', volume: ['data:/y:U', '/srv:/z:U'] };
  const { spec, settings } = compile(mapped, { ...ROOT_HOST, idMaps: USER_HOST.idMaps ?? assert.fail() });
  assert.deepEqual(spec.mounts?.at(-2)?.options, [...PLAIN.split(','), 'idmap']);
  assert.deepEqual(spec.mounts?.at(-1)?.options, PLAIN.split(','));
  assert.deepEqual(
    settings.hostActions.map(({ path, mapped: own }) => [path, own]),
    [
      ['/v/data/y', true],
      ['/srv', undefined],
    ],
  );
  assert.equal(mountOf({ volume: ['data:/y'] }, USER_HOST), `bind /v/data/y ${PLAIN}`);
});

test('what no volume can be', () => {
  const long = 'v'.repeat(256);
  const cases: readonly (readonly [RunFlags, string | RegExp])[] = [
    [{ volume: ['a:/y'] }, /volume name is too short, names should be at least two alphanumeric characters/],
    [{ volume: ['a b:/y'] }, /"a b" includes invalid characters for a local volume name/],
    [{ volume: ['a/b:/y'] }, /If you intended to pass a host directory, use absolute path/],
    [{ volume: [`${long}:/y`] }, /volume name is too long/],
    [{ volume: ['data:/y:rshared'] }, /invalid mode: rshared/],
    [{ volume: ['data:/y:foo'] }, /invalid mode: foo/],
    [{ volume: ['/'] }, /destination can't be '\/'/],
    [{ mount: ['type=volume,src=/srv,dst=/y'] }, /includes invalid characters/],
    [
      { mount: ['type=volume,src=data,dst=/y,volume-subpath=../x'] },
      /subpath must be a relative path within/,
    ],
    [{ mount: ['type=volume,src=data,dst=/y,volume-subpath=/x'] }, /subpath must be a relative path within/],
    [{ mount: ['type=volume,dst=/y,volume-subpath=x'] }, /must not set Subpath when using anonymous volumes/],
    [
      { mount: ['type=volume,dst=/y,volume-driver=nfs'] },
      /error looking up volume plugin nfs: plugin "nfs" not found/,
    ],
    [
      { mount: ['type=volume,dst=/y,bind-propagation=shared'] },
      /cannot mix 'bind-\*' options with mount type 'volume'/,
    ],
    [
      { mount: ['type=bind,src=/x,dst=/y,volume-nocopy'] },
      /cannot mix 'volume-\*' options with mount type 'bind'/,
    ],
    [{ volume: ['data:/y'], volumeDriver: 'nfs' }, /--volume-driver nfs: error looking up volume plugin nfs/],
    [{ volume: ['data:/y', '/y'] }, 'duplicate mount point: /y'],
    [{ volumesFrom: ['nobody'] }, 'No such container: nobody'],
    [{ volumesFrom: ['web:rshared'] }, /invalid mode: rshared/],
  ];
  for (const [flags, expected] of cases) {
    const message = messageOf(() => compile(flags));
    if (typeof expected === 'string') assert.equal(message, expected);
    else assert.match(message, expected, JSON.stringify(flags));
  }
  assert.equal(
    messageOf(() => compileRun({ volume: ['data:/y'] }, ['sh'], EMPTY_IMAGE, ROOT_HOST)),
    '--volume data:/y: there are no volumes here',
  );
});

const WEB: readonly ContainerMount[] = [
  { type: 'volume', name: 'data', destination: '/y', options: ['noexec'] },
  { type: 'volume', name: 'part', destination: '/part', options: ['ro'], subpath: 'a' },
  { type: 'bind', source: '/srv', destination: '/srv', options: ['Z', 'rw'] },
];

test('--volumes-from: the mounts of another container, those of flags over them', () => {
  const facts = {
    ...ROOT_HOST,
    containers: new Map([
      ['web', WEB],
      ['none', []],
    ]),
  };
  const asked = (flags: RunFlags) => requestedVolumes(flags, { Volumes: { '/y': {}, '/own': {} } }, facts);
  const all = asked({ volumesFrom: ['web', 'none:ro'] });
  assert.deepEqual(
    all.map(({ mount, volume }) => [
      mount.destination,
      volume?.name,
      volume?.copy,
      volume?.words,
      volume?.subpath,
    ]),
    [
      ['/y', 'data', false, ['noexec'], undefined],
      ['/part', 'part', false, ['ro'], 'a'],
      ['/own', undefined, true, [], undefined],
    ],
  );
  assert.equal(
    mountOf({ volumesFrom: ['web:ro'] }, facts),
    'bind /v/data/y rbind,rro,nosuid,nodev,rprivate,noexec',
  );
  assert.equal(mountOf({ volumesFrom: ['web'], volume: ['/x:/y'] }, facts), `bind /x ${PLAIN}`);
  const { spec, settings } = compile({ volumesFrom: ['web:z,rw'] }, facts);
  assert.deepEqual(
    settings.hostActions.map(({ kind, path }) => `${kind} ${path}`),
    ['relabel-shared /v/data/y', 'relabel-shared /v/part/part', 'relabel-shared /srv'],
  );
  // What is read-only there stays so.
  assert.ok(spec.mounts?.find(({ destination }) => destination === '/part')?.options?.includes('rro'));
});
