// Reading a log file: whole lines, bounded memory, and the last lines from the end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryDisk } from '../../image/store/memory-disk.testing.ts';
import { LogFile, positionFromEnd } from './log-file.ts';

const PATH = '/log';

function diskOf(text: string): MemoryDisk {
  const disk = new MemoryDisk();
  const file = disk.create(PATH);
  file.write(
    Uint8Array.from(text, (character) => character.charCodeAt(0)),
    0,
  );
  file.close();
  return disk;
}

async function linesOf(text: string): Promise<{ lines: string[]; skipped: number }> {
  const file = LogFile.open(diskOf(text), PATH);
  assert.ok(file !== undefined);
  const all = { lines: [] as string[], skipped: 0 };
  for (let some = await file.next(); some !== undefined; some = await file.next()) {
    all.lines.push(...some.lines);
    all.skipped += some.skipped;
  }
  return all;
}

test('whole lines alone are told; empty ones are none', async () => {
  assert.deepEqual(await linesOf('one\ntwo\n\nthr'), { lines: ['one', 'two'], skipped: 0 });
  assert.deepEqual(await linesOf(''), { lines: [], skipped: 0 });
});

test('lines over the borders of reads, and one that is too long for memory', async () => {
  const many = Array.from({ length: 20_000 }, (_, index) => `line ${index} ${'x'.repeat(index % 97)}`);
  assert.deepEqual((await linesOf(`${many.join('\n')}\n`)).lines, many);
  const long = 'y'.repeat(3 << 20);
  assert.deepEqual(await linesOf(`before\n${long}\nafter\n`), { lines: ['before', 'after'], skipped: 1 });
});

async function tail(text: string, left: number): Promise<string | undefined> {
  const file = diskOf(text).open(PATH);
  assert.ok(file !== undefined);
  const search = { left, first: true };
  const at = await positionFromEnd(file, search, (line) =>
    line === 'damaged' ? undefined : !line.startsWith('P'),
  );
  return at === undefined ? undefined : text.slice(at);
}

test('the last lines; pieces of one count once, what is torn not at all', async () => {
  assert.equal(await tail('a\nb\nc\n', 0), '');
  assert.equal(await tail('a\nb\nc\n', 1), 'c\n');
  assert.equal(await tail('a\nb\nc\n', 2), 'b\nc\n');
  assert.equal(await tail('a\nb\nc\n', 3), undefined, 'more may be in an older file');
  assert.equal(await tail('a\nb\nc\ntor', 1), 'c\ntor');
  assert.equal(await tail('a\nP1\nP2\nc\nd\n', 2), 'P1\nP2\nc\nd\n');
  assert.equal(await tail('a\nb\nP1\nP2\n', 1), 'P1\nP2\n');
  assert.equal(await tail('a\nb\ndamaged\n', 1), 'b\ndamaged\n');
  assert.equal(await tail('', 1), undefined);
  assert.equal(await tail('\n\n\na\n', 1), 'a\n');
});

test('the last lines over the borders of reads', async () => {
  const many = Array.from({ length: 60_000 }, (_, index) => `${index} ${'z'.repeat(index % 31)}`);
  const text = `${many.join('\n')}\n`;
  for (const left of [1, 7, 9_999, 30_000, 59_999])
    assert.equal(await tail(text, left), `${many.slice(-left).join('\n')}\n`, String(left));
});
