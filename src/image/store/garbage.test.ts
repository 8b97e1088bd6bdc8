// Garbage collection, pruning, usage and verification: what stays, what goes, what is set aside, and what is counted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toArray } from '../../linux/bytes.ts';
import { splitDigest } from '../../spec/digest.ts';
import { OCI_INDEX } from '../../spec/media-types.ts';
import { canonical, parseReference } from '../../spec/reference.ts';
import { chainIds } from './chain.ts';
import {
  assertSound,
  contentOf,
  fetchBlob,
  fillOn,
  openOn,
  pull,
  ROOT,
  type TestImage,
  testImage,
} from './image.testing.ts';
import { MemoryDisk } from './memory-disk.testing.ts';
import { LockTable } from './memory-kernel.testing.ts';
import { pruneImages } from './prune.ts';
import type { Store } from './store.ts';

const ONE = testImage('one', ['shared', 'one']);
const TWO = testImage('two', ['shared', 'two']);

async function setUp(...images: TestImage[]) {
  const disk = new MemoryDisk();
  const table = new LockTable();
  const store = await openOn(disk, table);
  for (const image of images) await pull(store, image, fillOn(disk, image));
  return { disk, table, store };
}

const blobCount = (disk: MemoryDisk) => disk.list(`${ROOT}/blobs/sha256`)?.length;

test('what names lead to stays; the rest goes', async () => {
  const { disk, store } = await setUp(ONE, TWO);
  assert.deepEqual((await store.garbage()).blobs, []);
  await store.names.remove(ONE.reference);
  const trial = await store.garbage({ dryRun: true });
  assert.equal(blobCount(disk), 7);
  const report = await store.garbage();
  assert.deepEqual(report, trial);
  const upper = ONE.layers[1];
  assert.deepEqual([...report.blobs].sort(), [ONE.manifest.digest, ONE.config.digest, upper?.digest].sort());
  assert.deepEqual(report.layers, [chainIds(ONE.diffIds)[1]]);
  assert.equal(blobCount(disk), 4);
  await assertSound(store, disk, 'after');
  await store.names.remove(TWO.reference);
  await store.garbage();
  assert.deepEqual([blobCount(disk), store.layers.list()], [0, []]);
});

test('an image without a name stays until it is pruned', async () => {
  const { disk, store } = await setUp(ONE, TWO);
  await store.names.set(ONE.reference, TWO.manifest);
  assert.deepEqual((await store.garbage()).blobs, []);
  const { removed, garbage } = await pruneImages(store);
  assert.deepEqual(
    removed.map(({ name, descriptor }) => [name, descriptor.digest]),
    [[undefined, ONE.manifest.digest]],
  );
  assert.equal(garbage.blobs.length, 3);
  await assertSound(store, disk, 'after');
  assert.equal(store.names.list().length, 2);
});

test('what a pin keeps stays, with all that belongs to it', async () => {
  const { disk, store } = await setUp(ONE, TWO);
  await store.pins.set('containers', 'c1', { images: [ONE.manifest] });
  await store.names.remove(ONE.reference);
  assert.deepEqual((await store.garbage()).blobs, []);
  assert.deepEqual(
    store.pins.list().map(({ owner, id }) => `${owner}/${id}`),
    ['containers/c1'],
  );
  assert.equal(store.pins.remove('containers', 'c1'), true);
  assert.equal(store.pins.remove('containers', 'c1'), false);
  // A layer brings those below it; a blob brings nothing.
  const [, top] = chainIds(ONE.diffIds);
  assert.ok(top !== undefined);
  await store.pins.set('build', 'k', { layers: [top], blobs: [ONE.config.digest] });
  const { blobs, layers } = await store.garbage();
  assert.deepEqual([blobs.length, layers], [2, []]);
  assert.equal(store.blobs.has(ONE.config.digest), true);
  assert.ok(store.layers.get(top));
  // What only the caller knows to be in use.
  store.pins.remove('build', 'k');
  assert.deepEqual((await store.garbage({ keep: () => [{ layers: [top] }] })).layers, []);
  assert.deepEqual((await store.garbage()).layers, [top]);
  await assertSound(store, disk, 'after');
});

test('a pin of a layer keeps those below it', async () => {
  const { store } = await setUp(ONE);
  const [lower, top] = chainIds(ONE.diffIds);
  assert.ok(lower !== undefined && top !== undefined);
  await store.pins.set('build', 'k', { layers: [top] });
  await store.names.remove(ONE.reference);
  assert.deepEqual((await store.garbage()).layers, []);
  assert.ok(store.layers.get(lower));
});

test('a damaged pin stops the collector until it is set aside', async () => {
  const { disk, store } = await setUp(ONE);
  for (const text of ['{', '[]', '{"images":[{}]}', '{"layers":["x"]}', '{"blobs":3}']) {
    disk.makeDirectory(`${ROOT}/pins/containers`);
    disk.create(`${ROOT}/pins/containers/c`).write(toArray(text), 0);
    await store.names.remove(ONE.reference);
    await assert.rejects(store.garbage(), { code: 'ESTORE' });
    await assert.rejects(pruneImages(store, { all: true }), { code: 'ESTORE' });
    assert.equal(store.blobs.has(ONE.manifest.digest), true);
    const { findings } = await store.verify();
    assert.deepEqual(
      findings.map(({ kind, object }) => [kind, object]),
      [['pin', 'containers/c']],
    );
  }
  assert.equal((await store.garbage()).blobs.length, 4);
});

