// Namespaces one by one, id maps, time offsets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unusualMaps } from './id-maps.ts';
import { namespaceModes } from './namespaces.ts';
import { Recorder } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';
import { parseTimeOffsets } from './schedule.ts';
import { compile, messageOf, part, ROOT_HOST, USER_HOST } from './test-facts.ts';

function types(flags: RunFlags, facts = ROOT_HOST): string {
  const list = compile(flags, facts).spec.linux?.namespaces ?? [];
  return list.map(({ type, path }) => (path === undefined ? type : `${type}=${path}`)).join(' ');
}

test('which are new, joined, inherited', () => {
  const cases: readonly (readonly [RunFlags, string])[] = [
    [{}, 'mount pid network ipc uts cgroup'],
    [{ pid: 'host' }, 'mount network ipc uts cgroup'],
    [{ pidNs: 'host' }, 'mount network ipc uts cgroup'],
    [{ ipc: 'private', uts: 'host', cgroupns: 'host', network: 'host' }, 'mount pid ipc'],
    [{ network: 'none' }, 'mount pid network ipc uts cgroup'],
    [{ network: 'ns:/run/netns/x' }, 'mount pid network=/run/netns/x ipc uts cgroup'],
    [{ netNs: '/proc/7/ns/net' }, 'mount pid network=/proc/7/ns/net ipc uts cgroup'],
    [{ namespaces: 'mnt,pid' }, 'mount pid'],
    [{ namespaces: 'mount' }, 'mount'],
    [{ namespaces: 'none' }, ''],
    [{ namespaces: 'pid', netNs: 'new' }, 'pid network'],
    [{ namespaces: 'mnt,pid', pid: 'host' }, 'mount'],
    [{ timeNs: 'new' }, 'mount pid network ipc uts cgroup time'],
    [{ timensOffset: ['boottime=5'] }, 'mount pid network ipc uts cgroup time'],
    [{ uidmap: ['0:1000:1'] }, 'user mount pid network ipc uts cgroup'],
    [{ userNs: '/proc/7/ns/user' }, 'user=/proc/7/ns/user mount pid network ipc uts cgroup'],
  ];
  for (const [flags, expected] of cases) assert.equal(types(flags), expected, JSON.stringify(flags));
  assert.equal(types({ namespaces: 'all', uidmap: ['0:5:1'] }), 'user mount pid network ipc uts cgroup time');
  const { sources } = compile({ namespaces: 'mnt,pid', pid: 'host', netNs: 'new' });
  assert.deepEqual(
    [...sources].filter(([pointer]) => pointer.startsWith('/linux/namespaces')),
    [
      ['/linux/namespaces/0', '--namespaces mnt,pid'],
      ['/linux/namespaces/1', '--net-ns new'],
    ],
  );
});

test('without root a user namespace comes with any other', () => {
  assert.equal(types({}, USER_HOST), 'user mount pid network ipc uts cgroup');
  const { warnings } = compile({ namespaces: 'mnt,pid' }, USER_HOST);
  assert.deepEqual(warnings, [
    'without root a new mount namespace needs a new user namespace, which is added',
  ]);
  assert.equal(types({ namespaces: 'mnt,pid' }, USER_HOST), 'user mount pid');
  assert.equal(types({ namespaces: 'none' }, USER_HOST), '');
});

test('an inherited UTS namespace keeps its name', () => {
  const { spec } = compile({ uts: 'host' });
  assert.equal(spec.hostname, undefined);
  assert.ok(spec.process?.env?.includes('HOSTNAME=harbour'));
});

