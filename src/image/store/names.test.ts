// Names of images: set, moved, removed, several at once, and what a damaged index.json does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromArray, toArray } from '../../linux/bytes.ts';
import { ERRNO } from '../../linux/errno.ts';
import { CaissonError } from '../../spec/error.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../spec/media-types.ts';
import { parseReference } from '../../spec/reference.ts';
import { fetchBlob, fillOn, openOn, pull, ROOT, testImage } from './image.testing.ts';
import { MemoryDisk } from './memory-disk.testing.ts';
import type { Store } from './store.ts';

const ONE = testImage('one', ['first']);
const TWO = testImage('two', ['second']);

async function storeOf(disk: MemoryDisk, ...images: (typeof ONE)[]): Promise<Store> {
  const store = await openOn(disk);
  for (const image of images) await pull(store, image, fillOn(disk, image));
  return store;
}

const names = (store: Store) => store.names.list().map(({ name }) => name ?? '<none>');

function indexText(disk: MemoryDisk): string {
  return fromArray(disk.readFile(`${ROOT}/index.json`, 1 << 20) ?? new Uint8Array());
}

function writeIndexText(disk: MemoryDisk, text: string): void {
  disk.remove(`${ROOT}/index.json`);
  disk.create(`${ROOT}/index.json`).write(toArray(text), 0);
}

test('an image has the names that it was given, in the words of an image layout', async () => {
  const disk = new MemoryDisk();
  const store = await storeOf(disk, ONE);
  await store.names.set(parseReference('localhost:5000/a/b:tag'), ONE.manifest);
  assert.deepEqual(names(store), ['docker.io/library/one:latest', 'localhost:5000/a/b:tag']);
  assert.deepEqual(store.names.get(ONE.reference), ONE.manifest);
  assert.equal(store.names.get(parseReference('one:other')), undefined);
  const index = JSON.parse(indexText(disk)) as {
    mediaType: string;
    manifests: { annotations: Record<string, string> }[];
  };
  assert.equal(index.mediaType, OCI_INDEX);
  assert.equal(
    index.manifests[1]?.annotations['org.opencontainers.image.ref.name'],
    'localhost:5000/a/b:tag',
  );
});

test('a name that moves leaves the image that had it, without a name', async () => {
  const disk = new MemoryDisk();
  const store = await storeOf(disk, ONE, TWO);
  await store.names.set(ONE.reference, TWO.manifest);
  assert.deepEqual(names(store), ['docker.io/library/two:latest', 'docker.io/library/one:latest', '<none>']);
  // Back again: it has a name, and the other one still has its own.
  await store.names.set(ONE.reference, ONE.manifest);
  assert.deepEqual(names(store), ['docker.io/library/two:latest', 'docker.io/library/one:latest']);
  // To the same image: nothing changes but the time.
  await store.names.set(ONE.reference, ONE.manifest);
  assert.equal(names(store).length, 2);
});

test('with its last name an image leaves the list; without a name it can be forgotten', async () => {
  const disk = new MemoryDisk();
  const store = await storeOf(disk, ONE, TWO);
  await store.names.set(parseReference('alias'), ONE.manifest);
  assert.equal(await store.names.remove(ONE.reference), true);
  assert.equal(await store.names.remove(ONE.reference), false);
  assert.deepEqual(names(store), ['docker.io/library/two:latest', 'docker.io/library/alias:latest']);
  await store.names.set(TWO.reference, ONE.manifest);
  assert.ok(names(store).includes('<none>'));
  await store.names.change({ forget: [TWO.manifest.digest] });
  assert.ok(!names(store).includes('<none>'));
  // What has a name is not forgotten.
  await store.names.change({ forget: [ONE.manifest.digest] });
  assert.equal(names(store).length, 2);
});

test('several changes are one write', async () => {
  const disk = new MemoryDisk();
  const store = await storeOf(disk, ONE);
  let renames = 0;
  disk.changed = (what) => {
    if (what.startsWith('rename')) renames++;
  };
  const set = Array.from({ length: 20 }, (_, index) => [parseReference(`n${index}`), ONE.manifest] as const);
  assert.equal(await store.names.change({ set, remove: [ONE.reference] }), true);
  assert.equal(renames, 1);
  assert.equal(names(store).length, 20);
  assert.equal(await store.names.change({ remove: [ONE.reference] }), false);
  assert.equal(renames, 1);
});

test('half an image gets no name', async () => {
  const disk = new MemoryDisk();
  const store = await openOn(disk);
  await assert.rejects(store.names.set(ONE.reference, ONE.manifest), { code: 'EINCOMPLETE' });
  await fetchBlob(store, ONE, ONE.manifest);
  await assert.rejects(store.names.set(ONE.reference, ONE.manifest), { code: 'EINCOMPLETE' });
  await fetchBlob(store, ONE, ONE.config);
  await assert.rejects(store.names.set(ONE.reference, ONE.manifest), (error) => {
    assert.ok(error instanceof CaissonError);
    assert.match(error.message, new RegExp(`${ONE.layers[0]?.digest}.* is missing`));
    return true;
  });
  for (const layer of ONE.layers) await fetchBlob(store, ONE, layer);
  await store.names.set(ONE.reference, ONE.manifest);
  // Bytes that are there, and are no manifest.
  const text = await store.blobs.put(OCI_MANIFEST, toArray('{}'));
  await assert.rejects(store.names.set(TWO.reference, text), { code: 'EINCOMPLETE' });
});

