// Device files, the links of /dev, masked and read-only paths.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import {
  CAPABILITIES,
  capabilities,
  Harness,
  MOUNTS,
  type Part,
  rootless,
  rootOnly,
  skip,
} from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

test('the default devices are there, with their numbers and modes, and work', { skip }, () => {
  const names = ['full', 'null', 'random', 'tty', 'urandom', 'zero'];
  const script = `cd /dev; stat -c '%n %F %a %t:%T' ${names.join(' ')}; head -c 3 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; echo x > /dev/null && echo ok; echo x 2>/dev/null > /dev/full || echo full`;
  const expected = ['full 1:7', 'null 1:3', 'random 1:8', 'tty 5:0', 'urandom 1:9', 'zero 1:5'].map(
    (line) => {
      const [name, numbers] = line.split(' ');
      return `${name} character special file 666 ${numbers}`;
    },
  );
  for (const output of [harness.ociOutput({}, script), harness.output([], script)]) {
    assert.deepEqual(output.split('\n'), [...expected, '3', '4', 'ok', 'full']);
  }
});

test('/dev has nothing else but links and the file systems in it', { skip }, () => {
  const devices = [
    'fd',
    'full',
    'null',
    'ptmx',
    'pts',
    'random',
    'shm',
    'stderr',
    'stdin',
    'stdout',
    'tty',
    'urandom',
    'zero',
  ];
  const listed = harness.ociOutput({}, 'ls /dev').split('\n');
  assert.deepEqual(
    listed.filter((name) => name !== 'core'),
    devices,
  );
  const links = harness.ociOutput({}, 'cd /dev; for l in fd stdin stdout stderr ptmx; do readlink $l; done');
  assert.deepEqual(links.split('\n'), [
    '/proc/self/fd',
    '/proc/self/fd/0',
    '/proc/self/fd/1',
    '/proc/self/fd/2',
    'pts/ptmx',
  ]);
});

test('devices of the configuration are made as they say', { skip: rootOnly }, () => {
  const devices = [
    { path: '/dev/mine', type: 'c', major: 1, minor: 5, fileMode: 0o640, uid: 1000, gid: 1001 },
    { path: '/dev/sub/block', type: 'b', major: 259, minor: 70000, fileMode: 0o600 },
    { path: '/dev/pipe', type: 'p', fileMode: 0o622 },
    { path: '/dev/unbuffered', type: 'u', major: 1, minor: 3 },
  ];
  const script = "stat -c '%n %F %a %u:%g %t:%T' /dev/mine /dev/sub/block /dev/pipe /dev/unbuffered";
  assert.deepEqual(harness.ociOutput({ linux: { devices } }, script).split('\n'), [
    '/dev/mine character special file 640 1000:1001 1:5',
    '/dev/sub/block block special file 600 0:0 103:11170',
    '/dev/pipe fifo 622 0:0 0:0',
    '/dev/unbuffered character special file 666 0:0 1:3',
  ]);
});

test('--device brings one device, under another name, with less access', { skip: rootOnly }, () => {
  assert.equal(harness.output(['--device', '/dev/kmsg'], 'stat -c %t:%T /dev/kmsg'), '1:b');
  assert.equal(harness.output([], 'ls /dev/kmsg 2>/dev/null || echo none'), 'none');
  // Opened for writing and not written.
  const script = 'stat -c %t:%T /dev/mine; true 2>/dev/null > /dev/mine && echo writable';
  assert.equal(harness.output(['--device', '/dev/kmsg:/dev/mine'], script), '1:b\nwritable');
  assert.equal(harness.run(['--device', '/dev/kmsg:/dev/mine:r'], script).stdout, '1:b\n');
  const rule = ['--device', '/dev/kmsg:/dev/mine:r', '--device-cgroup-rule', 'c 1:11 w'];
  assert.equal(harness.output(rule, script), '1:b\nwritable');
});

test('rootless --device binds the device of the host', {
  skip: skip || (!rootless && 'the round as a user'),
}, () => {
  assert.equal(
    harness.output(
      ['--device', '/dev/zero:/dev/mine'],
      'head -c 5 /dev/mine | wc -c; stat -c %t:%T /dev/mine',
    ),
    '5\n1:5',
  );
});

