// Tests of rtnetlink messages, byte by byte.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acknowledgedErrno, linkSetUp } from './rtnetlink.ts';

test('loopback up', () => {
  const expected = [
    ...[32, 0, 0, 0, 16, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0],
    ...[0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0],
  ];
  assert.deepEqual([...linkSetUp(1)], expected);
  assert.equal(linkSetUp(0x01020304, 9)[8], 9);
  assert.deepEqual([...linkSetUp(0x01020304).subarray(20, 24)], [4, 3, 2, 1]);
});

test('acknowledgement', () => {
  const answer = new Uint8Array(36);
  answer.set([36, 0, 0, 0, 2, 0, 0, 1, 1]);
  assert.equal(acknowledgedErrno(answer), 0);
  answer.set([0xff, 0xff, 0xff, 0xff], 16);
  assert.equal(acknowledgedErrno(answer), 1);
  assert.equal(acknowledgedErrno(answer, 2), undefined);
  assert.equal(acknowledgedErrno(answer.subarray(0, 19)), undefined);
  answer[4] = 16;
  assert.equal(acknowledgedErrno(answer), undefined);
});