test('of an index those images must be whole that are there', async () => {
  const disk = new MemoryDisk();
  const store = await storeOf(disk, ONE);
  const manifests = [ONE.manifest, TWO.manifest];
  const text = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  const index = await store.blobs.put(OCI_INDEX, toArray(text));
  await store.names.set(parseReference('both'), index);
  await fetchBlob(store, TWO, TWO.manifest);
  await assert.rejects(store.names.set(parseReference('both'), index), { code: 'EINCOMPLETE' });
});

test('a damaged index.json is no empty one', async () => {
  for (const text of ['', '{', '[]', '{"manifests":{}}', 'null']) {
    const disk = new MemoryDisk();
    const store = await storeOf(disk, ONE);
    writeIndexText(disk, text);
    assert.throws(() => store.names.list(), { code: 'ESTORE' });
    await assert.rejects(store.names.remove(ONE.reference), { code: 'ESTORE' });
    await assert.rejects(store.garbage(), { code: 'ESTORE' });
    disk.remove(`${ROOT}/index.json`);
    await assert.rejects(store.garbage(), { code: 'ESTORE' });
    assert.equal(store.blobs.has(ONE.manifest.digest), true);
    assert.equal(store.layers.list().length, 1);
  }
});

test('a damaged entry does not hide the others, is kept when the file is written, and stops the collector', async () => {
  const disk = new MemoryDisk();
  const store = await storeOf(disk, ONE, TWO);
  const damaged = indexText(disk).replace(ONE.manifest.digest, 'sha256:../../../etc');
  writeIndexText(disk, damaged);
  assert.deepEqual(names(store), ['docker.io/library/two:latest']);
  await assert.rejects(store.garbage(), { code: 'ESTORE' });
  await store.names.set(parseReference('three'), TWO.manifest);
  assert.equal(names(store).length, 2);
  const kept = disk.readFile(`${ROOT}/quarantine/index.json`, 1 << 20);
  assert.equal(fromArray(kept ?? new Uint8Array()), damaged);
});

test('a full disk leaves the names as they were', async () => {
  const disk = new MemoryDisk();
  const store = await storeOf(disk, ONE);
  const before = indexText(disk);
  disk.attempted = (what, path) => {
    if (what === 'sync' && path.endsWith('.tmp'))
      throw new CaissonError('full', { code: 'EDISK', errno: 28 });
  };
  await assert.rejects(store.names.set(parseReference('more'), ONE.manifest), { code: 'EDISK' });
  disk.attempted = () => undefined;
  assert.equal(indexText(disk), before);
  await store.names.set(parseReference('more'), ONE.manifest);
  assert.equal(names(store).length, 2);
});

test('on a disk that is full names can be removed, with the room that is kept for that', async () => {
  const disk = new MemoryDisk();
  const store = await storeOf(disk, ONE, TWO);
  const full = (what: string): void => {
    const room = disk.stat(`${ROOT}/reserve`) === undefined;
    if (what === 'write' && !room) throw new CaissonError('full', { code: 'EDISK', errno: ERRNO.ENOSPC });
  };
  disk.attempted = full;
  await assert.rejects(store.names.set(parseReference('more'), ONE.manifest), { code: 'EDISK' });
  assert.ok(disk.stat(`${ROOT}/reserve`));
  assert.equal(await store.names.remove(ONE.reference), true);
  assert.equal(disk.stat(`${ROOT}/reserve`), undefined);
  assert.deepEqual(names(store), ['docker.io/library/two:latest']);
  disk.attempted = () => undefined;
  await store.garbage();
  assert.ok(disk.stat(`${ROOT}/reserve`));
});

test('of a descriptor the list keeps nothing that is large, and no name that a stranger has put there', async () => {
  const disk = new MemoryDisk();
  const store = await storeOf(disk, ONE);
  const annotations = { 'org.opencontainers.image.ref.name': 'docker.io/library/debian:12', note: 'x' };
  const hostile = {
    ...ONE.manifest,
    annotations,
    data: 'eHh4'.repeat(1000),
    urls: ['http://169.254.169.254/'],
  };
  await store.names.set(ONE.reference, hostile);
  assert.deepEqual(store.names.get(ONE.reference), { ...ONE.manifest, annotations: { note: 'x' } });
  await pull(store, TWO, fillOn(disk, TWO));
  await store.names.set(ONE.reference, TWO.manifest);
  assert.equal(names(store).filter((name) => name.includes('debian')).length, 0);
  const large = { ...ONE.manifest, annotations: { note: 'x'.repeat(20_000) } };
  await store.names.set(ONE.reference, large);
  assert.deepEqual(store.names.get(ONE.reference), ONE.manifest);
});
