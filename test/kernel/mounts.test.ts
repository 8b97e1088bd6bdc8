// Mounts of every kind and with every option, as the container sees them in mountinfo and by trying.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Harness, MOUNTS, type Part, rootless, rootOnly, skip } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

const source = harness.makeDirectory('source');
if (skip === false) {
  writeFileSync(`${source}/file`, 'content\n');
  mkdirSync(`${source}/sub`);
  writeFileSync(`${source}/program`, '#!/bin/sh\necho ran\n', { mode: 0o755 });
}

/** Runs `script` with one more mount. */
function withMount(mount: Part, script: string): string {
  return harness.ociOutput({ mounts: [...MOUNTS, mount] }, script);
}

/** The options of the mount at `path`, of the mount and of its super block. */
function optionsOf(
  mount: Part,
  path = String(mount.destination),
): { mount: string[]; type: string; superblock: string[] } {
  const line = withMount(mount, `grep " ${path} " /proc/self/mountinfo`);
  const [left = '', right = ''] = line.split(' - ');
  const [type = '', , superblock = ''] = right.split(' ');
  return { mount: (left.split(' ')[5] ?? '').split(','), type, superblock: superblock.split(',') };
}

const bind = (options: readonly string[], destination = '/data'): Part => ({
  destination,
  type: 'bind',
  source,
  options: ['bind', ...options],
});

test('each option of a bind is there, and is not without it', { skip }, () => {
  const plain = optionsOf(bind([])).mount;
  // Access times of the host's mounts are locked in a user namespace (mount_namespaces(7)).
  const times = rootless ? [] : ['noatime', 'nodiratime'];
  for (const option of ['ro', 'nosuid', 'nodev', 'noexec', 'nosymfollow', ...times]) {
    const { mount } = optionsOf(bind([option]));
    assert.ok(mount.includes(option), `${option}: ${mount}`);
    assert.ok(!plain.includes(option), `${option} is there unasked: ${plain}`);
  }
  assert.ok(plain.includes('rw'));
  assert.ok(plain.includes('relatime'));
});

test('the last of contradicting options holds', { skip }, () => {
  assert.ok(optionsOf(bind(['ro', 'rw'])).mount.includes('rw'));
  assert.ok(optionsOf(bind(['rw', 'ro'])).mount.includes('ro'));
  assert.ok(!optionsOf(bind(['noexec', 'exec'])).mount.includes('noexec'));
  if (rootless) return;
  const { mount } = optionsOf(bind(['noatime', 'strictatime']));
  assert.ok(!mount.includes('noatime') && !mount.includes('relatime'), mount.join());
});

test('a locked attribute is refused by its field', {
  skip: skip || (!rootless && 'the round as a user'),
}, () => {
  const ended = harness.oci({ mounts: [...MOUNTS, bind(['noatime'])] }, 'true');
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /\(EPERM\)[\s\S]*\/mounts\/5[\s\S]*system call mount_setattr/);
});

test('the options hold', { skip }, () => {
  assert.equal(
    withMount(bind(['ro']), 'echo x 2>/dev/null > /data/new || echo refused; cat /data/file'),
    'refused\ncontent',
  );
  assert.equal(withMount(bind([]), '/data/program'), 'ran');
  assert.equal(
    withMount(bind(['noexec']), '/data/program 2>&1 || echo refused'),
    '/bin/sh: /data/program: Permission denied\nrefused',
  );
});

