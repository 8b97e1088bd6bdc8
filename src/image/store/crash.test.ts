// Power cuts: after each single change of a pull, a removal and a collection, whatever of it reached the disk, the store
// opens, everything that is visible verifies, and what was promised is there (F16, F17).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonical } from '../../spec/reference.ts';
import { assertSound, fillOn, openOn, pull, testImage } from './image.testing.ts';
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
  /** Names about whose removal nobody was told yet. */
  readonly removing: Set<string>;
}

/** Plays a scenario and looks at the disk as it would be after a crash at each of its changes. */
async function eachCrash(
  scenario: (disk: MemoryDisk, promised: Promised) => Promise<void>,
  check: (disk: MemoryDisk, promised: Promised, where: string) => Promise<void>,
): Promise<number> {
  const disk = new MemoryDisk();
  disk.makeDirectory('/store');
  disk.syncAll();
  const promised: Promised = { names: new Set(), removing: new Set() };
  const crashes: (() => Promise<void>)[] = [];
  disk.changed = (what) => {
    for (const [kind, choice] of CHOICES) {
      const left = disk.afterCrash(choice);
      const then = { names: new Set(promised.names), removing: new Set(promised.removing) };
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
  }
  await store.pins.set('containers', 'c1', { images: [TWO.manifest] });
  const name = canonical(ONE.reference);
  promised.names.delete(name);
  promised.removing.add(name);
  await store.names.remove(ONE.reference);
  promised.removing.delete(name);
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
  disk.makeDirectory('/store');
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

test('a name that another program has set is not lost with the blobs that it found', async () => {
  // The first has renamed a blob and not synced its name; the second finds it there and names the image.
  const disk = new MemoryDisk();
  disk.makeDirectory('/store');
  const table = new LockTable();
  const first = await openOn(disk, table);
  const second = await openOn(disk, table);
  const syncs: (() => void)[] = [];
  const sync = disk.syncDirectory.bind(disk);
  let slow = true;
  disk.syncDirectory = async (path) => {
    if (slow && path.includes('/blobs/')) await new Promise<void>((resolve) => syncs.push(resolve));
    await sync(path);
  };
  const hanging = pull(first, ONE, fillOn(disk, ONE));
  while (syncs.length === 0) await new Promise((resolve) => setImmediate(resolve));
  slow = false;
  await pull(second, ONE, fillOn(disk, ONE));
  const left = disk.afterCrash(ONLY_SYNCED);
  await assertSound(await openOn(left), left, 'second');
  for (const go of syncs) go();
  await hanging;
});
