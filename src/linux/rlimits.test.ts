// Tests of resource limit names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRlimit, RLIM_INFINITY, rlimitName, rlimitNumber } from './rlimits.ts';

test('names and numbers', () => {
  assert.equal(rlimitNumber('RLIMIT_NOFILE'), 7);
  assert.equal(rlimitNumber('RLIMIT_RTTIME'), 15);
  assert.equal(rlimitNumber('nofile'), undefined);
  assert.equal(rlimitNumber('valueOf'), undefined);
  assert.equal(rlimitName(0), 'RLIMIT_CPU');
  assert.equal(rlimitName(16), undefined);
  assert.equal(parseRlimit('nproc'), 'RLIMIT_NPROC');
  assert.equal(parseRlimit('rlimit_core'), 'RLIMIT_CORE');
  assert.equal(parseRlimit('files'), undefined);
});

test('infinity keeps its 64 bits', () => {
  assert.equal(RLIM_INFINITY, 18446744073709551615n);
});
