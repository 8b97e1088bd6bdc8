// Volumes of containers, as root and as an ordinary user: what they begin with, who shares them, and what stays.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, test } from 'node:test';
import { CALLERS } from '../images/callers.ts';
import { busyboxLayer, layer, oldArchive } from '../images/image.ts';
import { World } from '../images/world.ts';

const PLAIN = layer(
  [{ name: 'data/', type: '5', mode: 0o2750, uid: 1000, gid: 1001 }],
  [{ name: 'data/file', uid: 1000, gid: 1001, mode: 0o4751, mtime: 1_000_000_000 }, 'from the image\n'],
  [{ name: 'data/hard', type: '1', linkName: 'data/file' }],
  [{ name: 'data/link', type: '2', linkName: '/etc/passwd' }],
  [{ name: 'data/pipe', type: '6' }],
  [{ name: 'data/dir/', type: '5', mode: 0o500 }],
  ['data/dir/deep', 'deep\n'],
  [{ name: 'data/dir/hard', type: '1', linkName: 'data/file' }],
  [{ name: 'srv/', type: '5', mode: 0o711, uid: 7 }],
  ['here', 'a file\n'],
);
const UPPER = layer(
  [{ name: 'data/', type: '5', mode: 0o2750, uid: 1000, gid: 1001 }],
  ['data/.wh.pipe'],
  ['data/upper', 'upper\n'],
);