test('others who use the store keep the collector out, and they are not disturbed', async () => {
  const { disk, table, store } = await setUp(ONE);
  const other = await openOn(disk, table);
  await store.names.remove(ONE.reference);
  assert.equal((await store.garbage()).busy, true);
  assert.equal(store.blobs.has(ONE.manifest.digest), true);
  // And it is open for others as before.
  assert.equal((await other.garbage()).busy, true);
  setTimeout(() => void other.close(), 20);
  assert.equal((await store.garbage({ patience: 5000 })).busy, false);
  assert.equal(store.blobs.has(ONE.manifest.digest), false);
  // The store itself is usable, and shared again.
  const third = await openOn(disk, table);
  assert.equal((await third.garbage()).busy, true);
});

test('a store does not collect while it takes something in, and takes nothing in while it collects', async () => {
  const { disk, store } = await setUp();
  const taken = await store.blobs.ingest(ONE.config);
  await assert.rejects(store.garbage(), { code: 'EBUSY' });
  await taken.abort(true);
  const order: string[] = [];
  const collecting = store.garbage({
    partialAge: 0,
    keep: async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      order.push('collected');
      return [];
    },
  });
  const begun = store.blobs.ingest(ONE.config).then(async (one) => {
    order.push('begun');
    await one.abort(true);
  });
  const pulling = pull(store, ONE, fillOn(disk, ONE));
  await assert.rejects(store.garbage(), { code: 'EBUSY' });
  await Promise.all([collecting, pulling, begun]);
  assert.deepEqual(order, ['collected', 'begun']);
  await assertSound(store, disk, 'after');
});

test('parts of pulls stay for a day, what was half unpacked or half removed goes', async () => {
  const { disk, store } = await setUp(ONE);
  const taken = await store.blobs.ingest(TWO.manifest);
  await taken.write(contentOf(TWO, TWO.manifest).subarray(0, 10));
  await taken.abort(true);
  for (const name of ['.new-abc-1-0', '.gone-abc']) {
    disk.makeDirectory(`${ROOT}/layers/${name}`);
    disk.makeDirectory(`${ROOT}/layers/${name}/tree`);
    disk.create(`${ROOT}/layers/${name}/tree/x`);
  }
  disk.create(`${ROOT}/index.json.tmp`);
  disk.create(`${ROOT}/locks/blob-sha256-abc`);
  // Held by containers that start, which have not opened the store.
  disk.create(`${ROOT}/locks/ids`);
  assert.equal((await store.garbage()).unfinished, 2);
  assert.equal(disk.list(`${ROOT}/layers`)?.length, 2);
  assert.equal(disk.stat(`${ROOT}/index.json.tmp`), undefined);
  assert.equal(disk.stat(`${ROOT}/locks/blob-sha256-abc`), undefined);
  assert.notEqual(disk.stat(`${ROOT}/locks/ids`), undefined);
  assert.equal((await store.usage()).unfinished.count, 1);
  assert.equal((await store.garbage({ partialAge: 0 })).unfinished, 1);
});

test('prune --all takes what no pin keeps, and only what is selected', async () => {
  const { disk, store } = await setUp(ONE, TWO);
  await store.pins.set('containers', 'c', { images: [TWO.manifest] });
  const none = await pruneImages(store, { all: true, select: () => false });
  assert.deepEqual(none.removed, []);
  const trial = await pruneImages(store, { all: true, dryRun: true });
  assert.equal(trial.removed.length, 1);
  assert.equal(store.names.list().length, 2);
  const { removed } = await pruneImages(store, { all: true });
  assert.deepEqual(
    removed.map(({ name }) => name),
    [canonical(ONE.reference)],
  );
  assert.equal(store.blobs.has(ONE.manifest.digest), false);
  await assertSound(store, disk, 'after');
});

test('usage tells what is shared, what is not, and what is garbage', async () => {
  const { store } = await setUp(ONE, TWO);
  await store.names.set(parseReference('alias'), ONE.manifest);
  await store.pins.set('containers', 'c', { images: [TWO.manifest] });
  const { images, blobs, layers, garbage, disk } = await store.usage();
  const [one, two] = images;
  assert.ok(one !== undefined && two !== undefined);
  assert.deepEqual(one.names, ['docker.io/library/one:latest', 'docker.io/library/alias:latest']);
  assert.deepEqual([one.pinned, two.pinned], [false, true]);
  const size = ONE.manifest.size + ONE.config.size + 'shared'.length + 'one'.length;
  assert.equal(one.blobs, size);
  assert.equal(one.layers, 2 * 71);
  assert.equal(one.shared, 'shared'.length + 71);
  assert.equal(one.unique, size - 'shared'.length + 71);
  assert.deepEqual([blobs.count, layers, garbage], [7, { count: 3, bytes: 3 * 71 }, 0]);
  assert.ok(disk.available > 0);
  await store.names.change({ remove: [ONE.reference, parseReference('alias')] });
  assert.equal((await store.usage()).garbage, one.unique);
  assert.equal((await store.garbage()).bytes, one.unique);
});

