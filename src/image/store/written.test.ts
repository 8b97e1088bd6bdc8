// What is written to the disk early, what many share, and who learns of a failure.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreKernel } from './kernel.ts';
import { Written } from './written.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A file system whose syncs end when they are told to. */
class Slow {
  readonly syncs: { readonly end: () => void; readonly fail: (error: Error) => void }[] = [];
  readonly written: Written;

  constructor() {
    const kernel: Pick<StoreKernel, 'syncFileSystem'> = {
      syncFileSystem: () =>
        new Promise<void>((resolve, reject) => {
          this.syncs.push({ end: () => resolve(), fail: reject });
        }),
    };
    this.written = new Written(kernel, '/store/layers');
  }
}

test('the disk begins while more is written, with one sync at a time', async () => {
  const slow = new Slow();
  const onDisk = slow.written.begin();
  slow.written.more(47 << 20);
  await turn();
  assert.equal(slow.syncs.length, 0);
  slow.written.more(2 << 20);
  slow.written.more(1 << 30);
  await turn();
  assert.equal(slow.syncs.length, 1);
  const done = onDisk();
  await turn();
  assert.equal(slow.syncs.length, 1, 'waits for the one that began before the last bytes');
  slow.syncs[0]?.end();
  await turn();
  assert.equal(slow.syncs.length, 2);
  slow.syncs[1]?.end();
  await done;
});

test('those who wait at the same time share a sync, but none that began before they came', async () => {
  const slow = new Slow();
  const first = slow.written.begin()();
  await turn();
  const ended: string[] = [];
  const more = ['second', 'third'].map((name) =>
    slow.written
      .begin()()
      .then(() => ended.push(name)),
  );
  slow.syncs[0]?.end();
  await first;
  await turn();
  assert.deepEqual(ended, []);
  assert.equal(slow.syncs.length, 2);
  slow.syncs[1]?.end();
  await Promise.all(more);
  assert.deepEqual(ended, ['second', 'third']);
});

test('a failure that an early sync was told of is thrown to all who were writing, and to nobody later', async () => {
  const slow = new Slow();
  const mine = slow.written.begin();
  slow.written.more(1 << 30);
  await turn();
  slow.syncs[0]?.fail(new Error('EIO'));
  await turn();
  const done = assert.rejects(mine(), /EIO/);
  await turn();
  slow.syncs[1]?.end();
  await done;
  const later = slow.written.begin()();
  await turn();
  slow.syncs[2]?.end();
  await later;
});
