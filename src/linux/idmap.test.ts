// Tests of id maps and subordinate ids.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIdMap, parseIdMap, subordinateRanges, toContainerId, toHostId } from './idmap.ts';

test('uid_map of the initial namespace and of a rootless one', () => {
  assert.deepEqual(parseIdMap('         0          0 4294967295\n'), [
    { containerId: 0, hostId: 0, size: 4294967295 },
  ]);
  const map = parseIdMap('         0       1000          1\n         1     100000      65536\n');
  assert.deepEqual(map[1], { containerId: 1, hostId: 100000, size: 65536 });
  assert.equal(formatIdMap(map), '0 1000 1\n1 100000 65536\n');
  assert.deepEqual(parseIdMap(''), []);
  assert.throws(() => parseIdMap('0 1000'), SyntaxError);
  assert.throws(() => parseIdMap('0 -1 5'), SyntaxError);
});

test('ids are translated both ways, at the edges of ranges too', () => {
  const map = parseIdMap('0 1000 1\n1 100000 65536\n');
  assert.equal(toHostId(map, 0), 1000);
  assert.equal(toHostId(map, 1), 100000);
  assert.equal(toHostId(map, 65536), 165535);
  assert.equal(toHostId(map, 65537), undefined);
  assert.equal(toContainerId(map, 165535), 65536);
  assert.equal(toContainerId(map, 165536), undefined);
  assert.equal(toContainerId(map, 999), undefined);
});

test('subordinate ids by name and by number', () => {
  const text =
    'ann:100000:65536\nbob:165536:65536\n# ann:1:2\n1000:300000:10\nann:4294967290:10\nann:5:0\nann:x:1\n:1:1';
  assert.deepEqual(subordinateRanges(text, 'ann', 1000), [
    { start: 100000, count: 65536 },
    { start: 300000, count: 10 },
  ]);
  assert.deepEqual(subordinateRanges(text, 'bob', 1001), [{ start: 165536, count: 65536 }]);
  assert.deepEqual(subordinateRanges(text, 'eve', 1002), []);
  assert.deepEqual(subordinateRanges(text, '', 1002), []);
});