test('devices that were not given cannot be used, even when they can be made', { skip: rootOnly }, () => {
  // Not ENXIO, as of a device without a driver.
  const tries = (name: string, numbers: string) =>
    `mknod /tmp/${name} ${numbers} && head -c1 /tmp/${name} 2>&1 | grep -c "Operation not permitted"; rm -f /tmp/${name}`;
  const script = [tries('mem', 'c 1 1'), tries('disk', 'b 8 0'), tries('null', 'c 1 3')].join('; ');
  assert.equal(harness.output(['--cap-add', 'MKNOD'], script), '1\n1\n0');
  const devices = [{ allow: false, access: 'rwm' }];
  assert.equal(harness.ociOutput({ linux: { resources: { devices } } }, script), '1\n1\n0');
  assert.equal(
    harness.output(['--cap-add', 'MKNOD', '--device-cgroup-rule', 'a *:* rwm'], script),
    '0\n0\n0',
  );
});

test('--privileged has the devices of the host', { skip: rootOnly }, () => {
  const script = 'stat -c %t:%T /dev/kmsg; : > /dev/kmsg && echo writable';
  assert.equal(harness.output(['--privileged'], script), '1:b\nwritable');
});

test('a /dev that is bound is left alone', { skip: rootOnly }, () => {
  const mounts = MOUNTS.map((mount) =>
    mount.destination === '/dev'
      ? { destination: '/dev', type: 'bind', source: '/dev', options: ['rbind', 'rprivate'] }
      : mount,
  ).filter(({ destination }) => !String(destination).startsWith('/dev/'));
  assert.equal(harness.ociOutput({ mounts }, 'ls -d /dev/kmsg'), '/dev/kmsg');
});

test('masked paths are empty and stay so', { skip }, () => {
  const linux = { maskedPaths: ['/proc/keys', '/proc/fs', '/sys/kernel', '/bin/syscall', '/no/such/path'] };
  const script =
    'cat /proc/keys | wc -c; ls /proc/fs /sys/kernel | grep -v : | grep -c .; wc -c < /bin/syscall; touch /proc/fs/x 2>/dev/null || echo refused; umount /proc/keys 2>/dev/null || echo stays; ls -d /no 2>/dev/null || echo absent';
  assert.equal(harness.ociOutput({ linux }, script), '0\n0\n0\nrefused\nstays\nabsent');
  assert.notEqual(harness.ociOutput({}, 'wc -c < /bin/syscall'), '0');
  const defaults = harness.output(
    [],
    'for f in keys timer_list; do wc -c < /proc/$f; done; ls /sys/firmware | wc -l',
  );
  assert.equal(defaults, '0\n0\n0');
});

test('read-only paths cannot be written and keep their content', { skip }, () => {
  const linux = { readonlyPaths: ['/proc/sys', '/tmp', '/no/such/path'] };
  const script =
    'echo x 2>/dev/null > /tmp/x || echo refused; echo x 2>/dev/null > /proc/sys/kernel/hostname || echo refused; cat /proc/sys/kernel/ostype';
  assert.equal(harness.ociOutput({ linux }, script), 'refused\nrefused\nLinux');
  assert.equal(harness.ociOutput({}, 'echo x > /tmp/x && cat /tmp/x; rm /tmp/x'), 'x');
});

test('a container without CAP_MKNOD makes no device', { skip: rootOnly }, () => {
  const without = { capabilities: capabilities(CAPABILITIES.filter((name) => name !== 'CAP_MKNOD')) };
  const script = 'mknod /tmp/null c 1 3 2>&1; echo $?';
  assert.match(harness.ociOutput({ process: without }, script), /Operation not permitted\n1/);
  assert.match(harness.output([], script), /Operation not permitted\n1/);
});

test('security options unmask', { skip }, () => {
  assert.equal(harness.output([], 'grep -c " /proc/" /proc/self/mountinfo') === '0', false);
  assert.equal(
    harness.output(
      ['--security-opt', 'systempaths=unconfined'],
      'grep -c " /proc/" /proc/self/mountinfo || true',
    ),
    '0',
  );
});

test('a masked path in a mount over /sys is masked too, though the host has no such file', { skip }, () => {
  const source = harness.makeDirectory('over');
  writeFileSync(`${source}/secret`, 'seen');
  const mounts = [...MOUNTS, { destination: '/sys/kernel', type: 'bind', source, options: ['bind'] }];
  const linux = { maskedPaths: ['/sys/kernel/secret'] };
  assert.equal(harness.ociOutput({ mounts, linux } as unknown as Part, 'cat /sys/kernel/secret'), '');
});
