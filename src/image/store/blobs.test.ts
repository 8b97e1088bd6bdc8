// Blobs and their ingest: what is taken in, what is refused, what is resumed, and what happens when the disk fails.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromArray, toArray } from '../../linux/bytes.ts';
import { ERRNO } from '../../linux/errno.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { splitDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { digestBytes } from './durable.ts';
import { openOn, ROOT } from './image.testing.ts';
import { MemoryDisk } from './memory-disk.testing.ts';
import { LockTable } from './memory-kernel.testing.ts';

const TEXT = toArray('some content that is a blob');
const BLOB: Descriptor = { mediaType: 'text/plain', digest: digestBytes(TEXT), size: TEXT.length };
const PARTIAL = `${ROOT}/ingest/${BLOB.digest.replace(':', '-')}`;
const FILE = `${ROOT}/blobs/sha256/${splitDigest(BLOB.digest).hex}`;

async function read(content: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const piece of content) text += fromArray(piece);
  return text;
}

test('what is taken in can be read, whole, in pieces and from the middle', async () => {
  const store = await openOn(new MemoryDisk());
  assert.equal(store.blobs.has(BLOB.digest), false);
  assert.deepEqual(await store.blobs.put('text/plain', TEXT), BLOB);
  assert.equal(store.blobs.has(BLOB.digest), true);
  assert.deepEqual(await store.blobs.read(BLOB, 1000), TEXT);
  assert.equal(await read(store.blobs.stream(BLOB)), fromArray(TEXT));
  assert.equal(await read(store.blobs.stream(BLOB, 5)), fromArray(TEXT).slice(5));
  // A second time costs nothing and changes nothing.
  assert.deepEqual(await store.blobs.put('text/other', TEXT), { ...BLOB, mediaType: 'text/other' });
  const again = await store.blobs.ingest(BLOB);
  assert.equal(again.offset, BLOB.size);
  await again.commit();
});

test('sha512 and nothing at all are content like any other', async () => {
  const store = await openOn(new MemoryDisk());
  const long = { ...BLOB, digest: digestBytes(TEXT, 'sha512') };
  const taken = await store.blobs.ingest(long);
  await taken.write(TEXT);
  await taken.commit();
  assert.deepEqual(await store.blobs.read(long, 1000), TEXT);
  const nothing = await store.blobs.put('text/plain', new Uint8Array());
  assert.deepEqual(await store.blobs.read(nothing, 0), new Uint8Array());
});

test('content that is another is thrown away', async () => {
  const disk = new MemoryDisk();
  const store = await openOn(disk);
  const taken = await store.blobs.ingest(BLOB);
  await taken.write(toArray('x'.repeat(BLOB.size)));
  await assert.rejects(taken.commit(), { code: 'EDIGEST' });
  assert.equal(store.blobs.has(BLOB.digest), false);
  assert.equal(disk.stat(PARTIAL), undefined);
});

test('more and less than was announced is refused', async () => {
  const store = await openOn(new MemoryDisk());
  const taken = await store.blobs.ingest(BLOB);
  await taken.write(TEXT.subarray(0, 3));
  await assert.rejects(taken.write(toArray('x'.repeat(BLOB.size))), { code: 'ESIZE' });
  await assert.rejects(taken.commit(), { code: 'ESIZE' });
  await taken.abort(true);
  await assert.rejects(taken.write(TEXT), /has ended/);
  await assert.rejects(taken.commit(), /has ended/);
  const next = await store.blobs.ingest(BLOB);
  assert.deepEqual([next.offset, next.resumed], [3, true]);
  await next.abort(false);
  const last = await store.blobs.ingest(BLOB);
  assert.deepEqual([last.offset, last.resumed], [0, false]);
  await last.abort(false);
});

test('a part that is longer than the content is no part of it', async () => {
  const disk = new MemoryDisk();
  const store = await openOn(disk);
  disk.create(PARTIAL).write(toArray('y'.repeat(BLOB.size + 1)), 0);
  const taken = await store.blobs.ingest(BLOB);
  assert.deepEqual([taken.offset, taken.resumed], [0, false]);
  await taken.write(TEXT);
  await taken.commit();
  assert.deepEqual(await store.blobs.read(BLOB, 100), TEXT);
});

test('a part can be begun anew', async () => {
  const disk = new MemoryDisk();
  const store = await openOn(disk);
  disk.create(PARTIAL).write(toArray('rotten'), 0);
  const taken = await store.blobs.ingest(BLOB);
  assert.equal(taken.offset, 6);
  await taken.restart();
  assert.equal(taken.offset, 0);
  await taken.write(TEXT);
  await taken.commit();
  // `put` does that by itself.
  const text = toArray('another document');
  const digest = digestBytes(text);
  disk.create(`${ROOT}/ingest/${digest.replace(':', '-')}`).write(toArray('rotten'), 0);
  await store.blobs.put('text/plain', text);
  assert.equal(store.blobs.has(digest), true);
});

