// Properties of a store: any sequence of what programs do, at once or one after the other, and any damage of its files.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromArray, toArray } from '../../linux/bytes.ts';
import { splitDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { canonical, parseReference } from '../../spec/reference.ts';
import { chainIds } from './chain.ts';
import { assertSound, fillOn, openOn, pull, ROOT, testImage } from './image.testing.ts';
import { MemoryDisk } from './memory-disk.testing.ts';
import { LockTable } from './memory-kernel.testing.ts';
import { pruneImages } from './prune.ts';
import type { Store } from './store.ts';

const IMAGES = [
  testImage('one', ['shared', 'one']),
  testImage('two', ['shared', 'two']),
  testImage('three', ['three']),
];

type Operation =
  | { readonly kind: 'pull' | 'remove' | 'pin' | 'unpin'; readonly image: number }
  | { readonly kind: 'alias'; readonly image: number; readonly name: number }
  | { readonly kind: 'gc' | 'prune' | 'verify' | 'reopen' };

const image = fc.nat({ max: IMAGES.length - 1 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('pull', 'remove', 'pin', 'unpin'), image }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('alias'), image, name: fc.nat({ max: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('gc', 'prune', 'verify', 'reopen') }) },
);

const imageOf = (index: number) => IMAGES[index] ?? assert.fail();
const aliasOf = (name: number) => parseReference(`alias${name}`);

/** What names and pins there should be. */
interface Model {
  readonly names: Map<string, number>;
  readonly pins: Set<number>;
}

async function play(store: Store, disk: MemoryDisk, model: Model, step: Operation): Promise<void> {
  switch (step.kind) {
    case 'pull': {
      const wanted = imageOf(step.image);
      await pull(store, wanted, fillOn(disk, wanted));
      model.names.set(canonical(wanted.reference), step.image);
      return;
    }
    case 'remove': {
      const { reference } = imageOf(step.image);
      assert.equal(await store.names.remove(reference), model.names.delete(canonical(reference)));
      return;
    }
    case 'alias': {
      // A part of the image may have been collected, when nothing needed all of it.
      const { content, manifest } = imageOf(step.image);
      const whole = [...content.keys()].every((digest) => store.blobs.has(digest));
      const named = store.names.set(aliasOf(step.name), manifest);
      if (!whole) {
        await assert.rejects(named, { code: 'EINCOMPLETE' });
        return;
      }
      await named;
      model.names.set(canonical(aliasOf(step.name)), step.image);
      return;
    }
    case 'pin':
      if (!store.blobs.has(imageOf(step.image).manifest.digest)) return;
      await store.pins.set('test', `p${step.image}`, { images: [imageOf(step.image).manifest] });
      model.pins.add(step.image);
      return;
    case 'unpin':
      assert.equal(store.pins.remove('test', `p${step.image}`), model.pins.delete(step.image));
      return;
    case 'gc':
      assert.equal((await store.garbage({ partialAge: 0 })).busy, false);
      return;
    case 'prune':
      await pruneImages(store);
      return;
    case 'verify':
      assert.deepEqual((await store.verify()).findings, []);
      return;
    case 'reopen':
      await store.close();
  }
}

function assertModel(store: Store, model: Model): void {
  const found = store.names.list().flatMap(({ name, descriptor }) => {
    const index = IMAGES.findIndex(({ manifest }) => manifest.digest === descriptor.digest);
    return name === undefined ? [] : [[name, index] as const];
  });
  assert.deepEqual(new Map(found.sort()), new Map([...model.names].sort()));
  for (const index of [...model.names.values(), ...model.pins])
    for (const digest of imageOf(index).content.keys()) assert.ok(store.blobs.has(digest), digest);
}

test('any sequence leaves the names and pins that it should, and all that belongs to them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 25 }), async (steps) => {
      const disk = new MemoryDisk();
      const table = new LockTable();
      const model: Model = { names: new Map(), pins: new Set() };
      let store = await openOn(disk, table);
      for (const step of steps) {
        await play(store, disk, model, step);
        if (step.kind === 'reopen') store = await openOn(disk, table);
        assertModel(store, model);
        await assertSound(store, disk, step.kind);
      }
      // Nothing is left when nobody needs anything.
      for (const name of model.names.keys()) await store.names.remove(parseReference(name));
      for (const index of model.pins) store.pins.remove('test', `p${index}`);
      await pruneImages(store, { partialAge: 0 });
      assert.deepEqual([disk.list(`${ROOT}/blobs/sha256`), disk.list(`${ROOT}/layers`)], [[], []]);
    }),
    { numRuns: 60 },
  );
});

test('three programs at once: whatever has a name is whole whenever somebody looks', async () => {
  const part = fc.array(fc.record({ kind: fc.constantFrom('pull', 'remove', 'gc'), image }), {
    minLength: 1,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(part, part, part, async (...programs) => {
      const disk = new MemoryDisk();
      const table = new LockTable();
      const run = async (steps: (typeof programs)[number]) => {
        for (const step of steps) {
          const store = await openOn(disk, table);
          const wanted = imageOf(step.image);
          if (step.kind === 'pull') await pull(store, wanted, fillOn(disk, wanted));
          else if (step.kind === 'remove') await store.names.remove(wanted.reference);
          else await store.garbage({ partialAge: 0, patience: 5 });
          await assertSound(store, disk, step.kind);
          await store.close();
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      await Promise.all(programs.map(run));
    }),
    { numRuns: 40 },
  );
});

const damage = fc.array(
  fc.tuple(
    fc.nat(),
    fc.nat({ max: 8 }),
    fc.constantFrom('', '{', '"', ']', '\0', 'null', '../', '"__proto__":1,'),
  ),
  { minLength: 1, maxLength: 3 },
);

test('Z11: damage of any document is told of, never believed, and repaired by verify', async () => {
  const [first] = chainIds(imageOf(0).diffIds);
  assert.ok(first !== undefined);
  const files = [
    `${ROOT}/index.json`,
    `${ROOT}/pins/test/p`,
    `${ROOT}/layers/${splitDigest(first).hex}/facts.json`,
    `${ROOT}/blobs/sha256/${splitDigest(imageOf(0).manifest.digest).hex}`,
    `${ROOT}/blobs/sha256/${splitDigest(imageOf(0).config.digest).hex}`,
  ];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...files), damage, async (file, places) => {
      const disk = new MemoryDisk();
      const store = await openOn(disk);
      for (const one of IMAGES) await pull(store, one, fillOn(disk, one));
      await store.pins.set('test', 'p', { images: [imageOf(0).manifest], layers: [first] });
      let text = fromArray(disk.readFile(file, 10_000) ?? new Uint8Array());
      for (const [at, length, scrap] of places) {
        const from = at % (text.length + 1);
        text = text.slice(0, from) + scrap + text.slice(from + length);
      }
      disk.remove(file);
      disk.create(file).write(toArray(text), 0);
      for (const look of [
        () => store.garbage(),
        () => store.usage(),
        () => pruneImages(store, { dryRun: true }),
      ])
        await look().catch((error: unknown) => {
          assert.ok(error instanceof CaissonError, String(error));
        });
      await store.verify();
      const again = (await store.verify()).findings.filter(({ kind }) => kind !== 'image');
      assert.deepEqual(again, []);
      // The others are what they were, and the damaged one can be had again.
      await store.garbage();
      for (const one of IMAGES) await pull(store, one, fillOn(disk, one));
      await assertSound(store, disk, file);
      assert.deepEqual((await store.verify()).findings, []);
    }),
    { numRuns: 100 },
  );
});
