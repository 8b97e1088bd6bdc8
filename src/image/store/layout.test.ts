// The directory of a store: made, opened again, refused, upgraded; a newer format is refused before anything is written (F25).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Disk, DiskStat } from '../../host/disk.ts';
import { toArray } from '../../linux/bytes.ts';
import { fillOn, foundation, openOn, pull, ROOT, testImage } from './image.testing.ts';
import type { Formats } from './layout.ts';
import { MemoryDisk } from './memory-disk.testing.ts';
import { LockTable } from './memory-kernel.testing.ts';
import type { StorePaths } from './paths.ts';
import { openStoreOn } from './store.ts';

const IMAGE = testImage('one', ['first']);

function put(disk: MemoryDisk, path: string, text: string): void {
  disk.remove(path);
  disk.create(path).write(toArray(text), 0);
}

const text = (disk: MemoryDisk, path: string) =>
  String.fromCharCode(...(disk.readFile(path, 1000) ?? new Uint8Array()));

test('a store is made, and is an OCI image layout', async () => {
  const disk = new MemoryDisk();
  await (await openOn(disk)).close();
  assert.deepEqual(JSON.parse(text(disk, `${ROOT}/oci-layout`)), { imageLayoutVersion: '1.0.0' });
  assert.equal(text(disk, `${ROOT}/format`), '1\n');
  const changes: string[] = [];
  disk.changed = (what) => changes.push(what);
  await (await openOn(disk)).close();
  assert.deepEqual(changes, []);
});

test('F25: a newer store is refused, and nothing is written, not even a lock', async () => {
  const disk = new MemoryDisk();
  await pull(await openOn(disk), IMAGE, fillOn(disk, IMAGE));
  put(disk, `${ROOT}/format`, '2\n');
  const table = new LockTable();
  const touched: string[] = [];
  disk.changed = (what) => touched.push(what);
  const given = foundation(disk, table);
  given.kernel.lock = async (path) => {
    touched.push(`lock ${path}`);
    return undefined;
  };
  await assert.rejects(openStoreOn(given, ROOT), /written by a newer caisson \(format 2, this one knows 1\)/);
  assert.deepEqual(touched, []);
});

test('F25: an older store is upgraded step by step, once, however many come at once', async () => {
  const disk = new MemoryDisk();
  await pull(await openOn(disk), IMAGE, fillOn(disk, IMAGE));
  const steps: string[] = [];
  const formats: Formats = {
    current: 3,
    upgrades: new Map([
      [
        1,
        async (on: Disk, paths: StorePaths) => {
          steps.push('1 to 2');
          assert.ok(on.stat(paths.index));
        },
      ],
      [
        2,
        async () => {
          steps.push('2 to 3');
        },
      ],
    ]),
  };
  const table = new LockTable();
  const open = () => openStoreOn({ ...foundation(disk, table), formats }, ROOT);
  const stores = await Promise.all([open(), open(), open()]);
  assert.deepEqual(steps, ['1 to 2', '2 to 3']);
  assert.equal(text(disk, `${ROOT}/format`), '3\n');
  for (const store of stores) assert.equal(store.names.list().length, 1);
  // This caisson is the older one now.
  await assert.rejects(openOn(disk, table), { code: 'ESTORE' });
});

test('F25: an upgrade that fails, or for which there is no way, leaves the format as it was', async () => {
  const disk = new MemoryDisk();
  await (await openOn(disk)).close();
  const broken: Formats = {
    current: 2,
    upgrades: new Map([[1, async () => Promise.reject(new Error('power cut'))]]),
  };
  await assert.rejects(openStoreOn({ ...foundation(disk), formats: broken }, ROOT), /power cut/);
  await assert.rejects(
    openStoreOn({ ...foundation(disk), formats: { current: 3, upgrades: new Map() } }, ROOT),
    /cannot upgrade/,
  );
  assert.equal(text(disk, `${ROOT}/format`), '1\n');
  await (await openOn(disk)).close();
});

test('F19: a damaged format is told of', async () => {
  const disk = new MemoryDisk();
  await (await openOn(disk)).close();
  for (const format of ['', '1', '01\n', 'x\n', '-1\n', '1\n1\n', '9'.repeat(100)]) {
    put(disk, `${ROOT}/format`, format);
    await assert.rejects(openOn(disk), (error: Error & { code?: string }) =>
      ['ESTORE', 'EDISK'].includes(error.code ?? ''),
    );
  }
});

test('what is no store of caisson is left alone', async () => {
  const disk = new MemoryDisk();
  disk.makeDirectory(ROOT);
  disk.create(`${ROOT}/my-files`);
  await assert.rejects(openOn(disk), /is not a store of caisson, and not empty/);
  assert.deepEqual(disk.list(ROOT), [{ name: 'my-files', type: 'file' }]);
  // An image layout of another tool.
  const other = new MemoryDisk();
  await pull(await openOn(other), IMAGE, fillOn(other, IMAGE));
  other.remove(`${ROOT}/format`);
  await assert.rejects(openOn(other), /is not a store of caisson/);
});

test('what other parts of caisson have made before is no stranger', async () => {
  const disk = new MemoryDisk();
  for (const name of ['', '/manifests', '/containers', '/build']) disk.makeDirectory(`${ROOT}${name}`);
  await (await openOn(disk)).close();
  assert.equal(text(disk, `${ROOT}/format`), '1\n');
});

test('a directory that others may write to, or that belongs to another, is refused', async () => {
  const disk = new MemoryDisk();
  await (await openOn(disk)).close();
  const stat = disk.stat.bind(disk);
  const pretend = (change: Partial<DiskStat>) => {
    disk.stat = (path) => {
      const found = stat(path);
      return found !== undefined && path.startsWith(ROOT) ? { ...found, ...change } : found;
    };
  };
  for (const change of [{ uid: 1000 }, { mode: 0o777 }, { mode: 0o770 }]) {
    pretend(change);
    await assert.rejects(openOn(disk), { code: 'EPERMISSION' });
  }
  pretend({ mode: 0o755 });
  await (await openOn(disk)).close();
});
