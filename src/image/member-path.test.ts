// Tests of the names of archive members.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memberPath, splitPath } from './member-path.ts';

test('a name becomes plain components', () => {
  assert.equal(memberPath('./etc//passwd'), 'etc/passwd');
  assert.equal(memberPath('/usr/./bin/'), 'usr/bin');
  assert.equal(memberPath('./'), '');
  assert.equal(memberPath('...'), '...');
  assert.equal(memberPath('a..b/.c'), 'a..b/.c');
});

test('`..` anywhere is refused, and so is a name that is too long', () => {
  for (const name of ['..', '../a', 'a/..', 'a/../b', '/..'])
    assert.throws(() => memberPath(name), /`\.\.`/, name);
  assert.equal(memberPath('n'.repeat(255)).length, 255);
  assert.throws(() => memberPath(`a/${'n'.repeat(256)}`), /256 bytes/);
});

test('parents and last names', () => {
  assert.deepEqual(splitPath('a/b/c'), { parent: 'a/b', name: 'c' });
  assert.deepEqual(splitPath('a'), { parent: '', name: 'a' });
});
