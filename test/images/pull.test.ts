// Pull, run and push with a real registry, as root and as an ordinary user; test/image-peers has peers at the other end.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DockerRegistry, missing } from '../registry/docker-registry.ts';
import { CALLERS } from './callers.ts';
import { busyboxLayer, layer, oldArchive } from './image.ts';
import { World } from './world.ts';

for (const { who, caller, skip } of CALLERS) {
  const reason = skip || missing;
  if (reason !== false) {
    test(`pull and push of ${who}`, { skip: reason }, () => undefined);
    continue;
  }
  const world = new World(caller);
  let registry: DockerRegistry;
  before(async () => {
    registry = await DockerRegistry.start();
  });
  after(async () => {
    await registry.stop();
    world.close();
  });
  const layers = [busyboxLayer(world.directory), layer([{ name: 'etc/motd', uid: 7, gid: 8 }, 'pulled\n'])];
  const file = world.file(
    'box.tar',
    oldArchive({ name: 'box:1', layers, config: { Cmd: ['cat', '/etc/motd'] } }),
  );

  test(`${who}: what was pushed is pulled again, the same`, () => {
    const name = `${registry.host}/team/box:1`;
    world.output(['load', '-q', '-i', file]);
    world.output(['tag', 'box:1', name]);
    const pushed = world.output(['push', name]);
    const digest = /1: digest: (sha256:[0-9a-f]{64}) size: [0-9]+$/.exec(pushed)?.[1];
    const id = world.output(['images', '-q', '--no-trunc', name]);
    world.output(['image', 'prune', '-af']);
    assert.deepEqual(world.counts(), [0, 0]);
    const pulled = world.output(['pull', name]);
    assert.match(pulled, new RegExp(`^Digest: ${digest}$`, 'm'));
    assert.equal(world.output(['images', '-q', '--no-trunc', name]), id);
    assert.equal(world.output(['run', name]), 'pulled');
    assert.equal(world.output(['run', name, 'stat', '-c', '%u:%g', '/etc/motd']), '7:8');
  });

  test(`${who}: run pulls what is missing, to standard error`, () => {
    const name = `${registry.host}/team/box:1`;
    world.output(['image', 'prune', '-af']);
    const ran = world.call(['run', name]);
    assert.equal(ran.stdout, 'pulled\n');
    assert.match(ran.stderr, /^Unable to find image .* locally\n1: Pulling from team\/box\n/);
    assert.equal(world.call(['run', name]).stderr, '');
    assert.match(world.call(['run', '--pull', 'always', name]).stderr, /Image is up to date/);
  });

  test(`${who}: several that pull the same at once get the same`, async () => {
    const name = `${registry.host}/team/box:1`;
    world.output(['image', 'prune', '-af']);
    const all = Array.from({ length: 4 }, () => world.start(['run', '-q', name]));
    for (const one of all) {
      const { code, stdout, stderr } = await one.end();
      assert.deepEqual([code, stdout], [0, 'pulled\n'], stderr);
    }
    assert.match(world.output(['image', 'verify']), /all of them good$/);
  });
}
