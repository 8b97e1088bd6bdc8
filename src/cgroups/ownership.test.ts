// Tests of who owns a container's cgroup: the table of config-linux.md, Cgroup ownership.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Mount, Spec } from '../spec/runtime-spec.ts';
import { hybridHost, mountedTogether, unifiedHost } from './hosts.testing.ts';
import { cgroupOwner } from './ownership.ts';

const WRITABLE: Mount = {
  destination: '/sys/fs/cgroup',
  type: 'cgroup',
  source: 'cgroup',
  options: ['nosuid'],
};
const READ_ONLY: Mount = { ...WRITABLE, options: ['nosuid', 'ro'] };
const MAP = [{ containerID: 0, hostID: 100000, size: 65536 }];

/** Namespaces as words, `user` with its map. */
function configuration(namespaces: readonly string[], mounts: readonly Mount[], uid = 0): Spec {
  return {
    ociVersion: '1.3.0',
    process: { user: { uid, gid: 0 }, cwd: '/', args: ['sh'] },
    mounts,
    linux: {
      namespaces: namespaces.map((word) => {
        const [type, path] = word.split('=') as ['cgroup' | 'user', string?];
        return path === undefined ? { type } : { type, path };
      }),
      ...(namespaces.includes('user') ? { uidMappings: MAP } : {}),
    },
  };
}

test('cgroup ownership: a new cgroup namespace and a writable mount of v2 give it to the user', () => {
  const layout = unifiedHost();
  assert.equal(cgroupOwner(configuration(['cgroup', 'user'], [WRITABLE]), layout), 100000);
  assert.equal(cgroupOwner(configuration(['cgroup', 'user'], [WRITABLE], 7), layout), 100007);
  assert.equal(cgroupOwner(configuration(['cgroup'], [WRITABLE], 1000), layout), 1000);
});

test('cgroup ownership: it stays without a new cgroup namespace', () => {
  const layout = unifiedHost();
  assert.equal(cgroupOwner(configuration(['user'], [WRITABLE]), layout), undefined);
  assert.equal(
    cgroupOwner(configuration(['user', 'cgroup=/proc/1/ns/cgroup'], [WRITABLE]), layout),
    undefined,
  );
});

test('cgroup ownership: it stays without a writable mount', () => {
  const layout = unifiedHost();
  for (const mounts of [
    [],
    [READ_ONLY],
    [WRITABLE, READ_ONLY],
    [{ ...WRITABLE, type: 'tmpfs' }],
    [{ ...WRITABLE, destination: '/cg' }],
  ])
    assert.equal(cgroupOwner(configuration(['cgroup', 'user'], mounts), layout), undefined);
});

test('cgroup ownership: it stays on v1, for an id that is not mapped, and where it is root’s anyway', () => {
  const spec = configuration(['cgroup', 'user'], [WRITABLE]);
  assert.equal(cgroupOwner(spec, hybridHost()), undefined);
  assert.equal(cgroupOwner(spec, mountedTogether()), undefined);
  assert.equal(cgroupOwner(configuration(['cgroup', 'user'], [WRITABLE], 70000), unifiedHost()), undefined);
  assert.equal(
    cgroupOwner(configuration(['cgroup', 'user=/proc/9/ns/user'], [WRITABLE]), unifiedHost()),
    undefined,
  );
  assert.equal(cgroupOwner(configuration(['cgroup'], [WRITABLE]), unifiedHost()), undefined);
});
