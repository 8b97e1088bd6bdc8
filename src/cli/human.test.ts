// Tests of sizes and times for people.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goTime, humanDuration, humanSince, humanSize } from './human.ts';

test('sizes', () => {
  const cases: [number, string][] = [
    [0, '0B'],
    [999, '999B'],
    [1000, '1kB'],
    [4_261_502, '4.262MB'],
    [1_234_567_890, '1.235GB'],
    [5e18, '5000PB'],
  ];
  for (const [bytes, text] of cases) assert.equal(humanSize(bytes), text);
  assert.equal(humanSize(4_261_502, 3), '4.26MB');
});

test('durations', () => {
  const day = 86_400;
  const cases: [number, string][] = [
    [0.5, 'Less than a second'],
    [1, '1 second'],
    [59, '59 seconds'],
    [60, 'About a minute'],
    [150, '2 minutes'],
    [3600, 'About an hour'],
    [2.6 * 3600, '3 hours'],
    [47 * 3600, '47 hours'],
    [3 * day, '3 days'],
    [20 * day, '2 weeks'],
    [90 * day, '3 months'],
    [800 * day, '2 years'],
  ];
  for (const [seconds, text] of cases) assert.equal(humanDuration(seconds), text);
});

test('times that are none', () => {
  assert.equal(humanSince(undefined, 0), 'N/A');
  assert.equal(humanSince('soon', 0), 'N/A');
  assert.equal(humanSince('2024-01-01T00:00:00Z', Date.parse('2024-01-04T00:00:00Z')), '3 days ago');
  assert.equal(goTime('2024-01-02T03:04:05.678Z'), '2024-01-02 03:04:05 +0000 UTC');
  assert.equal(goTime('x'), 'N/A');
});
