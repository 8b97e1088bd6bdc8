// Tests of what a mount table shows and hides.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountinfo } from '../linux/mountinfo.ts';
import { isBelow, prefixes, treatment, visibleMounts } from './mount-table.ts';

function visible(...lines: string[]): string[] {
  return visibleMounts(parseMountinfo(lines.map((line) => `${line}\n`).join(''))).map(
    (mount) => `${mount.mountPoint} ${mount.id} ${treatment(mount)}`,
  );
}

const ROOT = '27 1 254:0 / / rw - ext4 /dev/vda rw';

test('the mount on top of a mount point is the visible one', () => {
  const stack = ['24 27 0:6 / /dev rw - devtmpfs dev rw', '26 24 0:24 / /dev/pts rw - devpts pts rw'];
  assert.deepEqual(visible(ROOT, ...stack, '29 26 0:26 / /dev/pts rw - devpts pts rw'), [
    '/dev 24 empty',
    '/dev/pts 29 empty',
  ]);
});

test('a mount below a directory that is covered later is hidden', () => {
  const inner = '30 27 8:1 / /srv/data rw - xfs /dev/sda1 rw';
  assert.deepEqual(visible(ROOT, inner), ['/srv/data 30 overlay']);
  assert.deepEqual(visible(ROOT, inner, '31 27 8:2 / /srv rw - ext4 /dev/sda2 rw'), ['/srv 31 overlay']);
});

test('mounts of one another, parents first', () => {
  const home = '40 27 8:3 / /home rw - btrfs /dev/sda3 rw';
  const user = '41 40 0:50 / /home/u/net rw - nfs4 server:/ rw';
  assert.deepEqual(visible(ROOT, home, user), ['/home 40 overlay', '/home/u/net 41 read-only']);
});

test('an initial ramfs underneath the root, and a chroot that shows no root', () => {
  const usr = '50 27 8:4 / /usr ro - squashfs /dev/loop0 ro';
  assert.deepEqual(visible('1 1 0:2 / / rw - rootfs rootfs rw', ROOT, usr), ['/usr 50 overlay']);
  assert.deepEqual(visible(usr), ['/usr 50 overlay']);
});

test('what becomes of each kind of file system', () => {
  const kinds = 'ext4 xfs vfat fuse.sshfs 9p tmpfs overlay cgroup2 autofs ramfs unheard-of'.split(' ');
  const [mount] = parseMountinfo(ROOT);
  assert.ok(mount);
  assert.deepEqual(
    kinds.map((fsType) => treatment({ ...mount, fsType })),
    ['overlay', 'overlay', 'read-only', 'read-only', 'read-only', ...Array(6).fill('empty')],
  );
});

test('paths below paths', () => {
  assert.deepEqual(prefixes('/a/bc/d'), ['/', '/a', '/a/bc', '/a/bc/d']);
  assert.deepEqual(prefixes('/'), ['/']);
  assert.ok(isBelow('/a/b', '/a') && isBelow('/a', '/') && !isBelow('/ab', '/a') && !isBelow('/a', '/a'));
});
