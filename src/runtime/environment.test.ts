// The environment as runc prepares it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasHome, preparedEnvironment } from './environment.ts';

test('of entries with one name the last stays, where it stands', () => {
  assert.deepEqual(preparedEnvironment(['A=1', 'HOME=/h', 'B=2', 'A=3=4'], '/x'), [
    'HOME=/h',
    'B=2',
    'A=3=4',
  ]);
});

test('HOME is put in where there is none, or an empty one', () => {
  assert.deepEqual(preparedEnvironment(['A=1'], '/root'), ['A=1', 'HOME=/root']);
  assert.deepEqual(preparedEnvironment(['HOME=', 'A=1'], '/root'), ['A=1', 'HOME=/root']);
  assert.deepEqual(preparedEnvironment(['HOME=/a', 'HOME='], '/root'), ['HOME=/root']);
  assert.deepEqual(
    [hasHome(['HOME=']), hasHome(['XHOME=1']), hasHome(['HOME=', 'HOME=/'])],
    [false, false, true],
  );
});
