// Tests of processor lists: round trips and bounds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuMask, formatCpuList, parseCpuList } from './cpulist.ts';

test('lists as the kernel prints them come back unchanged', () => {
  for (const text of ['', '0', '0-3', '0-3,7', '1,3,5', '0-1,4-5,8191', '0-8191']) {
    assert.equal(formatCpuList(parseCpuList(text)), text);
  }
  assert.deepEqual(parseCpuList('0-3,7\n'), [0, 1, 2, 3, 7]);
  assert.deepEqual(parseCpuList('7, 2-3,3'), [2, 3, 7]);
  assert.equal(formatCpuList([5, 1, 2, 2, 0]), '0-2,5');
});

test('bad lists are refused', () => {
  for (const text of [
    'a',
    '1-',
    '-1',
    '3-1',
    '1,,2',
    ',',
    '0x1',
    '1-2-3',
    '8192',
    '0-8192',
    '0-4294967295',
    '1e3',
    '0-3:1/2',
  ]) {
    assert.throws(() => parseCpuList(text), RangeError, text);
  }
  assert.throws(() => parseCpuList('99999999999999999999'), RangeError);
  assert.throws(() => parseCpuList('1,'.repeat(30_000)), /at most/);
});

test('masks', () => {
  assert.deepEqual([...cpuMask([0, 1, 9])], [3, 2, 0, 0, 0, 0, 0, 0]);
  assert.equal(cpuMask([64]).length, 16);
  assert.equal(cpuMask([64])[8], 1);
  assert.deepEqual([...cpuMask([])], [0, 0, 0, 0, 0, 0, 0, 0]);
  assert.throws(() => cpuMask([8192]), RangeError);
  assert.throws(() => cpuMask([-1]), RangeError);
});
