// Sizes, decimals, durations: what people write, exactly.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBillionths, parseBoolean, parseDuration, parseInteger, parseSize } from './number.ts';

test('sizes', () => {
  const cases: readonly (readonly [string, number | bigint | undefined])[] = [
    ['0', 0],
    ['1', 1],
    ['128m', 134217728],
    ['128M', 134217728],
    ['128mb', 134217728],
    ['128MiB', 134217728],
    ['128 m', 134217728],
    ['1.5g', 1610612736],
    ['.5k', 512],
    ['1.k', 1024],
    ['0.0001k', 0],
    ['1k', 1024],
    ['1b', 1],
    ['2t', 2199023255552],
    ['9223372036854775807', 9223372036854775807n],
    ['9007199254740993', 9007199254740993n],
    ['9223372036854775808', undefined],
    ['8191p', 9222246136947933184n],
    ['8192p', undefined],
    ['', undefined],
    ['m', undefined],
    ['abc', undefined],
    ['-1', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['1kk', undefined],
    ['1ib', undefined],
    ['1  m', undefined],
    ['1.2.3m', undefined],
    ['٣m', undefined],
    ['1m\n', undefined],
    [`${'9'.repeat(60)}`, undefined],
  ];
  for (const [text, expected] of cases) assert.equal(parseSize(text), expected, text);
});

test('decimal numbers of CPUs as billionths', () => {
  const cases: readonly (readonly [string, bigint | undefined])[] = [
    ['1', 1_000_000_000n],
    ['1.5', 1_500_000_000n],
    ['.5', 500_000_000n],
    ['0.000000001', 1n],
    ['0.0000000001', undefined],
    ['-1', undefined],
    ['1e3', undefined],
    ['x', undefined],
    ['', undefined],
  ];
  for (const [text, expected] of cases) assert.equal(parseBillionths(text), expected, text);
});

test('durations in milliseconds', () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ['0', 0],
    ['10', 10_000],
    ['1.5', 1500],
    ['300ms', 300],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['2us', 0],
    ['10d', undefined],
    ['s', undefined],
    ['-1s', undefined],
    ['', undefined],
  ];
  for (const [text, expected] of cases) assert.equal(parseDuration(text), expected, text);
});

test('integers are exact and bounded', () => {
  assert.equal(parseInteger('18446744073709551615'), 18446744073709551615n);
  assert.equal(parseInteger('18446744073709551616'), undefined);
  assert.equal(parseInteger('-9223372036854775808'), -9223372036854775808n);
  assert.equal(parseInteger('+5'), 5);
  assert.equal(parseInteger('5', 6n), undefined);
  assert.equal(parseInteger(' 5'), undefined);
  assert.equal(parseInteger('1_000'), undefined);
});

test('booleans are those of Go', () => {
  for (const text of ['1', 't', 'T', 'TRUE', 'true', 'True']) assert.equal(parseBoolean(text), true, text);
  for (const text of ['0', 'f', 'F', 'FALSE', 'false', 'False'])
    assert.equal(parseBoolean(text), false, text);
  for (const text of ['yes', 'tRUE', '', '2']) assert.equal(parseBoolean(text), undefined, text);
});
