// Tests of the names that stand for removed files.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whiteoutName, whiteoutOf } from './whiteout.ts';

test('what a name says', () => {
  assert.equal(whiteoutOf('etc/passwd'), undefined);
  assert.equal(whiteoutOf('etc/x.wh.y'), undefined);
  assert.deepEqual(whiteoutOf('.wh.a'), { kind: 'gone', path: 'a' });
  assert.deepEqual(whiteoutOf('d/.wh.a'), { kind: 'gone', path: 'd/a' });
  assert.deepEqual(whiteoutOf('d/.wh..hidden'), { kind: 'gone', path: 'd/.hidden' });
  assert.deepEqual(whiteoutOf('d/.wh..wh..opq'), { kind: 'opaque', path: 'd' });
  assert.deepEqual(whiteoutOf('.wh..wh..opq'), { kind: 'opaque', path: '' });
  for (const aufs of ['.wh..wh.plnk', '.wh..wh.plnk/1.2', '.wh..wh.aufs', 'd/.wh.x/y'])
    assert.deepEqual(whiteoutOf(aufs), { kind: 'metadata' }, aufs);
  for (const bad of ['.wh.', 'd/.wh..', 'd/.wh...']) assert.throws(() => whiteoutOf(bad), /no name/, bad);
  assert.deepEqual(whiteoutOf(`d/${whiteoutName('x')}`), { kind: 'gone', path: 'd/x' });
});
