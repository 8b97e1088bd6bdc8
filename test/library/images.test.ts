// The library runs images of a store, on each engine.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { CaissonError, run } from '../../src/index.ts';
import { rootOnly as skip } from '../harness/caisson.ts';
import { busyboxLayer, layer, oldArchive } from '../images/image.ts';
import { World } from '../images/world.ts';

if (skip !== false) test('the library and images', { skip }, () => undefined);
else declare(new World());

function declare(world: World): void {
  after(() => {
    world.close();
  });
  const layers = [busyboxLayer(world.directory), layer(['etc/motd', 'of a layer\n'])];
  const file = world.file(
    'box.tar',
    oldArchive({ name: 'box:1', layers, config: { Env: ['PATH=/bin', 'A=1'] } }),
  );
  world.output(['load', '-q', '-i', file]);
  const options = { dataRoot: world.dataRoot, stateRoot: world.harness.state };

  test('run of an image', async () => {
    const command = ['sh', '-c', 'cat /etc/motd; echo $A'];
    const { exitCode, stdout } = await run({ image: 'box:1', command, ...options });
    assert.deepEqual([exitCode, stdout], [0, 'of a layer\n1\n']);
    world.assertNoPlaces();
  });

  test('an image that is not there, or beside a root', async () => {
    const absent = run({ image: 'absent:1', flags: { pull: 'never' }, ...options });
    await assert.rejects(absent, (error) => error instanceof CaissonError && error.code === 'ENOTFOUND');
    const both = run({ image: 'box:1', flags: { rootfs: '/' }, ...options });
    await assert.rejects(both, /leave one of them out/);
    world.assertNoPlaces();
  });
}