test('a recursive bind carries the mounts below, rro makes all of them read-only', { skip: rootOnly }, () => {
  execFileSync('mount', ['-t', 'tmpfs', 'below-by-test', `${source}/sub`]);
  try {
    const seen = (options: readonly string[], kind: string) =>
      withMount(
        { destination: '/data', type: 'bind', source, options: [kind, ...options] },
        'grep " /data" /proc/self/mountinfo | cut -d" " -f5,6 | cut -d, -f1',
      );
    assert.equal(seen([], 'bind'), '/data rw');
    assert.equal(seen([], 'rbind'), '/data rw\n/data/sub rw');
    assert.equal(seen(['ro'], 'rbind'), '/data ro\n/data/sub rw');
    assert.equal(seen(['rro'], 'rbind'), '/data ro\n/data/sub ro');
    const flags = (text: string) =>
      harness.output(['-v', text], 'grep " /data" /proc/self/mountinfo | cut -d" " -f5,6 | cut -d, -f1');
    assert.equal(flags(`${source}:/data:ro`), '/data ro\n/data/sub ro');
    assert.equal(flags(`${source}:/data`), '/data rw\n/data/sub rw');
  } finally {
    execFileSync('umount', [`${source}/sub`]);
  }
});

test('a file is bound on a file, which is made where it is missing', { skip }, () => {
  const file = {
    destination: '/new/place/file',
    type: 'bind',
    source: `${source}/file`,
    options: ['bind', 'ro'],
  };
  assert.equal(withMount(file, 'cat /new/place/file; stat -c %F /new/place'), 'content\ndirectory');
  assert.equal(statSync(`${harness.rootfs}/new/place/file`).size, 0);
  assert.equal(harness.output(['-v', `${source}/file:/new/again:ro`], 'cat /new/again'), 'content');
});

test('a missing destination is made, a relative one begins at the root', { skip }, () => {
  assert.equal(
    withMount({ destination: 'made/here', type: 'tmpfs', source: 'tmpfs' }, 'stat -f -c %T /made/here'),
    'tmpfs',
  );
  assert.ok(existsSync(`${harness.rootfs}/made/here`));
});

test('a tmpfs has its size, mode and number of files', { skip }, () => {
  const mount = {
    destination: '/scratch',
    type: 'tmpfs',
    source: 'scratch',
    options: ['nosuid', 'size=64k', 'mode=1750', 'nr_inodes=10'],
  };
  const { type, superblock, mount: attributes } = optionsOf(mount);
  assert.equal(type, 'tmpfs');
  assert.ok(attributes.includes('nosuid'));
  for (const option of ['size=64k', 'mode=1750', 'nr_inodes=10'])
    assert.ok(superblock.includes(option), `${superblock}`);
  const script =
    'stat -c %a /scratch; head -c 100000 /dev/zero > /scratch/big 2>/dev/null || stat -c %s /scratch/big';
  assert.equal(withMount(mount, script), '1750\n65536');
  const flag = 'stat -c %a /t; grep " /t " /proc/self/mountinfo | cut -d" " -f6';
  assert.equal(
    harness.output(['--tmpfs', '/t:size=32k,mode=700'], flag),
    '700\nrw,nosuid,nodev,noexec,relatime',
  );
  const size = "df -k /t | tail -1 | tr -s ' ' | cut -d' ' -f2";
  assert.equal(harness.output(['--mount', 'type=tmpfs,target=/t,tmpfs-size=1m'], size), '1024');
});

test('--shm-size is the size of /dev/shm', { skip }, () => {
  const size = "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2";
  assert.equal(harness.output([], size), '65536');
  assert.equal(harness.output(['--shm-size', '1m'], size), '1024');
});

