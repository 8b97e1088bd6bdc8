// The root of a container: what pivot_root(2) leaves, read-only, propagation, kept changes, archives, foreign programs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Harness, MOUNTS, rootless, rootOnly, skip, succeeded } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

test('nothing of the old root is left', { skip }, () => {
  const script =
    'cut -d" " -f5 /proc/self/mountinfo; ls -d /work /usr /../usr /proc/1/root/usr 2>/dev/null; cd /; ls ..';
  const lines = harness.ociOutput({}, script).split('\n');
  const mounts = ['/', '/proc', '/dev', '/dev/pts', '/dev/shm', '/sys'];
  const names = ['bin', 'dev', 'etc', 'home', 'proc', 'root', 'run', 'sys', 'tmp', 'var'];
  const bound = rootless
    ? ['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => `/dev/${name}`)
    : [];
  assert.deepEqual(lines.sort(), [...mounts, ...bound, ...names].sort());
});

test('the root is the directory of the host, and written through', { skip }, () => {
  assert.equal(harness.ociOutput({}, 'echo x > /written; echo done'), 'done');
  assert.equal(readFileSync(`${harness.rootfs}/written`, 'utf8'), 'x\n');
  rmSync(`${harness.rootfs}/written`);
});

test('a read-only root refuses writes, also after a remount, and what is mounted in it does not', {
  skip,
}, () => {
  const script =
    'echo x > /written; echo x > /dev/shm/y && echo shm; mount -o remount,rw / ; echo x > /written; grep " / / \\| / ro," /proc/self/mountinfo | cut -d" " -f5,6';
  for (const ended of [
    harness.oci({ root: { readonly: true } }, script),
    harness.run(['--read-only'], script),
  ]) {
    assert.match(ended.stderr, /can't create \/written: Read-only file system/);
    assert.ok(ended.stdout.startsWith('shm\n/ ro,'), ended.stdout);
  }
  assert.ok(!existsSync(`${harness.rootfs}/written`));
  assert.equal(harness.output([], 'echo x > /written; cat /written'), 'x');
  rmSync(`${harness.rootfs}/written`);
});

/** Mounts a tmpfs on `place` while the container that `start` began waits for a line of input. */
async function withHostMount(flags: readonly string[], place: string, script: string): Promise<string> {
  const started = harness.start(harness.runArguments(['-i', ...flags], `echo ready; read line; ${script}`), {
    stdin: 'pipe',
  });
  try {
    await started.untilPrinted('ready');
    execFileSync('mount', ['-t', 'tmpfs', 'late-by-test', place]);
    started.child.stdin?.end('go\n');
    return succeeded(await started.end()).replace('ready\n', '');
  } finally {
    execFileSync('umount', [place]);
  }
}

test('a slave bind sees what the host mounts later, a private one does not', { skip: rootOnly }, async () => {
  const shared = harness.makeDirectory('shared');
  execFileSync('mount', ['--bind', shared, shared]);
  execFileSync('mount', ['--make-shared', shared]);
  mkdirSync(`${shared}/sub`);
  try {
    const count = 'grep -c late-by-test /proc/self/mountinfo || true';
    assert.equal(await withHostMount(['-v', `${shared}:/data:rslave`], `${shared}/sub`, count), '1');
    assert.equal(await withHostMount(['-v', `${shared}:/data`], `${shared}/sub`, count), '0');
    assert.equal(await withHostMount(['-v', `${shared}:/data:rprivate`], `${shared}/sub`, count), '0');
  } finally {
    execFileSync('umount', [shared]);
  }
});

test('mounts of a container do not reach the host, but through a shared bind', { skip: rootOnly }, () => {
  const shared = harness.makeDirectory('shared');
  execFileSync('mount', ['--bind', shared, shared]);
  execFileSync('mount', ['--make-shared', shared]);
  mkdirSync(`${shared}/sub`);
  const inner = 'mount -t tmpfs inner-by-test /data/sub && echo mounted';
  const flags = ['--privileged', '-v'];
  const seen = () => readFileSync('/proc/self/mountinfo', 'utf8').includes('inner-by-test');
  try {
    for (const propagation of ['rprivate', 'rslave']) {
      assert.equal(harness.output([...flags, `${shared}:/data:${propagation}`], inner), 'mounted');
      assert.equal(seen(), false, propagation);
    }
    assert.equal(harness.output([...flags, `${shared}:/data:rshared`], inner), 'mounted');
    assert.equal(seen(), true);
    execFileSync('umount', [`${shared}/sub`]);
  } finally {
    execFileSync('umount', [shared]);
  }
});

test("mounts that the host makes below the root later are not the container's", {
  skip: rootOnly,
}, async () => {
  const root = harness.makeRootfs();
  execFileSync('mount', ['--bind', root, root]);
  execFileSync('mount', ['--make-shared', root]);
  try {
    const script = 'echo ready; read line; grep -c late-by-test /proc/self/mountinfo';
    const bundle = harness.bundle({ root: { path: root } }, script);
    const started = harness.start(['oci', 'run', '--bundle', bundle, harness.newId()], { stdin: 'pipe' });
    await started.untilPrinted('ready');
    execFileSync('mount', ['-t', 'tmpfs', 'late-by-test', `${root}/var`]);
    started.child.stdin?.end('go\n');
    assert.equal((await started.end()).stdout, 'ready\n0\n');
  } finally {
    execFileSync('umount', ['-R', root]);
  }
});

test('rootfsPropagation is what the root has in the end', { skip: rootOnly }, () => {
  const optional = (propagation: string) =>
    harness.ociOutput(
      { linux: { rootfsPropagation: propagation } },
      'grep " / / \\|rootfs / " /proc/self/mountinfo | head -1',
    );
  assert.match(optional('shared'), / shared:\d+ - /);
  assert.doesNotMatch(optional('private'), / (?:shared|master):\d+ - /);
  assert.match(optional('unbindable'), / unbindable - /);
  assert.doesNotMatch(harness.ociOutput({}, 'grep rootfs /proc/self/mountinfo'), / shared:/);
});

test('a bind in an unbindable root cannot be bound again', { skip: rootOnly }, () => {
  const capabilities = {
    bounding: ['CAP_SYS_ADMIN'],
    effective: ['CAP_SYS_ADMIN'],
    permitted: ['CAP_SYS_ADMIN'],
  };
  const config = { process: { capabilities }, linux: { rootfsPropagation: 'unbindable' } };
  const ended = harness.oci(config, 'mount -o bind / /home/alice');
  assert.match(ended.stderr, /mount:.*Invalid argument/);
});

test('changes of the image host vanish, unless --upper keeps them', { skip: rootOnly }, () => {
  const script = 'echo x > /usr/caisson-test-file && cat /usr/caisson-test-file';
  const host = (flags: readonly string[], command: string) =>
    harness.caisson(['run', ...flags, 'host', 'sh', '-c', command]);
  assert.equal(succeeded(host([], script)), 'x');
  assert.ok(!existsSync('/usr/caisson-test-file'));
  assert.equal(host([], 'cat /usr/caisson-test-file').code, 1);
  const upper = `${harness.directory}/upper`;
  assert.equal(succeeded(host(['--upper', upper], script)), 'x');
  assert.ok(!existsSync('/usr/caisson-test-file'));
  assert.equal(succeeded(host(['--upper', upper], 'cat /usr/caisson-test-file')), 'x');
});

test('an archive is unpacked, used and taken away', { skip }, () => {
  const tar = `${harness.directory}/root.tar`;
  execFileSync('tar', ['-C', harness.rootfs, '-cf', tar, '.']);
  const script = 'ls -d /etc /home/alice; id -un; echo y > /written; cat /written';
  const lines = harness.output(['--rootfs-tar', tar], script).split('\n');
  assert.deepEqual(lines, ['/etc', '/home/alice', 'root', 'y']);
  assert.ok(!existsSync(`${harness.rootfs}/written`));
});

/** The first bytes of an ELF program for a machine (elf(5)). */
function elf(machine: number): Buffer {
  const header = Buffer.alloc(4096);
  header.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(machine, 18);
  header.writeUInt32LE(1, 20);
  return header;
}

const EM_AARCH64 = 183;

test('a root for another processor or system is refused with the reason', { skip }, () => {
  for (const [content, reason] of [
    [elf(EM_AARCH64), /arm64|aarch64/],
    [Buffer.from(`MZ${'\0'.repeat(58)}\x40\0\0\0PE\0\0\x64\x86${'\0'.repeat(4000)}`, 'latin1'), /Windows/],
  ] as const) {
    const foreign = harness.makeDirectory('foreign');
    mkdirSync(`${foreign}/bin`);
    for (const name of ['proc', 'dev', 'sys', 'etc']) mkdirSync(`${foreign}/${name}`);
    writeFileSync(`${foreign}/bin/sh`, content, { mode: 0o755 });
    harness.own(foreign);
    const ended = harness.caisson(['run', '--rootfs', foreign, '/bin/sh']);
    assert.equal(ended.code, 126, ended.stderr);
    assert.match(ended.stderr, reason);
    assert.match(ended.stderr, /kernel/);
  }
});

test('a /proc of the image that is a link, and links in circles, are refused or stay inside', {
  skip,
}, () => {
  const root = harness.makeRootfs();
  rmSync(`${root}/proc`, { recursive: true });
  execFileSync('ln', ['-s', 'tmp', `${root}/proc`]);
  const ended = harness.caisson([
    'oci',
    'run',
    '--bundle',
    harness.bundle({ root: { path: root } }),
    harness.newId(),
  ]);
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /mount proc at \/proc: .*\(ELOOP\)/);
  execFileSync('ln', ['-s', 'circle', `${root}/circle`]);
  execFileSync('rm', [`${root}/proc`]);
  mkdirSync(`${root}/proc`);
  harness.own(root);
  const mounts = [...MOUNTS, { destination: '/circle/data', type: 'tmpfs', source: 'tmpfs' }];
  const circle = harness.ociRun(harness.bundle({ root: { path: root }, mounts }));
  assert.equal(circle.code, 1);
  assert.match(circle.stderr, /\(ELOOP\)/);
  assert.match(circle.stderr, /\/mounts\/5/);
  execFileSync('ln', ['-s', '/../../../../etc', `${root}/outside`]);
  const inside = [...MOUNTS, { destination: '/outside/made', type: 'tmpfs', source: 'tmpfs' }];
  assert.equal(harness.ociOutput({ root: { path: root }, mounts: inside }, 'ls -d /etc/made'), '/etc/made');
  assert.ok(!existsSync('/etc/made'));
});

test('an unpacked root is removed, whatever the container has made of its modes', { skip }, () => {
  const tar = `${harness.directory}/modes.tar`;
  execFileSync('tar', ['-cf', tar, '-C', harness.rootfs, '.']);
  const script = 'mkdir -p /a/b; touch /a/b/c; chmod 0 /a/b; chmod 500 /a; echo done';
  assert.equal(harness.output(['--rootfs-tar', tar], script), 'done');
  assert.deepEqual(readdirSync(harness.state), []);
});
