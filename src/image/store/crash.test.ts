// Power cuts: after each single change of a pull, a removal and a collection, whatever of it reached the disk, the store
// opens, everything that is visible verifies, and what was promised is there (F16, F17).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Digest, splitDigest } from '../../spec/digest.ts';
import { canonical } from '../../spec/reference.ts';
import { chainIds } from './chain.ts';
import { assertSound, fillOn, openOn, pull, ROOT, testImage } from './image.testing.ts';
import { type CrashChoice, MemoryDisk, NAMES_WITHOUT_CONTENT, ONLY_SYNCED } from './memory-disk.testing.ts';
import { LockTable } from './memory-kernel.testing.ts';

const ONE = testImage('one', ['lower '.repeat(20), 'upper one '.repeat(20), 'top', 'top of top']);
const TWO = testImage('two', ['lower '.repeat(20), 'upper two '.repeat(20)]);

/** A generator of numbers from 0 up to 1 (Numerical Recipes). */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function chance(seed: number): CrashChoice {
  const next = random(seed);
  const contents = ['all', 'synced', 'zeros'] as const;
  return { name: () => next() < 0.5, content: () => contents[Math.floor(next() * 3)] ?? 'all' };
}

const CHOICES: [string, CrashChoice][] = [
  ['only what was synced', ONLY_SYNCED],
  ['names without contents', NAMES_WITHOUT_CONTENT],
  ...[1, 2, 3, 4].map((seed): [string, CrashChoice] => [`chance ${seed}`, chance(seed)]),
];

interface Promised {
  /** Names that were set, and not removed, when the power went. */
  readonly names: Set<string>;
  /** Chain IDs of layers that were unpacked, and not collected. */
  readonly layers: Set<Digest>;
}

/** Plays a scenario and looks at the disk as it would be after a crash at each of its changes. */
async function eachCrash(
  scenario: (disk: MemoryDisk, promised: Promised) => Promise<void>,
  check: (disk: MemoryDisk, promised: Promised, where: string) => Promise<void>,
): Promise<number> {
  const disk = new MemoryDisk();
  const promised: Promised = { names: new Set(), layers: new Set() };
  const crashes: (() => Promise<void>)[] = [];
  disk.changed = (what) => {
    for (const [kind, choice] of CHOICES) {
      const left = disk.afterCrash(choice);
      const then = { names: new Set(promised.names), layers: new Set(promised.layers) };
      const where = `${crashes.length}: ${kind}, after ${what}`;
      crashes.push(() => check(left, then, where));
    }
  };
  await scenario(disk, promised);
  for (const crash of crashes) await crash();
  return crashes.length;
}

async function lifeOfTwoImages(disk: MemoryDisk, promised: Promised): Promise<void> {
  const table = new LockTable();
  const store = await openOn(disk, table);
  for (const image of [ONE, TWO]) {
    await pull(store, image, fillOn(disk, image));
    promised.names.add(canonical(image.reference));
    for (const chain of chainIds(image.diffIds)) promised.layers.add(chain);
  }
  await store.pins.set('containers', 'c1', { images: [TWO.manifest] });
  promised.names.delete(canonical(ONE.reference));
  await store.names.remove(ONE.reference);
  for (const chain of chainIds(ONE.diffIds)) promised.layers.delete(chain);
  for (const chain of chainIds(TWO.diffIds)) promised.layers.add(chain);
  await store.garbage({ partialAge: 0 });
  await store.verify();
  await store.close();
}

test('after a power cut at any moment everything visible is whole', async () => {
  const crashes = await eachCrash(lifeOfTwoImages, async (disk, promised, where) => {
    const store = await openOn(disk);
    await assertSound(store, disk, where);
    const names = store.names.list().map(({ name }) => name);
    for (const name of promised.names) assert.ok(names.includes(name), `${where}: ${name} is lost`);
    for (const chain of promised.layers) assert.ok(store.layers.get(chain), `${where}: ${chain} is lost`);
    const report = await store.verify();
    assert.deepEqual(report.findings, [], where);
    await store.garbage({ partialAge: 0 });
    await assertSound(store, disk, `${where}, collected`);
    // And life goes on.
    await pull(store, ONE, fillOn(disk, ONE));
    await assertSound(store, disk, `${where}, pulled again`);
    await store.close();
  });
  assert.ok(crashes > 300, `${crashes}`);
});