async function withIndex(store: Store, ...images: TestImage[]) {
  const manifests = images.map(({ manifest }) => manifest);
  const text = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  return await store.blobs.put(OCI_INDEX, toArray(text));
}

test('verify finds nothing where nothing is, also in an index of which one image is there', async () => {
  const { store } = await setUp(ONE);
  await store.names.set(parseReference('multi'), await withIndex(store, ONE, TWO));
  await store.names.remove(ONE.reference);
  await store.garbage();
  const report = await store.verify();
  assert.deepEqual([report.findings, report.blobs, report.layers, report.images], [[], 5, 2, 1]);
});

test('verify sets damaged blobs and strangers aside and tells which image has lost something', async () => {
  const { disk, store } = await setUp(ONE, TWO);
  const shared = ONE.layers[0];
  assert.ok(shared !== undefined);
  disk.damage(`${ROOT}/blobs/sha256/${splitDigest(shared.digest).hex}`);
  disk.create(`${ROOT}/blobs/sha256/README`);
  disk.makeDirectory(`${ROOT}/layers/strange`);
  const trial = await store.verify({ dryRun: true });
  assert.ok(trial.findings.every(({ quarantined }) => quarantined === undefined));
  assert.equal(store.blobs.has(shared.digest), true);
  const progress: number[] = [];
  const { findings } = await store.verify({ progress: (done) => progress.push(done) });
  assert.equal(progress.length, 7);
  assert.deepEqual(
    findings.map(({ kind, object, quarantined }) => [kind, object, quarantined !== undefined]),
    [
      ['stranger', `${ROOT}/blobs/sha256/README`, true],
      ['blob', shared.digest, true],
      ['stranger', `${ROOT}/layers/strange`, true],
      ['image', canonical(ONE.reference), false],
      ['image', canonical(TWO.reference), false],
    ],
  );
  assert.equal((await store.usage()).quarantine.count, 3);
  // A pull makes it whole.
  await fetchBlob(store, ONE, shared);
  assert.deepEqual((await store.verify()).findings, []);
  await store.garbage();
  assert.equal((await store.usage()).quarantine.count, 3);
  await store.garbage({ quarantine: true });
  assert.equal((await store.usage()).quarantine.count, 0);
});

test('verify finds the images of an index.json that is lost', async () => {
  const { disk, store } = await setUp(ONE, TWO);
  const index = await withIndex(store, ONE);
  await store.names.set(parseReference('multi'), index);
  disk.damage(`${ROOT}/index.json`);
  assert.throws(() => store.names.list(), { code: 'ESTORE' });
  const { findings } = await store.verify();
  assert.deepEqual(
    findings.map(({ kind }) => kind),
    ['index'],
  );
  const found = store.names.list();
  assert.ok(found.every(({ name }) => name === undefined));
  assert.deepEqual(
    found.map(({ descriptor: { digest } }) => digest).sort(),
    [index.digest, TWO.manifest.digest].sort(),
  );
  assert.deepEqual((await store.garbage()).blobs, []);
  await assertSound(store, disk, 'after');
});

test('verify tells of a layer that is missing below one that is there', async () => {
  const { disk, store } = await setUp(ONE);
  const [lower] = chainIds(ONE.diffIds);
  assert.ok(lower !== undefined);
  disk.remove(`${ROOT}/layers/${splitDigest(lower).hex}/facts.json`);
  const { findings } = await store.verify();
  assert.deepEqual(
    findings.map(({ kind }) => kind),
    ['layer', 'image'],
  );
  assert.match(findings[1]?.problem ?? '', /unpacks it again/);
});

test('a document that is first announced as something else is followed all the same', async () => {
  const { disk, store } = await setUp(ONE);
  const manifests = [{ ...ONE.manifest, mediaType: 'text/plain' }, ONE.manifest];
  const text = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  await store.names.set(parseReference('tricky'), await store.blobs.put(OCI_INDEX, toArray(text)));
  await store.names.remove(ONE.reference);
  assert.deepEqual((await store.garbage()).blobs, []);
  await assertSound(store, disk, 'after');
  assert.equal(store.layers.list().length, 2);
});

test('directories that somebody has removed are made again', async () => {
  const { disk, table, store } = await setUp();
  await store.close();
  for (const name of ['ingest', 'layers', 'pins', 'quarantine', 'blobs/sha512'])
    disk.removeDirectory(`${ROOT}/${name}`);
  const again = await openOn(disk, table);
  await pull(again, ONE, fillOn(disk, ONE));
  await again.pins.set('containers', 'c', { images: [ONE.manifest] });
  assert.deepEqual((await again.verify()).findings, []);
});