test('id maps', () => {
  const map = (containerID: number, hostID: number, size: number): object => ({ containerID, hostID, size });
  assert.deepEqual(part('/linux/uidMappings', { uidmap: ['0:1000:1', '1:2000:10'] }), [
    map(0, 1000, 1),
    map(1, 2000, 10),
  ]);
  assert.deepEqual(part('/linux/gidMappings', { uidmap: ['0:1000:65536'] }), [map(0, 1000, 65536)]);
  assert.deepEqual(part('/linux/gidMappings', { uidmap: ['0:1:1'], gidmap: ['0:9'] }), [map(0, 9, 1)]);
  assert.deepEqual(part('/linux/uidMappings', { userns: 'keep-id' }, USER_HOST), [
    map(0, 100000, 1000),
    map(1000, 1000, 1),
    map(1001, 101000, 64536),
  ]);
  assert.equal(part('/process/user/uid', { userns: 'keep-id' }, USER_HOST), 1000);
  const alone = {
    uidMappings: [map(0, 1000, 1)],
    gidMappings: [map(0, 1000, 1)],
    setgroups: false,
  } as typeof USER_HOST.idMaps;
  const single = { ...USER_HOST, ...(alone === undefined ? {} : { idMaps: alone }) };
  assert.deepEqual(part('/linux/uidMappings', { userns: 'keep-id' }, single), [map(1000, 1000, 1)]);
});

test('modes of --userns as podman spells them', () => {
  const map = (containerID: number, hostID: number, size: number): object => ({ containerID, hostID, size });
  const uids = (userns: string, facts = USER_HOST) => part('/linux/uidMappings', { userns }, facts);
  assert.deepEqual(uids('keep-id:uid=5,gid=6'), [map(0, 100000, 5), map(5, 1000, 1), map(6, 100005, 65531)]);
  assert.deepEqual(part('/linux/gidMappings', { userns: 'keep-id:gid=0' }, USER_HOST), [
    map(0, 1000, 1),
    map(1, 100000, 65536),
  ]);
  assert.deepEqual(uids('keep-id:uid=5,size=10'), [map(0, 100000, 5), map(5, 1000, 1), map(6, 100005, 4)]);
  assert.deepEqual(uids('keep-id:uid=9,size=3'), [map(0, 100000, 2), map(9, 1000, 1)]);
  assert.equal(part('/process/user/uid', { userns: 'keep-id:uid=5,gid=6' }, USER_HOST), 5);
  assert.equal(part('/process/user/gid', { userns: 'keep-id:uid=5,gid=6' }, USER_HOST), 6);
  assert.deepEqual(uids('nomap'), [map(0, 100000, 65536)]);
  assert.equal(part('/process/user/uid', { userns: 'nomap' }, USER_HOST), 0);
  // Root keeps its ids without a user namespace.
  assert.equal(types({ userns: 'keep-id' }), 'mount pid network ipc uts cgroup');
  assert.equal(part('/process/user/uid', { userns: 'keep-id:uid=5,gid=6' }), 5);
  const found = [{ containerID: 0, hostID: 2_000_000, size: 1024 }];
  const autoIds = { uidMappings: found, gidMappings: found, setgroups: true };
  assert.deepEqual(uids('auto', { ...ROOT_HOST, autoIds }), found);
});

test('which maps need layers of their own', () => {
  const unusual = (flags: RunFlags, facts = USER_HOST) =>
    unusualMaps(flags, namespaceModes(flags, facts, new Recorder()), facts)?.uidMappings;
  assert.equal(unusual({}), undefined);
  assert.equal(unusual({ userns: 'host', namespaces: 'none' }), undefined);
  assert.equal(unusual({ uidmap: ['0:1000:1'] }), undefined);
  assert.equal(unusual({ uidmap: ['0:1000:1', '1:100000:10', '20:100019:5'] }), undefined);
  assert.equal(unusual({ userns: 'keep-id' })?.length, 3);
  assert.equal(unusual({ uidmap: ['0:100000:10', '10:1000:1'] })?.length, 2);
  assert.equal(unusual({ uidmap: ['0:5:1'] }, ROOT_HOST), undefined, 'mounts map the ids for root');
  const alone = { uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }], setgroups: false };
  const idMaps = { ...alone, gidMappings: alone.uidMappings };
  assert.equal(unusual({ userns: 'keep-id' }, { ...USER_HOST, idMaps }), undefined, 'all files are theirs');
  assert.equal(
    messageOf(() => unusual({ uidmap: ['1:1000:1'] })),
    '--uidmap 1:1000:1: the id 0, to whom the files of images belong, is not mapped',
  );
  assert.equal(
    messageOf(() => unusual({ userns: 'nomap' })),
    '--userns nomap: you, the user 1000, to whom the store of images belongs, are not mapped',
  );
});