test('a part of a blob whose end the crash has cut is thrown away, and the next attempt succeeds', async () => {
  const disk = new MemoryDisk();
  const layer = ONE.layers[0];
  assert.ok(layer !== undefined);
  const bytes = ONE.content.get(layer.digest);
  assert.ok(bytes !== undefined);
  const store = await openOn(disk);
  const first = await store.blobs.ingest(layer);
  await first.write(bytes.subarray(0, 50));
  const left = disk.afterCrash(NAMES_WITHOUT_CONTENT);
  const later = await openOn(left);
  const second = await later.blobs.ingest(layer);
  assert.equal(second.offset, 50);
  assert.equal(second.resumed, true);
  await second.write(bytes.subarray(50));
  await assert.rejects(second.commit(), { code: 'EDIGEST' });
  assert.equal(later.blobs.has(layer.digest), false);
  const third = await later.blobs.ingest(layer);
  assert.equal(third.offset, 0);
  await third.write(bytes);
  await third.commit();
  await assertSound(later, left, 'third attempt');
});

/** Two stores of one disk, of which the first hangs in the sync of a directory after such a change. */
async function twoStores(hangsAfter: (what: string) => boolean) {
  const disk = new MemoryDisk();
  const table = new LockTable();
  const stores = [await openOn(disk, table), await openOn(disk, table)] as const;
  const sync = disk.syncDirectory.bind(disk);
  let go: (() => void) | undefined;
  let last = '';
  disk.changed = (what) => {
    if (!what.startsWith('sync')) last = what;
  };
  disk.syncDirectory = async (path) => {
    if (go === undefined && hangsAfter(last)) await new Promise<void>((resolve) => (go = resolve));
    await sync(path);
  };
  const hangs = async () => {
    while (go === undefined) await new Promise((resolve) => setImmediate(resolve));
  };
  return { disk, stores, hangs, release: () => go?.() };
}

test('a name is not lost with blobs that another program has brought and whose names it has not synced', async () => {
  const { hex } = splitDigest(ONE.manifest.digest);
  const { disk, stores, hangs, release } = await twoStores((what) => what.endsWith(`/blobs/sha256/${hex}`));
  const [first, second] = stores;
  const hanging = pull(first, ONE, fillOn(disk, ONE));
  await hangs();
  await second.names.set(ONE.reference, ONE.manifest);
  const left = disk.afterCrash(ONLY_SYNCED);
  const later = await openOn(left);
  assert.equal(later.names.list().length, 1);
  await assertSound(later, left, 'second');
  release();
  await hanging;
});

test('a pin is not lost with a layer that another program has unpacked and whose name it has not synced', async () => {
  const image = testImage('single', ['layer']);
  const [chain] = image.diffIds;
  assert.ok(chain !== undefined);
  const { hex } = splitDigest(chain);
  const { disk, stores, hangs, release } = await twoStores((what) => what.endsWith(`/layers/${hex}`));
  const [first, second] = stores;
  const hanging = pull(first, image, fillOn(disk, image));
  await hangs();
  await second.pins.set('containers', 'x', { layers: [chain] });
  const left = disk.afterCrash(ONLY_SYNCED);
  const later = await openOn(left);
  assert.ok(later.layers.get(chain));
  release();
  await hanging;
});

test('a collection does not take what a name leads to that a power cut would bring back', async () => {
  const disk = new MemoryDisk();
  const first = await openOn(disk);
  await pull(first, ONE, fillOn(disk, ONE));
  // Killed after the rename of index.json and before the sync of its directory; its locks go with it.
  disk.attempted = (what, path) => {
    if (what === 'sync' && path === ROOT) throw new Error('killed');
  };
  await assert.rejects(first.names.remove(ONE.reference), /killed/);
  disk.attempted = () => undefined;
  const second = await openOn(disk);
  assert.deepEqual(second.names.list(), []);
  assert.ok((await second.garbage()).blobs.length > 0);
  for (let seed = 0; seed < 40; seed++) {
    const left = disk.afterCrash(chance(seed));
    await assertSound(await openOn(left), left, `crash ${seed}`);
  }
});