for (const { who, caller, skip } of CALLERS) {
  if (skip !== false) {
    test(`volumes of ${who}`, { skip }, () => undefined);
    continue;
  }
  const world = new World(caller);
  after(() => {
    world.close();
  });
  const layers = [busyboxLayer(world.directory), PLAIN, UPPER];
  const archive = oldArchive(
    { name: 'seed:1', layers },
    { name: 'volumes:1', layers, config: { Volumes: { '/data': {}, '/none': {} } } },
    { name: 'single:1', layers: [layer(['single/file', 'single\n'], ['single/.wh.gone'])] },
  );
  world.output(['load', '-q', '-i', world.file('images.tar', archive)]);
  const run = (...args: string[]) => world.output(['run', '--rm', '--rm', ...args]);
  const sh = (flags: readonly string[], script: string, image = 'seed:1') =>
    run(...flags, image, 'sh', '-c', script);
  const names = (...flags: string[]) =>
    world
      .output(['volume', 'ls', '-q', ...flags])
      .split('\n')
      .filter((name) => name !== '');
  const LOOK =
    'cd /v; for f in . $(find . -mindepth 1 | sort); do stat -c "%n %F %u:%g %a" $f; [ -d $f ] || stat -c %h $f; done';

  test(`${who}: a new volume begins with the files of the image, with owner, mode, links and time`, () => {
    const image = sh([], LOOK.replace('/v;', '/data;'));
    assert.match(image, /\.\/file regular file 1000:1001 4751\n3\n/);
    assert.match(image, /^\. directory 1000:1001 2750/);
    assert.doesNotMatch(image, /pipe/);
    assert.equal(sh(['-v', 'copied:/data'], LOOK.replace('/v;', '/data;')), image);
    const more =
      'stat -c %Y /data/file; readlink /data/link; cat /data/dir/deep; [ /data/file -ef /data/dir/hard ]';
    assert.equal(sh(['-v', 'copied:/data'], more), '1000000000\n/etc/passwd\ndeep');
    assert.equal(sh(['-v', 'copied:/elsewhere'], LOOK.replace('/v;', '/elsewhere;')), image);
  });

  test(`${who}: only a new volume, and nothing without files of the image`, () => {
    sh(['-v', 'copied:/data'], 'rm -r /data/*; echo mine > /data/file');
    assert.equal(sh(['-v', 'copied:/data'], 'ls /data; cat /data/file'), 'file\nmine');
    sh(['-v', 'copied:/data'], 'rm /data/file');
    assert.equal(sh(['-v', 'copied:/data'], 'ls /data'), '');
    assert.equal(sh(['-v', 'no-copy:/data:nocopy'], 'ls /data'), '');
    assert.equal(sh(['-v', 'no-copy:/data'], 'ls /data'), '');
    assert.equal(sh(['--mount', 'type=volume,src=mounted,dst=/data,volume-nocopy'], 'ls /data'), '');
    assert.equal(
      sh(['-v', 'empty:/nothing/there'], 'ls -a /nothing/there; stat -c "%u %a" /nothing/there'),
      '.\n..\n0 755',
    );
    assert.equal(sh(['-v', 'attributes:/srv'], 'stat -c "%u %a" /srv'), '7 711');
    assert.match(
      world.call(['run', '--rm', '-v', 'file:/here', 'seed:1', 'true']).stderr,
      /ENOTDIR|not a directory/,
    );
    world.output(['volume', 'create', 'restored']);
    assert.equal(
      world.call(['volume', 'import', 'restored', '-'], { input: layer(['x', 'x']).toString('latin1') }).code,
      0,
    );
    assert.equal(sh(['-v', 'restored:/data'], 'ls /data'), 'x');
  });

  test(`${who}: an image of one layer, and the machine itself, which gives no files away`, () => {
    const file = world.harness.makeDirectory('out');
    world.output(['volume', 'rm', '-f', 'single']);
    // The image has no program: its start fails, and its files are in the volume all the same.
    assert.equal(world.call(['run', '--rm', '-v', 'single:/single', 'single:1', '/no']).code, 127);
    assert.equal(run('-v', 'single:/s', 'host', 'sh', '-c', 'ls -A /s; cat /s/file'), 'file\nsingle');
    assert.equal(run('-v', 'of-host:/etc', 'host', 'ls', '/etc').includes('passwd'), false);
    assert.deepEqual(readdirSync(file), []);
  });

  test(`${who}: a directory as the root gives its files, sockets too`, async () => {
    const root = world.harness.makeRootfs();
    mkdirSync(`${root}/seed/sub`, { recursive: true });
    writeFileSync(`${root}/seed/sub/x`, 'x');
    const server = createServer().listen(`${root}/seed/sock`);
    await new Promise((resolve) => server.once('listening', resolve));
    world.harness.own(`${root}/seed`);
    const script = 'cat /seed/sub/x; [ -S /seed/sock ] && echo " socket"';
    const seen = world.output([
      'run',
      '--rm',
      '--rootfs',
      root,
      '-v',
      'sockets:/seed',
      '/bin/sh',
      '-c',
      script,
    ]);
    server.close();
    assert.equal(seen, 'x socket');
  });

  test(`${who}: holes stay holes`, () => {
    const root = world.harness.makeRootfs();
    const make =
      'mkdir /r/sparse; dd if=/dev/zero of=/r/sparse/f bs=1 count=0 seek=20G 2>/dev/null; echo end | dd of=/r/sparse/f bs=1M seek=10240 conv=notrunc 2>/dev/null';
    sh(['-v', `${root}:/r`], make);
    const before = performance.now();
    const seen = world.output([
      'run',
      '--rootfs',
      root,
      '-v',
      'holes:/sparse',
      '/bin/sh',
      '-c',
      'stat -c %s /sparse/f; du -k /sparse/f; dd if=/sparse/f bs=1M skip=10240 count=1 2>/dev/null | head -c 4',
    ]);
    assert.match(seen, /^21474836480\n(?:4|8|12|16)\t\/sparse\/f\nend$/);
    assert.ok(performance.now() - before < 10_000);
  });

  test(`${who}: volumes of the image and anonymous ones go with the container`, () => {
    const before = names();
    assert.equal(
      sh(
        [],
        'cat /data/file; echo more > /none/more; ls /none; grep -c " /data " /proc/self/mountinfo',
        'volumes:1',
      ),
      'from the image\nmore\n1',
    );
    assert.equal(
      sh(['--read-only', '-v', '/extra'], 'touch /none/x /extra/x && ls /extra', 'volumes:1'),
      'x',
    );
    const seen = world.start(['run', '--rm', '--rm', 'volumes:1', 'sh', '-c', 'echo ready; sleep 100']);
    return seen.untilPrinted('ready').then(async () => {
      assert.equal(names().length, before.length + 2);
      assert.equal(names('-f', 'dangling=true').length, before.length);
      const own = names().find((name) => /^[0-9a-f]{64}$/.test(name) && !before.includes(name)) ?? '';
      const { code, stderr } = world.call(['volume', 'rm', own]);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`remove ${own}: volume is in use - \\[[0-9a-f]{64}\\]`));
      assert.match(world.output(['volume', 'prune', '-f', '-a', '--filter', 'label=none']), /^Total/);
      seen.kill('SIGTERM');
      seen.kill('SIGKILL');
      await seen.end();
      // Killed: what it has left goes with its place.
      world.output(['system', 'prune', '-f']);
      world.output(['system', 'repair']);
      world.harness.lookAgain();
      assert.deepEqual(names(), before);
    });
  });

  test(`${who}: a failed start takes its anonymous volumes away, and leaves the named ones`, () => {
    const before = names();
    assert.equal(world.call(['run', '--rm', '-v', '/a', '-v', 'stays:/b', 'seed:1', '/no/such']).code, 127);
    assert.equal(world.call(['run', '--rm', '-v', '/a', '-v', '/no/such:/b', 'seed:1', 'true']).code, 125);
    assert.deepEqual(names(), [...before, 'stays'].sort());
  });

  test(`${who}: read-only, a directory of the volume, and another owner`, () => {
    sh(
      ['-v', 'shared:/v'],
      'mkdir -p /v/sub/dir; echo in > /v/sub/dir/file; ln -s / /v/out; ln -s sub /v/inside',
    );
    assert.equal(
      sh(['-v', 'shared:/v:ro'], 'touch /v/x 2>&1; cat /v/sub/dir/file'),
      'touch: /v/x: Read-only file system\nin',
    );
    const part = (path: string) => ['--mount', `type=volume,src=shared,dst=/p,volume-subpath=${path}`];
    assert.equal(sh(part('sub/dir'), 'ls /p'), 'file');
    assert.equal(sh(part('inside'), 'ls /p'), 'dir');
    assert.equal(sh(part('out'), 'ls /p | sort | head -n 2'), 'inside\nout');
    const missing = world.call(['run', '--rm', ...part('not/there'), 'seed:1', 'true']);
    assert.match(missing.stderr, /not\/there[\s\S]*ENOENT|ENOENT[\s\S]*volume-subpath=not\/there/);
    assert.equal(
      sh(['-v', 'shared:/v:U', '-u', '1000:1001'], 'find /v | xargs stat -c %u:%g | sort -u; touch /v/mine'),
      '1000:1001',
    );
    assert.equal(sh(['-v', 'shared:/v:z'], 'stat -c %u /v/mine'), '1000');
  });

  test(`${who}: the owner of a bind, never of the system's directories`, () => {
    const directory = world.harness.makeDirectory('bind');
    writeFileSync(`${directory}/file`, '');
    world.harness.own(directory);
    world.harness.own(`${directory}/file`);
    assert.equal(sh(['-v', `${directory}:/b:U`, '-u', '5:6'], 'stat -c %u:%g /b /b/file'), '5:6\n5:6');
    sh(['-v', `${directory}:/b:U`], 'true');
    assert.match(
      world.call(['run', '--rm', '-v', '/usr:/b:U', 'seed:1', 'true']).stderr,
      /changing the owner of \/usr is not allowed/,
    );
    const made = `${directory}/made/here`;
    assert.equal(sh(['--mount', `type=bind,src=${made},dst=/b,bind-create-src`], 'touch /b/x; ls /b'), 'x');
    assert.ok(existsSync(`${made}/x`));
  });

  test(`${who}: volumes of type tmpfs, and of a directory of the host`, () => {
    const opt = (...words: string[]) => words.flatMap((word) => ['-o', word]);
    world.output(['volume', 'create', ...opt('type=tmpfs', 'device=tmpfs', 'o=size=3m,mode=1755'), 'memory']);
    assert.equal(
      sh(['-v', 'memory:/m'], 'df -k /m | tail -n 1 | tr -s " " | cut -d " " -f 1,2; stat -c %a /m'),
      'tmpfs 3072\n1755',
    );
    const directory = world.harness.makeDirectory('device');
    world.harness.own(directory);
    world.output(['volume', 'create', ...opt('type=none', 'o=bind', `device=${directory}`), 'device']);
    assert.equal(sh(['-v', 'device:/data'], 'ls /data'), 'dir\nfile\nhard\nlink\nupper');
    assert.ok(existsSync(`${directory}/upper`));
    assert.equal(sh(['-v', 'device:/data'], 'rm -rf /data/*; ls /data'), '');
    world.output(['volume', 'create', ...opt('type=none', 'o=bind,ro', `device=${directory}`), 'device-ro']);
    assert.match(sh(['-v', 'device-ro:/d'], 'touch /d/x 2>&1 || true'), /Read-only/);
    world.output(['volume', 'create', ...opt('type=none', 'o=bind', 'device=/no/such'), 'nowhere']);
    const failed = world.call(['run', '--rm', '-v', 'nowhere:/n', 'seed:1', 'true']);
    assert.equal(failed.code, 125);
    assert.match(
      failed.stderr,
      /failed to mount local volume: mount \/no\/such: no such directory[\s\S]*caused by --volume nowhere:\/n/,
    );
    sh(['-v', 'device:/data'], 'chown 0:0 /data');
  });

  test(`${who}: a plan makes nothing`, () => {
    const before = names();
    assert.match(
      world.output(['plan', '-v', 'planned:/x', '-v', '/y', 'seed:1', 'true']),
      /bind .*\/volumes\/planned\/_data at \/x/,
    );
    assert.deepEqual(names(), before);
  });
}
