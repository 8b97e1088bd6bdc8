// Which ids `--userns auto` finds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { around, freeRange, highestId } from './auto-ids.ts';

const map = (containerId: number, hostId: number, size: number) => ({ containerId, hostId, size });

test('the first range that nobody has', () => {
  const available = [
    { start: 100, count: 10 },
    { start: 1000, count: 100 },
  ];
  const find = (size: number, ...taken: readonly ReturnType<typeof map>[]) =>
    freeRange(available, taken, size);
  assert.equal(find(10), 100);
  assert.equal(find(11), 1000);
  assert.equal(find(100), 1000);
  assert.equal(find(101), undefined);
  assert.equal(find(10, map(0, 105, 1)), 1000);
  assert.equal(find(5, map(0, 105, 1)), 100);
  assert.equal(find(20, map(0, 1060, 40), map(0, 1010, 10), map(0, 990, 11)), 1020);
  assert.equal(find(20, map(0, 1060, 40), map(0, 1010, 35), map(0, 990, 11)), undefined);
  // A range that holds the whole of what is available.
  assert.equal(find(1, map(0, 0, 5000)), undefined);
});

test('lines of their own stand beside the range', () => {
  assert.deepEqual(around([], 500, 10), [map(0, 500, 10)]);
  assert.deepEqual(around([map(7, 5, 1)], 500, 10), [map(0, 500, 7), map(8, 507, 2), map(7, 5, 1)]);
  assert.deepEqual(around([map(0, 5, 1)], 500, 3), [map(1, 500, 2), map(0, 5, 1)]);
  assert.deepEqual(around([map(8, 1, 5), map(2, 9, 2)], 500, 10), [
    map(0, 500, 2),
    map(4, 502, 4),
    map(8, 1, 5),
    map(2, 9, 2),
  ]);
});

test('the ids of an image, without nobody', () => {
  const passwd = 'root:x:0:0::/:\nalice:x:5000:7:::\nnobody:x:65534:65534:::\nbroken\n';
  assert.equal(highestId({ passwd, group: 'g:x:6000:\nnogroup:x:65534:\n' }), 6000);
  assert.equal(highestId({ passwd: '', group: '' }), 0);
});
