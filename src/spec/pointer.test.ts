// Tests of JSON pointers against the examples of RFC 6901, section 5.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { escapePointer, lookupPointer, pointerOf, pointerTokens, unescapePointer } from './pointer.ts';

const DOCUMENT = {
  foo: ['bar', 'baz'],
  '': 0,
  'a/b': 1,
  'c%d': 2,
  'm~n': 8,
  ' ': 7,
  '~1': 9,
};

test('pointer: the examples of RFC 6901', () => {
  const expected: readonly (readonly [string, unknown])[] = [
    ['', DOCUMENT],
    ['/foo', ['bar', 'baz']],
    ['/foo/0', 'bar'],
    ['/', 0],
    ['/a~1b', 1],
    ['/c%d', 2],
    ['/m~0n', 8],
    ['/ ', 7],
    ['/~01', 9],
  ];
  for (const [pointer, value] of expected) {
    assert.deepEqual(lookupPointer(DOCUMENT, pointer), value, pointer);
    assert.equal(pointerOf(pointerTokens(pointer)), pointer);
  }
});

test('pointer: what is not there is undefined, inherited properties too', () => {
  for (const pointer of [
    '/foo/2',
    '/foo/01',
    '/foo/-',
    '/foo/length',
    '/toString',
    '/foo/0/x',
    '/__proto__',
  ]) {
    assert.equal(lookupPointer(DOCUMENT, pointer), undefined, pointer);
  }
  assert.throws(() => lookupPointer(DOCUMENT, 'foo'), RangeError);
});

test('pointer: escape and unescape are inverse', () => {
  for (const token of ['', '~', '/', '~1', '~01', 'a~/b', '//~~']) {
    assert.equal(unescapePointer(escapePointer(token)), token);
    assert.ok(!escapePointer(token).includes('/'));
  }
  assert.equal(pointerOf(['linux', 'sysctl', 'net/ipv4', 3]), '/linux/sysctl/net~1ipv4/3');
});
