// Tests of how an out-of-memory kill is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { binarySize, describeOutOfMemory } from './oom.ts';

test('sizes in binary units', () => {
  assert.equal(binarySize(0), '0 bytes');
  assert.equal(binarySize(1023), '1023 bytes');
  assert.equal(binarySize(4096), '4 KiB');
  assert.equal(binarySize(64 << 20), '64 MiB');
  assert.equal(binarySize(1536 * 2 ** 20), '1.5 GiB');
  assert.equal(binarySize(1n << 62n), '4 EiB');
});

test("the line names the limit, where it is the container's own", () => {
  assert.equal(describeOutOfMemory({ limit: 67108864 }), 'out of memory (limit 64 MiB)');
  assert.match(describeOutOfMemory({ limit: undefined }), /^out of memory \(the limit is not/);
});
