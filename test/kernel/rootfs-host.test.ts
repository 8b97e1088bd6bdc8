// The built-in image `host` and host directories as roots, played for real, as root and as an ordinary user.
import assert from 'node:assert/strict';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { directoryRoot } from '../../src/snapshot/directory-root.ts';
import { hostRoot } from '../../src/snapshot/host-root.ts';
import type { HostRootFacts } from '../../src/snapshot/host-view.ts';
import { hostFacts, ORDINARY, runInRoot } from './rootfs-play.ts';

const missing = process.getuid?.() === 0 ? false : 'needs root';

/** A directory that everybody may enter, removed after the test. */
function scratch(t: { after(done: () => void): void }, parent = '/var/tmp'): string {
  const path = mkdtempSync(`${parent}/caisson-rootfs-`);
  chownSync(path, ORDINARY, ORDINARY);
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The facts with one more file system: a bind mount of the machine's own, which the launcher's namespace will have. */
function withMount(
  facts: HostRootFacts,
  mountPoint: string,
  fsType = 'ext4',
  options = ['rw', 'nosuid'],
): HostRootFacts {
  const root = facts.mounts.find((mount) => mount.mountPoint === '/');
  assert.ok(root);
  const mount = { ...root, id: 99999, parent: root.id, mountPoint, fsType, options };
  return { ...facts, mounts: [...facts.mounts, mount] };
}

for (const uid of [0, ORDINARY]) {
  const who = uid === 0 ? 'root' : 'an ordinary user';

  test(`${who}: the machine's files are there, and changes vanish`, { skip: missing }, async (t) => {
    const directory = scratch(t);
    writeFileSync(join(directory, 'mine'), 'before\n');
    chownSync(join(directory, 'mine'), uid, uid);
    // hostfs, the root of user-mode-linux, shows what the host has mounted there.
    const hostfs = hostFacts(uid).mounts.some(
      ({ mountPoint, fsType }) => mountPoint === '/' && fsType === 'hostfs',
    );
    const pseudo = hostfs ? 'printf "/proc:\\n\\n/sys:\\n"' : 'ls /proc /sys';
    const script = `
      echo changed > ${directory}/mine && cat ${directory}/mine
      echo new > /etc/caisson-canary && cat /etc/caisson-canary
      rm /etc/passwd && test ! -e /etc/passwd && echo removed
      mkdir /caisson-canary && touch /usr/caisson-canary /tmp/caisson-canary && echo made
      test -x /bin/ls && readlink /bin; id -u; ${pseudo}`;
    const { status, output } = await runInRoot(hostRoot(hostFacts(uid), { cause: 'test' }), script, { uid });
    assert.equal(output, `changed\nnew\nremoved\nmade\n${readlinkSync('/bin')}\n0\n/proc:\n\n/sys:\n`);
    assert.equal(status, 0);
    assert.equal(readFileSync(join(directory, 'mine'), 'utf8'), 'before\n');
    for (const path of [
      '/etc/caisson-canary',
      '/caisson-canary',
      '/usr/caisson-canary',
      '/tmp/caisson-canary',
    ]) {
      assert.ok(!existsSync(path), path);
    }
    assert.ok(existsSync('/etc/passwd'));
  });

  test(`${who}: --upper keeps the changes for the next run`, { skip: missing }, async (t) => {
    const upper = scratch(t, '/tmp');
    const plan = () => hostRoot(hostFacts(uid), { cause: 'test', upper });
    const first = await runInRoot(
      plan(),
      'echo kept > /etc/caisson-canary; echo top > /caisson-top; rm /etc/shells',
      { uid },
    );
    assert.equal(first.output, '');
    const second = await runInRoot(
      plan(),
      'cat /etc/caisson-canary /caisson-top; test -e /etc/shells || echo gone',
      { uid },
    );
    assert.equal(second.output, 'kept\ntop\ngone\n');
    assert.equal(readFileSync(join(upper, 'upper/etc/caisson-canary'), 'utf8'), 'kept\n');
    assert.ok(!existsSync('/etc/caisson-canary') && existsSync('/etc/shells'));
  });

  test(`${who}: a further file system is copy-on-write too, a file on it and a kernel interface are not`, {
    skip: missing,
  }, async (t) => {
    const directory = scratch(t);
    for (const name of ['data', 'mount', 'pseudo', 'vfat']) mkdirSync(join(directory, name));
    for (const name of ['data', 'pseudo']) writeFileSync(join(directory, name, 'file'), `${name}\n`);
    for (const name of ['data', 'mount', 'pseudo', 'vfat']) chownSync(join(directory, name), uid, uid);
    const bind = (name: string) => `mount --bind ${directory}/data ${directory}/${name}`;
    const prepare = `${bind('mount')} && ${bind('pseudo')} && ${bind('vfat')} && mount -o remount,bind,nosuid ${directory}/mount`;
    let facts = withMount(hostFacts(uid), `${directory}/mount`);
    facts = withMount(facts, `${directory}/pseudo`, 'tmpfs');
    facts = withMount(facts, `${directory}/vfat`, 'vfat');
    facts = { ...facts, listings: hostFacts(uid, [6, 18], facts.mounts).listings };
    const script = `cd ${directory}; cat mount/file data/file vfat/file; cat pseudo/file
      echo x > mount/new; ls mount; echo x > vfat/new; echo x > data/more; ls data`;
    const { output } = await runInRoot(hostRoot(facts, { cause: 'test' }), script, { uid, prepare });
    // Without a user namespace what is underneath the left-out mount shows.
    const pseudo = uid === 0 ? 'pseudo\n' : 'cat: pseudo/file: No such file or directory\n';
    const refused = 'sh: 3: cannot create vfat/new: Read-only file system\n';
    assert.equal(output, `data\ndata\ndata\n${pseudo}file\nnew\n${refused}file\nmore\n`);
    assert.deepEqual(readdirSync(join(directory, 'data')), ['file']);
  });

  test(`${who}: nothing of the host's root is reachable above the root`, { skip: missing }, async () => {
    const script = 'touch /caisson-top; ls -d /../caisson-top /etc/../../caisson-top';
    const { output } = await runInRoot(hostRoot(hostFacts(uid), { cause: 'test' }), script, { uid });
    assert.equal(output, '/../caisson-top\n/etc/../../caisson-top\n');
  });

  test(`${who}: a host directory as the root`, { skip: missing }, async (t) => {
    const directory = scratch(t);
    for (const name of ['usr', 'inside']) mkdirSync(join(directory, name));
    for (const name of ['bin', 'lib', 'lib64']) symlinkSync(readlinkSync(`/${name}`), join(directory, name));
    chownSync(join(directory, 'inside'), uid, uid);
    const prepare = `mount --bind /usr ${directory}/usr`;
    const script = 'ls /; echo written > /inside/file; ls -d /.. /../inside';
    const { output } = await runInRoot(directoryRoot(directory, 'test'), script, { uid, prepare });
    assert.equal(output, 'bin\ninside\nlib\nlib64\nusr\n/..\n/../inside\n');
    assert.equal(readFileSync(join(directory, 'inside/file'), 'utf8'), 'written\n');
  });
}

test('a link that an earlier container left in its upper directory is not followed', {
  skip: missing,
}, async (t) => {
  const upper = scratch(t, '/tmp');
  const victim = scratch(t, '/tmp');
  mkdirSync(join(upper, 'upper'));
  symlinkSync(victim, join(upper, 'upper/etc'));
  chownSync(join(upper, 'upper'), ORDINARY, ORDINARY);
  const plan = hostRoot(hostFacts(ORDINARY), { cause: 'test', upper });
  await assert.rejects(
    runInRoot(plan, 'touch /etc/canary', { uid: ORDINARY }),
    /overlay \/etc of this machine, openat: errno 20/,
  );
  assert.deepEqual(readdirSync(victim), []);
});