test('proc, sysfs, mqueue, devpts and their options', { skip }, () => {
  const proc = optionsOf({
    destination: '/proc2',
    type: 'proc',
    source: 'proc',
    options: ['nosuid', 'hidepid=2'],
  });
  assert.equal(proc.type, 'proc');
  assert.ok(proc.superblock.includes('hidepid=invisible'), `${proc.superblock}`);
  assert.equal(
    optionsOf({ destination: '/sys2', type: 'sysfs', source: 'sysfs', options: ['ro'] }).type,
    'sysfs',
  );
  assert.equal(
    optionsOf({ destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid'] }).type,
    'mqueue',
  );
  const pts = {
    destination: '/pts2',
    type: 'devpts',
    source: 'devpts',
    options: ['newinstance', 'ptmxmode=0644', 'mode=0600'],
  };
  const found = optionsOf(pts).superblock;
  for (const option of ['ptmxmode=644', 'mode=600']) assert.ok(found.includes(option), `${found}`);
  assert.equal(withMount(pts, 'ls /pts2; stat -c %a /pts2/ptmx'), 'ptmx\n644');
});

test('sysfs of a new network shows only its devices', { skip }, () => {
  assert.equal(harness.ociOutput({}, 'ls /sys/class/net'), 'lo');
});

test('the mounts are made in order, a later one covers an earlier one', { skip }, () => {
  const mounts = [
    ...MOUNTS,
    { destination: '/a', type: 'tmpfs', source: 'first' },
    { destination: '/a/b', type: 'tmpfs', source: 'second' },
    { destination: '/a', type: 'tmpfs', source: 'third' },
  ];
  const script =
    'ls /a; grep -c " /a" /proc/self/mountinfo; grep " /a " /proc/self/mountinfo | tail -1 | cut -d" " -f9';
  assert.equal(harness.ociOutput({ mounts }, script), '3\nthird');
});

test('a tmpfs is filled with what it covers where that is asked for, or the option is refused', {
  skip,
}, () => {
  const mount = { destination: '/etc', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup'] };
  const ended = harness.oci(
    { mounts: [...MOUNTS, mount] },
    'cat /etc/passwd | head -1; echo x > /etc/passwd; cat /etc/passwd',
  );
  if (ended.code === 0) assert.equal(ended.stdout, 'root:x:0:0:root:/root:/bin/sh\nx\n');
  else assert.match(ended.stderr, /tmpcopyup is not there yet[\s\S]*\/mounts\/5/);
});

test('an id-mapped bind shows mapped owners, or is refused by name', { skip: rootOnly }, () => {
  const ids = [{ containerID: 0, hostID: 5000, size: 10 }];
  const mount = { ...bind([]), uidMappings: ids, gidMappings: ids };
  const ended = harness.oci({ mounts: [...MOUNTS, mount] }, 'stat -c %u:%g /data/file');
  if (ended.code === 0) assert.equal(ended.stdout, '5000:5000\n');
  else assert.match(ended.stderr, /mount on \/data: id-mapped mounts/);
});

test('--mount and --volume say the same', { skip }, () => {
  const show = 'grep " /data " /proc/self/mountinfo | cut -d" " -f5,6';
  const volume = harness.output(['-v', `${source}:/data:ro,noexec`], show);
  assert.equal(volume, '/data ro,nosuid,nodev,noexec,relatime');
  assert.equal(
    harness.output(['--mount', `type=bind,src=${source},dst=/data,readonly,noexec`], show),
    volume,
  );
});

test('a mount over /proc is refused but for files that inform', { skip }, () => {
  const over = (destination: string) =>
    harness.oci(
      { mounts: [...MOUNTS, { ...bind([], destination), source: `${source}/file` }] },
      `cat ${destination}`,
    );
  assert.equal(over('/proc/uptime').stdout, 'content\n');
  const refused = over('/proc/sys/kernel/hostname');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /\/mounts\/5\/destination/);
});

test('file names are bytes', { skip }, () => {
  const name = Buffer.from(`${harness.directory}/caf\xe9`, 'latin1');
  mkdirSync(name);
  const config = JSON.stringify(
    harness.configuration({ mounts: [...MOUNTS, { ...bind([]), source: 'SOURCE' }] }, 'echo seen'),
  );
  const bundle = harness.makeDirectory('bundle');
  writeFileSync(
    `${bundle}/config.json`,
    Buffer.from(config.replace('SOURCE', name.toString('latin1')), 'latin1'),
  );
  assert.equal(harness.ociRun(bundle).stdout, 'seen\n');
});
