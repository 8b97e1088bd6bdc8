// Programs that are killed with SIGKILL before each change of the disk: the next one works, nothing visible is broken,
// and what was left is collected (F17; kill -9 of ingest, unpack and gc at every step).
import assert from 'node:assert/strict';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { hostDisk } from '../../src/host/node-disk.ts';
import { assertSound } from '../../src/image/store/image.testing.ts';
import { openStore } from '../../src/image/store/store.ts';
import { type Action, act } from './actions.ts';
import { images, makeTemporary, openReal, port, work } from './world.ts';

const directory = makeTemporary(true);
after(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** What is there is sound, and a pull and a collection by another program leave no trace of the killed one. */
async function checkAndFinish(root: string, where: string): Promise<void> {
  const location = { root, durability: 'off' } as const;
  const store = await openStore(await port(), hostDisk(), location);
  await assertSound(store, hostDisk(), where, root);
  assert.deepEqual((await store.verify()).findings, [], where);
  await act(store, ['pull', 'one']);
  await assertSound(store, hostDisk(), `${where}, pulled again`, root);
  assert.match(await act(store, ['gc', '2000']), /^gc false /, where);
  await store.close();
  const left = {
    ingest: readdirSync(`${root}/ingest`),
    layers: readdirSync(`${root}/layers`).filter((one) => one.startsWith('.')),
    temporary: readdirSync(root).filter((one) => one.endsWith('.tmp')),
    locks: readdirSync(`${root}/locks`).filter((one) => one !== 'store' && one !== 'names'),
  };
  assert.deepEqual(left, { ingest: [], layers: [], temporary: [], locks: [] }, where);
}

/** Kills at each change until the whole of it is played; each time begins with a copy of `template`. */
async function killEverywhere(name: string, actions: readonly Action[], template?: string): Promise<number> {
  for (let killAt = 0; ; killAt++) {
    const root = `${directory}/${name}-${killAt}`;
    if (template !== undefined) cpSync(template, root, { recursive: true });
    const { code, signal, stderr } = await work({ root, actions, killAt });
    assert.ok(code === 0 || signal === 'SIGKILL', stderr);
    await checkAndFinish(root, `${name}, killed at change ${killAt}`);
    rmSync(root, { recursive: true });
    if (code === 0) return killAt;
  }
}

test('a pull into a new store that is killed at any change', async () => {
  assert.ok((await killEverywhere('pull', [['pull', 'one']])) > 60);
});

test('a removal and a collection that are killed at any change', async () => {
  const template = `${directory}/template`;
  const store = await openReal(template);
  await act(store, ['pull', 'one']);
  await act(store, ['pull', 'two']);
  await store.close();
  const actions: Action[] = [
    ['remove', 'one'],
    ['gc', '1000'],
  ];
  assert.ok((await killEverywhere('gc', actions, template)) > 10);
});

test('a killed program has its locks no longer, and what it began is gone on with', async () => {
  const root = `${directory}/resume`;
  const one = images.one;
  const layer = one?.layers[0];
  assert.ok(one !== undefined && layer !== undefined);
  const holder = await openReal(root);
  const begun = await holder.blobs.ingest(layer);
  await begun.write((one.content.get(layer.digest) ?? new Uint8Array()).subarray(0, 100));
  const waiting = work({ root, actions: [['pull', 'one']] });
  await new Promise((resolve) => setTimeout(resolve, 300));
  // As a kill does: the launcher ends, and nobody removes the part.
  await holder.close();
  const { code, stderr } = await waiting;
  assert.equal(code, 0, stderr);
  const store = await openReal(root);
  assert.equal(store.blobs.has(layer.digest), true);
  await store.close();
});
