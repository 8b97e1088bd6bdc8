// Many programs at once on one store: pulls of the same images, removals and collections, some of them killed (F15).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { hostDisk } from '../../src/host/node-disk.ts';
import { assertSound } from '../../src/image/store/image.testing.ts';
import { openStore } from '../../src/image/store/store.ts';
import type { Action } from './actions.ts';
import { images, LONG, makeTemporary, openReal, port, type WorkerEnded, work } from './world.ts';

const directory = makeTemporary();
after(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Programs and stores in each of them. */
const PROGRAMS = LONG ? 16 : 8;
const STORES = 8;

function succeeded(ended: readonly WorkerEnded[]): string[] {
  for (const { code, stderr } of ended) assert.equal(code, 0, stderr);
  return ended.flatMap(({ lines }) => lines);
}

/** How often each layer was unpacked. */
function unpacked(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + Number(/^pulled \S+ (\d+)$/.exec(line)?.[1] ?? 0), 0);
}

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

test('many pull one image into a new store: each layer is unpacked once', async () => {
  const root = `${directory}/same`;
  const task = { root, actions: [['pull', 'one']], stores: STORES };
  const lines = succeeded(await Promise.all(times(PROGRAMS, () => work(task))));
  assert.equal(lines.filter((line) => line.startsWith('pulled')).length, PROGRAMS * STORES);
  assert.equal(unpacked(lines), images.one?.layers.length);
  const store = await openReal(root);
  assert.equal(store.names.list().length, 1);
  await assertSound(store, hostDisk(), 'after', root);
  await store.close();
});

test('pulls, removals and collections at once: whatever has a name is whole, at any time', async () => {
  const root = `${directory}/mixed`;
  const repeat = (...actions: Action[]): Action[] => times(LONG ? 20 : 5, () => actions).flat();
  const tasks = [
    ...times(PROGRAMS - 3, (index) => repeat(['pull', index % 2 === 0 ? 'one' : 'two'])),
    repeat(['remove', 'one'], ['gc', '0'], ['remove', 'two']),
    repeat(['gc', '200'], ['verify']),
    repeat(['pull', 'three'], ['remove', 'three'], ['gc', '20']),
  ];
  let going = true;
  const watching = (async () => {
    for (let looks = 0; ; looks++) {
      const store = await openReal(root);
      await assertSound(store, hostDisk(), `look ${looks}`, root);
      await store.close();
      if (!going) return looks;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const lines = succeeded(
    await Promise.all(tasks.map((actions) => work({ root, actions, durability: 'off' }))),
  );
  going = false;
  assert.ok((await watching) > 0);
  const verified = lines.filter((line) => line.startsWith('verify'));
  assert.ok(verified.length > 0 && verified.every((line) => line === 'verify 0'), verified.join());
  assert.ok(
    lines.some((line) => /^gc false [1-9]/.test(line)),
    'no collection found anything',
  );
});

test('programs that are killed at random moments among others that go on', async () => {
  const root = `${directory}/killed`;
  const script = `${directory}/kill.log`;
  const victims = times(LONG ? 100 : 12, async (index) => {
    const actions = [
      ['pull', index % 3 === 0 ? 'two' : 'one'],
      ['remove', 'one'],
      ['gc', '50'],
    ];
    // timeout(1) kills it, wherever it is: in the middle of the launcher's work, too.
    const seconds = (0.05 + 0.02 * (index % 12)).toFixed(2);
    const { code, stderr } = await work({ root, actions, durability: 'off' }, [
      'timeout',
      '--signal=KILL',
      seconds,
    ]);
    assert.ok(code === 0 || code === 137 || code === null, stderr);
    appendFileSync(script, `${code}\n`);
  });
  const others = times(2, () => work({ root, actions: times(4, () => ['pull', 'one']), durability: 'off' }));
  await Promise.all(victims);
  succeeded(await Promise.all(others));
  assert.match(readFileSync(script, 'utf8'), /137|null/);
  const store = await openReal(root);
  await assertSound(store, hostDisk(), 'after', root);
  assert.deepEqual((await store.verify()).findings, []);
  assert.equal((await store.garbage({ patience: 5000, partialAge: 0 })).busy, false);
  assert.deepEqual((await store.garbage({ partialAge: 0 })).unfinished, 0);
  await store.close();
});

test('what waits for another program says so, and goes on within moments of its end', async () => {
  const root = `${directory}/waits`;
  const one = await openReal(root);
  const image = images.three;
  assert.ok(image !== undefined);
  const taken = await one.blobs.ingest(image.manifest);
  const said: string[] = [];
  const other = await openStore(await port(), hostDisk(), { root }, { waiting: (what) => said.push(what) });
  const waiting = other.blobs.ingest(image.manifest);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(said, [`another caisson takes in ${image.manifest.digest}`]);
  await taken.abort(true);
  await (await waiting).abort(false);
  await Promise.all([one.close(), other.close()]);
});

test('a store whose launcher is killed makes nothing visible any more', async () => {
  const root = `${directory}/lost`;
  const store = await openReal(root);
  const image = images.three;
  assert.ok(image !== undefined);
  const taken = await store.blobs.ingest(image.manifest);
  await taken.write(image.content.get(image.manifest.digest) ?? new Uint8Array());
  const launchers = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
    .trim()
    .split(' ');
  const end = spawn('kill', ['-KILL', ...launchers.filter((pid) => isLauncher(pid))]);
  await new Promise((resolve) => end.on('close', resolve));
  await assert.rejects(taken.commit(), { code: 'ELAUNCHER' });
  assert.equal(store.blobs.has(image.manifest.digest), false);
  await store.close();
});

/** A child of this test that executes the launcher's memory file. */
function isLauncher(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('launcher');
  } catch {
    return false;
  }
}
