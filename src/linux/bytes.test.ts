// Tests of byte strings.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromArray, isMadeOf, toArray, writeBytes } from './bytes.ts';

test('a byte string becomes memory and comes back, every byte of it', () => {
  const all = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('');
  assert.equal(fromArray(toArray(all)), all);
  const memory = new Uint8Array(6);
  writeBytes(memory, 2, '\xff\0a');
  assert.deepEqual([...memory], [0, 0, 255, 0, 97, 0]);
});

test('made of some characters and no others', () => {
  assert.equal(isMadeOf('rwm', 'rwm'), true);
  assert.equal(isMadeOf('mmr', 'rwm'), true);
  assert.equal(isMadeOf('', 'rwm'), true);
  assert.equal(isMadeOf('rwx', 'rwm'), false);
  assert.equal(isMadeOf('rw\0', 'rwm'), false);
});
