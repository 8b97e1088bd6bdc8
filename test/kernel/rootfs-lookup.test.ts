// Reading passwd and group, and looking at the programs of a root, where they are anything but what they should be (T35).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type LookedUp, passwdLookup } from '../../src/image/passwd-lookup.ts';
import { platformFindings, platformProbe } from '../../src/image/platform.ts';
import { ERRNO } from '../../src/linux/errno.ts';
import { bufferBytes } from '../../src/plan/encode.ts';
import { Launcher, replyOf } from './rootfs-play.ts';

const missing = process.getuid?.() === 0 ? false : 'needs root';

/** A root with a user, and a file outside that must not be read. */
function makeRoot(t: { after(done: () => void): void }): { root: string; outside: string } {
  const base = mkdtempSync('/tmp/caisson-lookup-');
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const [root, outside] = [join(base, 'root'), join(base, 'secret')];
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(outside, 'secret:x:0:0\n');
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
  return { root, outside };
}

async function lookUp(root: string, room?: number) {
  const lookup = passwdLookup(root, 'test', room);
  const launcher = new Launcher();
  try {
    const played = await launcher.play(lookup.steps);
    const found = ({ length, size, content }: LookedUp) => {
      const count = replyOf(played, length);
      return {
        length: count,
        size: replyOf(played, size),
        text: count > 0 ? bufferBytes(played.batch, played.answer, content, count) : '',
      };
    };
    if (played.failure !== undefined) return played.failure;
    return { passwd: found(lookup.passwd), group: found(lookup.group) };
  } finally {
    await launcher.close();
  }
}

test('both files, and their size when there is not enough room', { skip: missing }, async (t) => {
  const { root } = makeRoot(t);
  const passwd = 'root:x:0:0::/root:/bin/sh\n';
  assert.deepEqual(await lookUp(root), {
    passwd: { length: 26, size: 26, text: passwd },
    group: { length: 10, size: 10, text: 'root:x:0:\n' },
  });
  const short = await lookUp(root, 5);
  assert.ok(typeof short !== 'string' && short.passwd.text === 'root:' && short.passwd.size === 26);
});

test('no file and no directory: nothing to read, and no error', { skip: missing }, async (t) => {
  const { root } = makeRoot(t);
  rmSync(join(root, 'etc/passwd'));
  const one = await lookUp(root);
  assert.ok(typeof one !== 'string' && one.passwd.length === -ERRNO.EBADF && one.group.length === 10);
  rmSync(join(root, 'etc'), { recursive: true });
  const none = await lookUp(root);
  assert.ok(typeof none !== 'string' && none.passwd.text === '' && none.group.text === '');
});

test('links never lead out of the root', { skip: missing }, async (t) => {
  const { root, outside } = makeRoot(t);
  for (const target of [
    outside,
    '../../secret',
    '/proc/self/root/etc/passwd',
    '/dev/stdin',
    'group',
    'passwd',
    'dangling',
  ]) {
    rmSync(join(root, 'etc/passwd'), { force: true });
    symlinkSync(target, join(root, 'etc/passwd'));
    const found = await lookUp(root);
    assert.ok(typeof found !== 'string' && found.passwd.text === '', `${target}: ${JSON.stringify(found)}`);
  }
  rmSync(join(root, 'etc'), { recursive: true });
  symlinkSync('/etc', join(root, 'etc'));
  const circle = await lookUp(root);
  assert.ok(typeof circle !== 'string' && circle.passwd.text === '');
});

test('a FIFO, a device, a directory and a socket are refused at once', { skip: missing }, async (t) => {
  const { root } = makeRoot(t);
  const path = join(root, 'etc/passwd');
  const makers: Record<string, string> = {
    fifo: 'mkfifo "$0"',
    terminal: 'mknod "$0" c 5 0',
    zero: 'mknod "$0" c 1 5',
    directory: 'mkdir "$0"',
    socket:
      'perl -MIO::Socket::UNIX -e \'IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die\' "$0"',
  };
  for (const [name, maker] of Object.entries(makers)) {
    rmSync(path, { recursive: true, force: true });
    execFileSync('sh', ['-c', maker, path]);
    const began = performance.now();
    assert.equal(await lookUp(root), 'failed read /etc/passwd of the root, CHECK: errno 22', name);
    assert.ok(performance.now() - began < 2000, name);
  }
});

test('10 GiB of holes are refused without being read', { skip: missing }, async (t) => {
  const { root } = makeRoot(t);
  truncateSync(join(root, 'etc/passwd'), 10 * 2 ** 30);
  assert.equal(await lookUp(root), `failed read /etc/passwd of the root, CHECK: errno ${ERRNO.EFBIG}`);
  truncateSync(join(root, 'etc/passwd'), (1 << 20) - 1);
  const largest = await lookUp(root, 1 << 20);
  assert.ok(typeof largest !== 'string' && largest.passwd.length === (1 << 20) - 1);
});

test('the programs of a root and the directories of another system', { skip: missing }, async (t) => {
  const { root } = makeRoot(t);
  for (const directory of ['bin', 'Windows/System32']) mkdirSync(join(root, directory), { recursive: true });
  writeFileSync(join(root, 'bin/true'), '\x7fELF and more');
  symlinkSync('/bin/true', join(root, 'bin/sh'));
  const probe = platformProbe(root, '/bin/true', 'test');
  const launcher = new Launcher();
  const played = await launcher.play(probe.steps);
  await launcher.close();
  assert.equal(played.failure, undefined);
  const found = platformFindings(
    probe,
    (slot) => replyOf(played, slot),
    (buffer, length) => bufferBytes(played.batch, played.answer, buffer, length),
  );
  const header = '\x7fELF and more';
  assert.deepEqual(found, {
    witnesses: [
      { path: 'bin/true', header },
      { path: 'bin/sh', header },
    ],
    system: 'Windows',
  });
});