test('of two that want the same, the second waits and has nothing left to do', async () => {
  const disk = new MemoryDisk();
  const table = new LockTable();
  const [one, other] = [await openOn(disk, table), await openOn(disk, table)];
  const first = await one.blobs.ingest(BLOB);
  const second = other.blobs.ingest(BLOB);
  await first.write(TEXT);
  await first.commit();
  const waited = await second;
  assert.equal(waited.offset, BLOB.size);
  await waited.commit();
});

test('when the first gives up, the second goes on with its part', async () => {
  const disk = new MemoryDisk();
  const table = new LockTable();
  const [one, other] = [await openOn(disk, table), await openOn(disk, table)];
  const first = await one.blobs.ingest(BLOB);
  await first.write(TEXT.subarray(0, 7));
  const second = other.blobs.ingest(BLOB);
  await first.abort(true);
  const waited = await second;
  assert.equal(waited.offset, 7);
  await waited.write(TEXT.subarray(7));
  await waited.commit();
  assert.deepEqual(await one.blobs.read(BLOB, 100), TEXT);
});

test('a damaged blob is never handed out: it is set aside and can be taken in again', async () => {
  const disk = new MemoryDisk();
  const store = await openOn(disk);
  await store.blobs.put('text/plain', TEXT);
  disk.damage(FILE);
  await assert.rejects(store.blobs.read(BLOB, 100), (error) => {
    assert.ok(error instanceof CaissonError);
    assert.equal(error.code, 'EDAMAGED');
    assert.match(error.details.join(), /moved to \/store\/quarantine\/blobs-sha256-/);
    return true;
  });
  assert.equal(store.blobs.has(BLOB.digest), false);
  await store.blobs.put('text/plain', TEXT);
  disk.damage(FILE);
  await assert.rejects(read(store.blobs.stream(BLOB)), { code: 'EDAMAGED' });
  assert.equal(disk.list(`${ROOT}/quarantine`)?.length, 2);
});

test('a blob that has become shorter is damaged; a descriptor of another size is wrong', async () => {
  const disk = new MemoryDisk();
  const store = await openOn(disk);
  await store.blobs.put('text/plain', TEXT);
  const wrong = { ...BLOB, size: 5 };
  await assert.rejects(store.blobs.read(wrong, 100), { code: 'ESIZE' });
  await assert.rejects(store.blobs.ingest(wrong), { code: 'ESIZE' });
  await assert.rejects(store.blobs.read(BLOB, 5), { code: 'ESIZE' });
  assert.equal(store.blobs.has(BLOB.digest), true);
  disk.update(FILE).truncate(5);
  const taken = await store.blobs.ingest(BLOB);
  assert.equal(taken.offset, 0);
  await taken.write(TEXT);
  await taken.commit();
  assert.deepEqual(await store.blobs.read(BLOB, 100), TEXT);
  disk.update(FILE).truncate(5);
  await assert.rejects(store.blobs.read(BLOB, 100), { code: 'EDAMAGED' });
});

test('what is not there says so', async () => {
  const store = await openOn(new MemoryDisk());
  await assert.rejects(store.blobs.read(BLOB, 100), { code: 'ENOTFOUND' });
  await assert.rejects(read(store.blobs.stream(BLOB)), { code: 'ENOTFOUND' });
});

test('F05: a full disk at any change leaves no half blob, and the store works when there is room again', async () => {
  for (let at = 0; ; at++) {
    const disk = new MemoryDisk();
    const store = await openOn(disk);
    let count = 0;
    disk.attempted = (_, path) => {
      if (count++ === at)
        throw new CaissonError(`${path}: full`, { code: 'EDISK', errno: ERRNO.ENOSPC, syscall: 'write' });
    };
    const done = await store.blobs.put('text/plain', TEXT).then(
      () => true,
      (error: unknown) => {
        assert.ok(error instanceof CaissonError && error.errno === ERRNO.ENOSPC);
        return false;
      },
    );
    disk.attempted = () => undefined;
    if (store.blobs.has(BLOB.digest)) assert.deepEqual(await store.blobs.read(BLOB, 100), TEXT);
    await store.blobs.put('text/plain', TEXT);
    assert.deepEqual(await store.blobs.read(BLOB, 100), TEXT);
    await store.close();
    if (done) {
      assert.ok(at >= 4, `${at}`);
      return;
    }
  }
});

test('nothing is made visible after the lock was lost', async () => {
  const disk = new MemoryDisk();
  const store = await openOn(disk);
  const taken = await store.blobs.ingest(BLOB);
  await taken.write(TEXT);
  // The launcher that held the lock was killed.
  const { kernel } = Reflect.get(store, 'context') as { kernel: { lost: boolean } };
  kernel.lost = true;
  await assert.rejects(taken.commit(), /lost/);
  assert.equal(store.blobs.has(BLOB.digest), false);
});

test('names of pins never lead out of their directory', async () => {
  const store = await openOn(new MemoryDisk());
  assert.throws(() => store.pins.remove('..', 'x'), { code: 'EUSAGE' });
  assert.throws(() => store.pins.remove('containers', '../../format'), { code: 'EUSAGE' });
  await assert.rejects(store.pins.set('containers', '', {}), { code: 'EUSAGE' });
});
