// Ranges of ids for an ordinary user, by newuidmap(1) and newgidmap(1), and what happens when those refuse.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Harness, once, subordinateCaller } from '../harness/caisson.ts';

const caller = subordinateCaller();
const skip = once || (caller === undefined && 'there is no user with subordinate ids: set-up makes one');
const harness = new Harness(caller);
after(() => {
  harness.close();
});

test('a user with subordinate ids has more than one id', { skip }, () => {
  const script = 'cat /proc/self/uid_map; touch /tmp/file; chown 5:6 /tmp/file; stat -c %u:%g /tmp/file';
  const { stdout, stderr } = harness.caisson([
    'run',
    '--rootfs',
    harness.rootfs,
    '--tmpfs',
    '/tmp',
    '/bin/sh',
    '-c',
    script,
  ]);
  assert.equal(stderr, '');
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).join(' '));
  assert.equal(lines[0], `0 ${caller?.uid} 1`);
  assert.match(lines[1] ?? '', /^1 \d+ 65536$/);
  assert.equal(lines[2], '5:6');
});

test('ids that are not the caller’s to give are refused with the helper’s words', { skip }, () => {
  const map = (flag: string, own: number | undefined) => [flag, `0:${own}:1`, flag, '1:5:10'];
  const ids = [...map('--uidmap', caller?.uid), ...map('--gidmap', caller?.gid)];
  const { code, stderr } = harness.caisson(['run', ...ids, '--rootfs', harness.rootfs, '/bin/true']);
  assert.equal(code, 125);
  assert.match(stderr, /^caisson: newuidmap: .*not allowed/);
  assert.match(stderr, /caused by --uidmap/);
});
