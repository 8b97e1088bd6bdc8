// Tests of the conversions from v1 units to v2 units.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuWeight, ioWeight, swapMaximum } from './conversion.ts';

test('shares become weights by the curve through 2, 1024 and 262144', () => {
  const known: readonly (readonly [number, number])[] = [
    [0, 0],
    [1, 1],
    [2, 1],
    [3, 2],
    [512, 59],
    [1024, 100],
    [2048, 174],
    [262143, 10000],
    [262144, 10000],
    [300000, 10000],
  ];
  for (const [shares, weight] of known) assert.equal(cpuWeight(shares), weight, String(shares));
  assert.equal(cpuWeight(1024n), 100);
  for (let shares = 2; shares < 262144; shares += 97) assert.ok(cpuWeight(shares) <= cpuWeight(shares + 97));
});

test('block I/O weights are stretched', () => {
  assert.equal(ioWeight(10), 1);
  assert.equal(ioWeight(500), 4950);
  assert.equal(ioWeight(1000), 10000);
});

test('memory plus swap becomes swap alone, exactly', () => {
  assert.equal(swapMaximum(undefined, 10), undefined);
  assert.equal(swapMaximum(0, 10), undefined);
  assert.equal(swapMaximum(-1, 10), 'max');
  assert.equal(swapMaximum(undefined, -1), 'max');
  assert.equal(swapMaximum(20, -1), 20);
  assert.equal(swapMaximum(30, 10), 20n);
  assert.equal(swapMaximum(10, 10), 0n);
  assert.equal(swapMaximum(9223372036854775807n, 1), 9223372036854775806n);
  assert.throws(() => swapMaximum(10, undefined), /needs memory.limit/);
  assert.throws(() => swapMaximum(10, 20), /below memory.limit/);
});
