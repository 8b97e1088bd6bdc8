// Tests of error names and texts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRNO, errnoName, errnoText, parseErrno } from './errno.ts';

test('names and texts of both signs', () => {
  assert.equal(errnoName(2), 'ENOENT');
  assert.equal(errnoName(-11), 'EAGAIN');
  assert.equal(errnoText(2), 'no such file or directory');
  assert.equal(errnoText(-1), 'operation not permitted');
  assert.equal(errnoText(5), 'input/output error');
  assert.equal(errnoText(40), 'too many levels of symbolic links');
  assert.equal(errnoText(133), 'memory page has hardware error');
});

test('unknown numbers', () => {
  assert.equal(errnoName(512), 'errno 512');
  assert.equal(errnoText(41), 'unknown error 41');
});

test('numbers by name', () => {
  assert.equal(ERRNO.EPERM, 1);
  assert.equal(parseErrno('ENOSYS'), 38);
  assert.equal(parseErrno('EWOULDBLOCK'), 11);
  assert.equal(parseErrno('ENOTSUP'), 95);
  assert.equal(parseErrno('toString'), undefined);
  assert.equal(parseErrno('eperm'), undefined);
});

test('every number has a name of its own', () => {
  const numbers = Object.values(ERRNO);
  assert.equal(new Set(numbers).size, numbers.length);
  for (const [name, number] of Object.entries(ERRNO)) assert.equal(errnoName(number), name);
});
