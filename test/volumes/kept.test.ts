// Volumes of containers that stay: made by `create`, kept by what is stopped, shared by --volumes-from, gone with `rm -v`.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { CALLERS } from '../images/callers.ts';
import { busyboxLayer, layer, oldArchive } from '../images/image.ts';
import { World } from '../images/world.ts';

const SEED = layer([{ name: 'data/', type: '5', uid: 1000, mode: 0o700 }], ['data/seed', 'seed\n']);

for (const { who, caller, skip } of CALLERS) {
  if (skip !== false) {
    test(`volumes of containers of ${who} that stay`, { skip }, () => undefined);
    continue;
  }
  const world = new World(caller);
  after(() => {
    world.close();
  });
  const layers = [busyboxLayer(world.directory), SEED];
  const archive = oldArchive({ name: 'seed:1', layers, config: { Volumes: { '/data': {} } } });
  world.output(['load', '-q', '-i', world.file('images.tar', archive)]);
  const names = () =>
    world
      .output(['volume', 'ls', '-q'])
      .split('\n')
      .filter((name) => name !== '');
  const anonymous = () => names().filter((name) => /^[0-9a-f]{64}$/.test(name));

  test(`${who}: create makes the volumes, each start has the same, rm -v takes the anonymous ones`, () => {
    const script =
      'ls /data; echo $((1 + $(cat /data/count 2>/dev/null || echo 0))) > /data/count; cat /data/count; ls /n';
    world.output(['create', '--name', 'counter', '-v', 'named:/n', 'seed:1', 'sh', '-c', script]);
    assert.equal(anonymous().length, 1);
    assert.ok(names().includes('named'));
    assert.equal(world.output(['start', '-a', 'counter']), 'seed\n1');
    assert.equal(world.output(['start', '-a', 'counter']), 'count\nseed\n2');
    assert.equal(anonymous().length, 1);
    for (const name of ['named', ...anonymous()])
      assert.match(world.call(['volume', 'rm', name]).stderr, /volume is in use - \[[0-9a-f]{64}\]/);
    world.output(['volume', 'prune', '-af']);
    assert.equal(names().length, 2);
    assert.match(world.output(['system', 'df', '-v']), /named +1 +0B/);
    world.output(['rm', 'counter']);
    assert.equal(anonymous().length, 1);
    world.output(['volume', 'prune', '-f']);
    assert.deepEqual(names(), ['named']);
    world.output(['run', '--rm=false', '--name', 'ended', '-v', '/extra', 'seed:1', 'true']);
    assert.equal(anonymous().length, 2);
    world.output(['rm', '-v', 'ended']);
    world.output(['run', '-d', '--rm', '--name', 'brief', 'seed:1', 'true']);
    for (let tries = 0; tries < 200 && anonymous().length > 0; tries++) world.output(['volume', 'ls', '-q']);
    assert.deepEqual(names(), ['named']);
    world.harness.lookAgain();
  });

  test(`${who}: --volumes-from, of a container that has ended, by one that stays and one that does not`, () => {
    const directory = world.harness.makeDirectory('bind');
    mkdirSync(`${directory}/inner`);
    world.harness.own(directory);
    const part = 'type=volume,src=shared,dst=/part,volume-subpath=sub';
    world.output(['run', '--rm', '-v', 'shared:/s', 'seed:1', 'mkdir', '-p', '/s/sub/deep']);
    const flags = ['-v', 'shared:/s:ro', '-v', `${directory}:/b`, '--mount', part, '--tmpfs', '/memory'];
    world.output([
      'run',
      '--rm=false',
      '--name',
      'source',
      ...flags,
      'seed:1',
      'sh',
      '-c',
      'echo more > /data/more',
    ]);
    const look = 'ls /data /part /b; touch /s/x 2>&1; touch /b/x 2>&1; ls -d /memory 2>&1 || true';
    const seen = '/b:\ninner\n\n/data:\nmore\nseed\n\n/part:\ndeep\ntouch: /s/x: Read-only file system';
    const ends = (text: string, readOnly = '') =>
      assert.equal(text, `${seen}${readOnly}\nls: /memory: No such file or directory`);
    ends(
      world.output(['run', '--rm', '--volumes-from', 'source', 'seed:1', 'sh', '-c', `${look}; rm -f /b/x`]),
    );
    ends(
      world
        .output(['run', '--rm', '--volumes-from', 'source:ro', 'host', 'sh', '-c', look])
        .replace(/^ls.*cannot.*$/m, 'ls: /memory: No such file or directory')
        .replace(/touch: cannot touch '(.*)'/g, 'touch: $1'),
      '\ntouch: /b/x: Read-only file system',
    );
    world.output(['create', '--name', 'other', '--volumes-from', 'source', 'seed:1', 'cat', '/data/more']);
    const [shared = ''] = anonymous();
    world.output(['rm', '-v', 'source']);
    assert.deepEqual(anonymous(), [shared]);
    assert.equal(world.output(['start', '-a', 'other']), 'more');
    assert.equal(anonymous().length, 1);
    assert.match(world.call(['volume', 'rm', shared]).stderr, /in use/);
    world.output(['rm', '-v', 'other']);
    const absent = world.call(['run', '--rm', '--volumes-from', 'source', 'seed:1', 'true']);
    assert.equal(absent.code === 0, false);
    assert.match(absent.stderr, /No such container: source/);
    world.harness.lookAgain();
  });

  test(`${who}: runs of the machine itself and of a directory use volumes, too`, async () => {
    for (const root of [['host'], ['--rootfs', world.harness.makeRootfs()]]) {
      const started = world.start([
        'run',
        '--rm',
        '-v',
        'used:/u',
        '-v',
        '/a',
        ...root,
        '/bin/sh',
        '-c',
        'echo ready; sleep 100',
      ]);
      await started.untilPrinted('ready');
      const before = anonymous();
      assert.match(world.call(['volume', 'rm', 'used']).stderr, /volume is in use - \[[0-9a-f]{64}\]/);
      started.kill('SIGKILL');
      await started.end();
      world.output(['volume', 'prune', '-f']);
      assert.equal(anonymous().length, before.length - 1);
      assert.equal(world.output(['volume', 'rm', 'used']), 'used');
      world.output(['system', 'repair']);
      world.harness.lookAgain();
    }
  });
}
