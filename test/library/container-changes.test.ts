// The files of a container from a program: changes, images, archives, copies; other names and limits.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { CaissonError, Engine } from '../../src/index.ts';
import { Harness, rootOnly as skip } from '../harness/caisson.ts';
import { busyboxLayer, oldArchive } from '../images/image.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

const { directory } = harness;
const open = () => Engine.open({ dataRoot: `${directory}/data`, stateRoot: harness.state });
const code = (expected: string) => (error: unknown) =>
  error instanceof CaissonError && error.code === expected;

async function bytes(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}

async function imageOf(engine: Engine): Promise<string> {
  const archive = `${directory}/box.tar`;
  writeFileSync(archive, oldArchive({ name: 'box:1', layers: [busyboxLayer(directory)], config: {} }));
  await engine.images.load(archive);
  return 'box:1';
}

test('diff, commit, export, copies and archives, running and ended', { skip }, async () => {
  const engine = await open();
  const image = await imageOf(engine);
  const flags = { cgroupParent: `/${harness.cgroup}`, network: 'none' };
  const command = ['sh', '-c', 'echo made > /made; exec sleep 1000'];
  const container = await engine.containers.run({ image, command, flags });
  try {
    for (
      let tries = 0;
      tries < 200 && !(await container.diff()).some(({ path }) => path === '/made');
      tries++
    )
      await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok((await container.diff()).some(({ kind, path }) => kind === 'added' && path === '/made'));

    writeFileSync(`${directory}/given`, 'given\n');
    await container.copyIn(`${directory}/given`, '/tmp/in');
    await container.copyOut('/tmp/in', `${directory}/back`);
    assert.equal(readFileSync(`${directory}/back`, 'utf8'), 'given\n');
    await assert.rejects(container.copyOut('/nothing', directory), code('ENOTFOUND'));

    const archive = await bytes(container.archive('/made'));
    assert.ok(archive.includes('made\n'));
    await container.unpack('/tmp', once(archive));
    assert.equal((await container.exec(['cat', '/tmp/made'])).stdout, 'made\n');
    await assert.rejects(bytes(container.archive('/nothing')), code('ENOTFOUND'));

    const id = await container.commit({ name: 'committed:1', changes: ['ENV ADDED=yes'] });
    assert.match(id, /^sha256:/);
    const again = await engine.containers.run({
      image: 'committed:1',
      command: ['sh', '-c', 'cat /made; echo $ADDED'],
      flags,
    });
    await again.wait();
    const said = [];
    for await (const { text } of again.logs()) said.push(text);
    assert.deepEqual(said, ['made\n', 'yes\n']);
    await again.remove();

    await container.stop({ timeout: 0 });
    // Left in the midst: the lock of the container is free again.
    for await (const piece of container.export()) {
      assert.ok(piece.length > 0);
      break;
    }
    await container.start();
    assert.ok((await bytes(container.export())).includes('made\n'));
  } finally {
    await container.remove({ force: true });
  }
});

test('rename and update', { skip }, async () => {
  const engine = await open();
  const flags = { rootfs: harness.rootfs, cgroupParent: `/${harness.cgroup}`, pidsLimit: '50' };
  const container = await engine.containers.run({ command: ['sleep', '1000'], name: 'before', flags });
  const other = await engine.containers.create({ command: ['true'], name: 'taken', flags });
  try {
    await container.rename('after');
    assert.equal(await container.name(), 'after');
    await assert.rejects(container.rename('taken'), code('ECONFLICT'));
    assert.deepEqual(await container.update({ pidsLimit: '60', restart: 'on-failure:2' }), []);
    const found = (await container.inspect()) as { HostConfig: { PidsLimit: number } };
    assert.equal(found.HostConfig.PidsLimit, 60);
    await assert.rejects(container.update({ memory: 'much' }), code('EUSAGE'));
  } finally {
    await container.remove({ force: true });
    await other.remove();
  }
});
