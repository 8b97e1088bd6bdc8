// Unpacked layers: made once, whole or not at all, and set aside when they are damaged.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitDigest } from '../../spec/digest.ts';
import { chainId, chainIds } from './chain.ts';
import { fillOn, openOn, ROOT, testImage } from './image.testing.ts';
import type { LayerFacts } from './layers.ts';
import { MemoryDisk } from './memory-disk.testing.ts';
import { LockTable } from './memory-kernel.testing.ts';

const IMAGE = testImage('image', ['lower', 'upper']);
const [LOWER, UPPER] = chainIds(IMAGE.diffIds) as [
  (typeof IMAGE.diffIds)[number],
  (typeof IMAGE.diffIds)[number],
];
const directory = (chain: typeof LOWER) => `${ROOT}/layers/${splitDigest(chain).hex}`;

test('chain IDs are those of the specification', () => {
  // image-spec 1.1, config.md: ChainID(A) = A, ChainID(A|B) = Digest(ChainID(A) + " " + DiffID(B)).
  const zero = testImage('x', ['']).diffIds[0];
  assert.ok(zero !== undefined);
  assert.equal(zero, 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  assert.deepEqual(chainIds([]), []);
  assert.deepEqual(chainIds([zero]), [zero]);
  // printf '%s %s' "$zero" "$zero" | sha256sum
  const two = 'sha256:de9d9016b852e46e9f3973e20d3a6d17e120f7144931d50cd6e2a8ad53e81960';
  assert.deepEqual(chainIds([zero, zero]), [zero, two]);
  assert.equal(chainId(LOWER, IMAGE.diffIds[1] ?? zero), UPPER);
});

test('a layer is made once, and found again by another store', async () => {
  const disk = new MemoryDisk();
  const store = await openOn(disk);
  const fill = fillOn(disk, IMAGE);
  let times = 0;
  const once = async (target: string): Promise<LayerFacts> => {
    times++;
    return { ...(await fill(target, 1)), members: 3, owners: 'squash', xattrs: 'user' };
  };
  assert.equal(store.layers.get(UPPER), undefined);
  const made = await store.layers.create(UPPER, LOWER, once);
  assert.equal(made.path, `${directory(UPPER)}/tree`);
  assert.deepEqual(await store.layers.create(UPPER, LOWER, once), made);
  await store.close();
  const other = await openOn(disk);
  assert.deepEqual(other.layers.get(UPPER), made);
  assert.equal(times, 1);
  assert.deepEqual(other.layers.list(), [UPPER]);
});

test('of many at once one unpacks and the others wait', async () => {
  const disk = new MemoryDisk();
  const table = new LockTable();
  const fill = fillOn(disk, IMAGE);
  let [times, inside] = [0, 0];
  const stores = await Promise.all(Array.from({ length: 8 }, () => openOn(disk, table)));
  const layers = await Promise.all(
    stores.map((store) =>
      store.layers.create(LOWER, undefined, async (target) => {
        assert.equal(inside++, 0);
        times++;
        await new Promise((resolve) => setTimeout(resolve, 5));
        inside--;
        return await fill(target, 0);
      }),
    ),
  );
  assert.equal(times, 1);
  assert.equal(new Set(layers.map(({ path }) => path)).size, 1);
});

test('what fails leaves nothing, and the next one tries again', async () => {
  const disk = new MemoryDisk();
  const table = new LockTable();
  const store = await openOn(disk, table);
  const failing = store.layers.create(LOWER, undefined, async (target) => {
    disk.create(`${target}/half`);
    throw new Error('bad archive');
  });
  const waiting = (await openOn(disk, table)).layers.create(LOWER, undefined, (target) =>
    fillOn(disk, IMAGE)(target, 0),
  );
  await assert.rejects(failing, /bad archive/);
  assert.equal((await waiting).chain, LOWER);
  assert.deepEqual(
    disk.list(`${ROOT}/layers`)?.map(({ name }) => name),
    [splitDigest(LOWER).hex],
  );
});

test('an archive that is another layer than the configuration says is refused', async () => {
  const disk = new MemoryDisk();
  const store = await openOn(disk);
  const fill = fillOn(disk, IMAGE);
  await assert.rejects(
    store.layers.create(LOWER, undefined, (target) => fill(target, 1)),
    { code: 'EDIGEST' },
  );
  // The right layer on another one below is another chain.
  await assert.rejects(
    store.layers.create(UPPER, undefined, (target) => fill(target, 1)),
    { code: 'EDIGEST' },
  );
  assert.deepEqual(disk.list(`${ROOT}/layers`), []);
});

test('F19: a damaged layer is not there, is set aside, and is made anew', async () => {
  const damages: ((disk: MemoryDisk) => void)[] = [
    (disk) => disk.remove(`${directory(LOWER)}/facts.json`),
    (disk) => {
      disk.update(`${directory(LOWER)}/facts.json`).truncate(10);
    },
    (disk) => {
      disk.update(`${directory(LOWER)}/facts.json`).truncate(100_000);
    },
    (disk) => {
      disk.remove(`${directory(LOWER)}/tree/data`);
      disk.removeDirectory(`${directory(LOWER)}/tree`);
    },
    // The facts of another layer.
    (disk) => {
      const file = `${directory(LOWER)}/facts.json`;
      const text = disk.readFile(`${directory(UPPER)}/facts.json`, 1000) ?? new Uint8Array();
      disk.update(file).truncate(0);
      disk.update(file).write(text, 0);
    },
  ];
  for (const damage of damages) {
    const disk = new MemoryDisk();
    const store = await openOn(disk);
    const fill = fillOn(disk, IMAGE);
    await store.layers.create(LOWER, undefined, (target) => fill(target, 0));
    await store.layers.create(UPPER, LOWER, (target) => fill(target, 1));
    damage(disk);
    assert.equal(store.layers.get(LOWER), undefined);
    assert.ok(store.layers.get(UPPER));
    await store.layers.create(LOWER, undefined, (target) => fill(target, 0));
    assert.ok(store.layers.get(LOWER));
    assert.equal(disk.list(`${ROOT}/quarantine`)?.length, 1);
  }
});

test('what a killed program has begun is removed by the next that unpacks the same', async () => {
  const disk = new MemoryDisk();
  const store = await openOn(disk);
  const begun = `${ROOT}/layers/.new-${splitDigest(LOWER).hex}-4711-0`;
  disk.makeDirectory(begun);
  disk.makeDirectory(`${begun}/tree`);
  disk.create(`${begun}/tree/half`);
  await store.layers.create(LOWER, undefined, (target) => fillOn(disk, IMAGE)(target, 0));
  assert.equal(disk.stat(begun), undefined);
});

test('a directory with its files becomes a layer, and goes on to be there for those who have it open', async () => {
  const disk = new MemoryDisk();
  const store = await openOn(disk);
  const fill = fillOn(disk, IMAGE);
  const from = `${ROOT}/build`;
  disk.makeDirectory(from);
  const facts = await fill(from, 0);
  const tree = { chain: LOWER, parent: undefined, facts, from, link: '../x' };
  await store.layers.adopt([tree]);
  assert.deepEqual(store.layers.get(LOWER), {
    chain: LOWER,
    parent: undefined,
    path: `${directory(LOWER)}/tree`,
    facts,
  });
  assert.equal(disk.stat(from), undefined);
  // Where the layer is, the tree stays.
  disk.makeDirectory(from);
  await store.layers.adopt([tree]);
  assert.equal(disk.stat(from)?.type, 'directory');
});

test('a tree that cannot be moved leaves no layer behind', async () => {
  const disk = new MemoryDisk();
  const store = await openOn(disk);
  const facts: LayerFacts = { diffId: IMAGE.diffIds[0] as typeof LOWER, size: 1 };
  const tree = { chain: LOWER, parent: undefined, facts, from: `${ROOT}/absent`, link: '../x' };
  await assert.rejects(store.layers.adopt([tree]));
  assert.deepEqual(store.layers.list(), []);
  assert.deepEqual(disk.list(`${ROOT}/layers`), []);
});
