// An ordinary user without any set-up: no name, no subordinate ids, no cgroup, no rights.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readlinkSync, statSync } from 'node:fs';
import { after, test } from 'node:test';
import { Harness, NAMESPACES, once, STRANGER, succeeded } from '../harness/caisson.ts';

// Other users than the suite's: once is enough.
const harness = new Harness(STRANGER);
after(() => {
  harness.close();
});

const skip = once;
const host = (flags: readonly string[], script: string) =>
  harness.caisson(['run', ...flags, 'host', 'sh', '-c', script]);

test("the files of this machine are seen, and changes are the container's own", { skip }, () => {
  const script =
    'id -u; cat /etc/hostname >/dev/null && echo x > /usr/caisson-stranger && cat /usr/caisson-stranger';
  assert.equal(succeeded(host([], script)), '0\nx');
  assert.ok(!existsSync('/usr/caisson-stranger'));
  assert.equal(
    succeeded(host([], 'cd /; for d in usr etc bin lib; do test -e $d && echo $d; done')),
    'usr\netc\nbin\nlib',
  );
});

test('--upper keeps the changes of a user', { skip }, () => {
  const upper = harness.makeDirectory('upper');
  assert.equal(succeeded(host(['--upper', upper], 'echo x > /usr/kept && cat /usr/kept')), 'x');
  assert.equal(succeeded(host(['--upper', upper], 'cat /usr/kept')), 'x');
  assert.equal(statSync(upper).uid, STRANGER.uid);
});

test('one id is mapped, setgroups is denied, and no group is added', { skip }, () => {
  const flat = (text: string) => text.split('\n').map((line) => line.trim().split(/\s+/).join(' '));
  const script = 'cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -G';
  const own = `0 ${STRANGER.uid} 1`;
  assert.deepEqual(flat(harness.output([], script)), [own, own, 'deny', '0']);
});

test('files of the container belong to the user on the host', { skip }, () => {
  assert.equal(harness.output([], 'echo x > /made; stat -c %u:%g /made'), '0:0');
  const { uid, gid } = statSync(`${harness.rootfs}/made`);
  assert.deepEqual([uid, gid], [STRANGER.uid, STRANGER.gid]);
});

test('what the user may not do is refused by the flag', { skip }, () => {
  const refusals: readonly (readonly [readonly string[], RegExp])[] = [
    [['-u', 'alice'], /user id 1000 is not mapped/],
    [['--group-add', '50'], /--group-add|group/],
    [['--userns', 'host'], /user namespace|--userns/],
    [['--uidmap', '0:0:1', '--gidmap', '0:0:1'], /uidMappings|newuidmap|EPERM|uidmap/],
    [['--device-cgroup-rule', 'c 1:1 r'], /--device-cgroup-rule/],
    [['--oom-score-adj', '-500'], /EACCES[\s\S]*caused by --oom-score-adj -500/],
  ];
  for (const [flags, message] of refusals) {
    const ended = harness.run(flags, 'echo ran');
    assert.deepEqual([ended.code, ended.stdout], [125, ''], `${flags}: ${ended.stderr}`);
    assert.match(ended.stderr, message);
  }
});

test('a bundle without a user namespace is refused, with what to do', { skip }, () => {
  const ended = harness.oci({ linux: { namespaces: NAMESPACES } }, 'echo ran');
  assert.deepEqual([ended.code, ended.stdout], [1, '']);
  assert.match(ended.stderr, /user namespace[\s\S]*\/linux\/namespaces/);
});

test("root inside cannot reach what is root's on the host", { skip }, () => {
  const script =
    'cat /etc/shadow >/dev/null 2>&1 || echo refused; mount -t tmpfs x /mnt 2>/dev/null || echo no mount';
  assert.equal(host([], script).stdout, 'refused\nno mount\n');
});

test('an unreadable bundle is told by its path', { skip }, () => {
  const ended = harness.ociRun('/root');
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /\/root\/config\.json/);
});

test('namespaces of the same user are joined', { skip }, async () => {
  const ids = ['--reuid', String(STRANGER.uid), '--regid', String(STRANGER.gid), '--clear-groups'];
  const script = 'echo ready; exec sleep 60';
  const other = spawn('setpriv', [...ids, 'unshare', '-Urn', 'sh', '-c', script], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await new Promise((resolve) => other.stdout?.once('data', resolve));
  try {
    const path = (type: string) => `/proc/${other.pid}/ns/${type}`;
    const wanted = ['user', 'net'].map((type) => readlinkSync(path(type)));
    const flags = ['--user-ns', path('user'), '--net-ns', path('net')];
    const show = 'readlink /proc/self/ns/user; readlink /proc/self/ns/net';
    assert.deepEqual(harness.output(flags, show).split('\n'), wanted);
    const alone = harness.run(['--net-ns', path('net')], 'echo ran');
    assert.deepEqual([alone.code, alone.stdout], [125, '']);
    assert.match(alone.stderr, /\(EPERM\)[\s\S]*--net-ns/);
  } finally {
    other.kill('SIGKILL');
  }
});
