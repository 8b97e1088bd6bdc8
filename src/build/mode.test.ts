// Tests of modes, durations and settled times.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration } from './dockerfile/duration.ts';
import { settleTimes } from './export/times.ts';
import { goDuration, goQuoted } from './graph/go-text.ts';
import { changedMode, checkMode } from './mode.ts';

test('modes of --chmod', () => {
  for (const [text, mode, directory, expected] of [
    ['755', 0o600, false, 0o755],
    ['u+x', 0o640, false, 0o740],
    ['a=rX', 0o700, false, 0o555],
    ['a=rX', 0o600, false, 0o444],
    ['go-rwx,u=rwX', 0o644, true, 0o700],
    ['+x', 0o644, false, 0o755],
    ['g=u', 0o740, false, 0o770],
    ['u+s', 0o755, false, 0o4755],
    ['', 0o640, false, 0o640],
  ] as const)
    assert.equal(changedMode(text, mode, directory).toString(8), expected.toString(8), text);
  for (const text of ['999', '17777', 'u+y', 'x', 'u', '-1', 'u+x,'])
    assert.ok(checkMode(text) !== undefined, text);
});

test('texts as Go prints them', () => {
  assert.equal(goQuoted('a"\\\n\x01\u00e9\u2028'), '"a\\"\\\\\\n\\x01é\\u2028"');
  for (const [nanoseconds, text] of [
    [0, '0s'],
    [1, '1ns'],
    [1500, '1.5µs'],
    [250e6, '250ms'],
    [1.5e9, '1.5s'],
    [90e9, '1m30s'],
    [3600e9, '1h0m0s'],
  ] as const)
    assert.equal(goDuration(nanoseconds), text);
  for (const [text, nanoseconds] of [
    ['1h2m3.5s', 3_723_500_000_000],
    ['.5s', 5e8],
    ['0', 0],
    ['-1s', -1e9],
  ] as const)
    assert.equal(parseDuration(text), nanoseconds, text);
  for (const text of ['', '5', 's', '1x', '1s ', '1e3s']) assert.equal(parseDuration(text), undefined, text);
});

test('times of history', () => {
  const draft = () => ({
    author: '',
    architecture: 'amd64',
    os: 'linux',
    variant: '',
    config: { Env: [] },
    history: [{ created: 'base' }, { created_by: 'a' }, { created: 'layer' }, { created_by: 'b' }] as {
      created?: string;
    }[],
  });
  const plain = draft();
  assert.equal(settleTimes(plain, 1, undefined, new Date(0)), 'layer');
  assert.deepEqual(
    plain.history.map(({ created }) => created),
    ['base', 'layer', 'layer', 'layer'],
  );
  const fixed = draft();
  assert.equal(settleTimes(fixed, 1, 1_000_000_000, new Date(0)), '2001-09-09T01:46:40Z');
  assert.deepEqual(fixed.history.map(({ created }) => created).slice(0, 2), ['base', '2001-09-09T01:46:40Z']);
});
