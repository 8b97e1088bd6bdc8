// Id-mapped binds of trees that the container itself has mounted, and by the maps of a user namespace that is joined.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { MOUNTS } from '../harness/caisson.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

const MAP = [{ containerID: 0, hostID: 100000, size: 65536 }];
const TYPES = ['pid', 'mount', 'ipc', 'uts', 'network'];

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  /** A directory that only root of the host can enter, with a file of root's; and a root of the container's root. */
  function prepared(): { source: string; rootfs: string } {
    const parent = harness.makeDirectory('closed');
    mkdirSync(`${parent}/source`);
    writeFileSync(`${parent}/source/file`, 'content\n');
    chmodSync(parent, 0o700);
    const rootfs = harness.makeRootfs();
    execFileSync('chown', ['-hR', '100000:100000', rootfs]);
    return { source: `${parent}/source`, rootfs };
  }

  const bind = (destination: string, source: string, ...options: string[]) => ({
    destination,
    type: 'none',
    source,
    options: ['rbind', ...options],
  });

  const own = {
    namespaces: [...TYPES, 'user'].map((type) => ({ type })),
    uidMappings: MAP,
    gidMappings: MAP,
  };

  test(`${name}: a tree that the container has mounted is bound once more, with its ids mapped`, {
    skip,
  }, () => {
    const { source, rootfs } = prepared();
    const mounts = [
      ...MOUNTS,
      bind('/data', source),
      bind('/mapped', `${rootfs}/data`, 'idmap'),
      bind('/again', `${rootfs}/data`, 'ridmap', 'ro'),
    ];
    const script = 'stat -c %u:%g /data/file /mapped/file /again/file; touch /again/file || true';
    const bundle = harness.bundle({ root: { path: rootfs }, linux: own, mounts }, script);
    const { stdout, stderr } = harness.succeed(['run', '-b', bundle, harness.newId()]);
    assert.equal(stdout, '65534:65534\n0:0\n0:0\n');
    assert.match(stderr, /Read-only file system/);
    harness.assertNothingLeft();
  });

  test(`${name}: what cannot be mapped fails, and leaves nothing`, { skip }, () => {
    const { rootfs } = prepared();
    // procfs does not know mapped mounts (mount_setattr(2), FS_ALLOW_IDMAP).
    const mounts = [...MOUNTS, bind('/mapped', `${rootfs}/proc`, 'idmap')];
    const bundle = harness.bundle({ root: { path: rootfs }, linux: own, mounts }, 'true');
    for (const command of ['run', 'create']) {
      const { code, stderr } = harness.call([command, '-b', bundle, harness.newId()]);
      assert.equal(code, 1);
      assert.match(stderr, /\/mapped/);
      assert.match(stderr, /EINVAL/);
    }
    harness.assertNothingLeft();
  });

  test(`${name}: idmap alone takes the maps of a user namespace that is joined`, { skip }, () => {
    const { source, rootfs } = prepared();
    const first = harness.newId();
    const root = { path: rootfs };
    harness.succeed(['run', '-d', '-b', harness.bundle({ root, linux: own }, 'exec sleep 100'), first]);
    const path = `/proc/${harness.stateOf(first).pid}/ns/user`;
    const linux = { namespaces: [...TYPES.map((type) => ({ type })), { type: 'user', path }] };
    const mounts = [...MOUNTS, bind('/data', source), bind('/mapped', source, 'idmap')];
    const bundle = harness.bundle({ root, linux, mounts }, 'stat -c %u:%g /data/file /mapped/file');
    const { stdout } = harness.succeed(['run', '-b', bundle, harness.newId()]);
    assert.equal(stdout, '65534:65534\n0:0\n');
    harness.succeed(['delete', '--force', first]);
    harness.assertNothingLeft();
  });
}
