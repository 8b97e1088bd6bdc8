// Tests of progress: plain lines, and bars that are drawn again in their place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reporterFor } from './progress.ts';

function screen(size?: { columns: number; rows: number }) {
  const written: string[] = [];
  const clock = { now: 0 };
  const made = {
    written,
    clock,
    reporter: reporterFor({
      write: (bytes) => {
        written.push(bytes);
      },
      size,
      warn: (text) => {
        written.push(`! ${text}\n`);
      },
      now: () => clock.now,
    }),
  };
  return made;
}

test('without a terminal: a line for each change of status, no counts', () => {
  const { written, reporter } = screen();
  reporter.line('Pulling from x');
  reporter.part({ id: 'abc', status: 'Pulling fs layer' });
  for (const current of [1, 2, 3]) reporter.part({ id: 'abc', status: 'Downloading', current, total: 3 });
  reporter.part({ id: 'abc', status: 'Pull complete' });
  reporter.part({ id: 'abc', status: 'Pull complete' });
  assert.deepEqual(written, ['Pulling from x\n', 'abc: Pulling fs layer\n', 'abc: Pull complete\n']);
});

test('with a terminal: each part in its own row', () => {
  const { written, reporter, clock } = screen({ columns: 60, rows: 24 });
  reporter.part({ id: 'a', status: 'Waiting' });
  reporter.part({ id: 'b', status: 'Waiting' });
  clock.now = 1000;
  reporter.part({ id: 'a', status: 'Downloading', current: 500, total: 1000 });
  reporter.part({ id: 'a', status: 'Downloading', current: 600, total: 1000 });
  reporter.part({ id: 'a', status: 'Downloading', current: 1000, total: 1000 });
  assert.equal(written.length, 4);
  assert.equal(
    written[2],
    `\x1b[2A\r\x1b[2Ka: Downloading [${'='.repeat(16)}>${' '.repeat(15)}] 500B/1kB\r\x1b[2B`,
  );
  assert.match(written[3] ?? '', /\[={32,33}\] 1kB\/1kB/);
  reporter.warn('careful');
  reporter.part({ id: 'a', status: 'Pull complete' });
  assert.equal(written.at(-1), 'a: Pull complete\n');
});

test('what is no longer on the screen is not drawn, and no line wraps', () => {
  const { written, reporter } = screen({ columns: 20, rows: 3 });
  for (const id of ['a', 'b', 'c', 'd']) reporter.part({ id, status: 'x'.repeat(50) });
  assert.ok(written.every((text) => text.length <= 20));
  const before = written.length;
  reporter.part({ id: 'a', status: 'done' });
  assert.equal(written.length, before);
  reporter.part({ id: 'd', status: 'done' });
  assert.equal(written.length, before + 1);
});