test('what is refused', () => {
  const cases: readonly (readonly [RunFlags, string])[] = [
    [{ userns: 'nomap' }, '--userns nomap: nomap is only supported in rootless mode'],
    [
      { userns: 'keep-id:size=5' },
      '--userns keep-id:size=5: cannot set max size for user namespace when not running rootless',
    ],
    [{ userns: 'keep-id:size=0' }, '--userns keep-id:size=0: size is a number from 1 to 4294967294'],
    [{ userns: 'keep-id:uid=x' }, '--userns keep-id:uid=x: uid is a number from 0 to 4294967294'],
    [{ userns: 'keep-id:who=1' }, '--userns keep-id:who=1: unknown option who of keep-id'],
    [{ userns: 'nomap:uid=1' }, '--userns nomap:uid=1: unknown option uid of nomap'],
    [{ userns: 'auto:' }, '--userns auto:: unknown option  of auto'],
    [
      { userns: 'auto' },
      '--userns auto: auto is for images of the store, whose files tell how many ids they have',
    ],
    [{ userns: 'auto', uidmap: ['0:1:1'] }, 'conflicting options: --userns auto and --uidmap 0:1:1'],
    [{ pid: 'foo' }, '--pid foo: invalid PID mode'],
    [{ uts: 'foo' }, '--uts foo: invalid UTS mode'],
    [{ ipc: 'foo' }, '--ipc foo: invalid IPC mode'],
    [{ userns: 'foo' }, '--userns foo: invalid USER mode'],
    [{ cgroupns: 'foo' }, '--cgroupns foo: invalid CGROUP mode'],
    [{ network: '' }, 'invalid argument "" for "--network" flag: no name set for network'],
    [{ pidNs: 'x' }, 'invalid argument "x" for "--pid-ns" flag: neither host, nor new, nor an absolute path'],
    [
      { namespaces: 'mnt,foo' },
      `invalid argument "mnt,foo" for "--namespaces" flag: unknown namespace 'foo'; known are mnt, net, user, mount, pid, network, ipc, uts, cgroup, time`,
    ],
    [
      { uidmap: ['0:0:0'] },
      'invalid argument "0:0:0" for "--uidmap" flag: a range of ids is neither empty nor ends beyond 4294967294',
    ],
    [
      { uidmap: ['0:4294967294:2'] },
      'invalid argument "0:4294967294:2" for "--uidmap" flag: a range of ids is neither empty nor ends beyond 4294967294',
    ],
    [
      { uidmap: ['x'] },
      'invalid argument "x" for "--uidmap" flag: the form is CONTAINER:HOST[:COUNT], three numbers',
    ],
    [{ uidmap: ['0:0:10', '5:100:1'] }, '--uidmap 0:0:10 --uidmap 5:100:1: two ranges hold the id 5'],
    [{ uidmap: ['0:0:10', '50:5:1'] }, '--uidmap 0:0:10 --uidmap 50:5:1: two ranges hold the id 5'],
    [{ uidmap: ['0:1000:1'], user: '5' }, '--user 5: user id 5 is not mapped in the user namespace'],
    [
      { timensOffset: ['realtime=1'] },
      'invalid argument "realtime=1" for "--timens-offset" flag: the form is monotonic=SECONDS or boottime=SECONDS',
    ],
  ];
  for (const [flags, message] of cases)
    assert.equal(
      messageOf(() => compile(flags)),
      message,
      JSON.stringify(flags),
    );
});

test('time offsets: nanoseconds count forward, below zero too', () => {
  assert.deepEqual(parseTimeOffsets(['monotonic=3600,boottime=-5.5']), {
    monotonic: { secs: 3600, nanosecs: 0 },
    boottime: { secs: -6, nanosecs: 500_000_000 },
  });
  assert.deepEqual(parseTimeOffsets(['monotonic=-0', 'boottime=-2']), {
    monotonic: { secs: 0, nanosecs: 0 },
    boottime: { secs: -2, nanosecs: 0 },
  });
});
