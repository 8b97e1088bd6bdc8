// Tests of retries: what passes, how long to wait, and when no longer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaissonError } from '../spec/error.ts';
import { DEFAULT_RETRIES, isPassing, PassingError, Waits, waitBefore } from './retry.ts';

const failed = (code: string) => Object.assign(new Error(code), { code });

test('retry: what may pass by itself', () => {
  for (const code of ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ESTALLED', 'EAI_AGAIN'])
    assert.ok(isPassing(failed(code)), code);
  for (const code of ['ENOTFOUND', 'ECONNREFUSED', 'CERT_HAS_EXPIRED', 'EDENIED', 'ESIZE', 'ECANCELED'])
    assert.ok(!isPassing(failed(code)), code);
  assert.ok(!isPassing(undefined));
});

test('retry: waits double up to a limit, are spread, and end', () => {
  const policy = { ...DEFAULT_RETRIES, attempts: 8, firstWait: 100, longestWait: 1000 };
  const longest = [1, 2, 3, 4, 5, 6, 7, 8].map((attempt) =>
    waitBefore(policy, attempt, failed('EPIPE'), () => 1),
  );
  assert.deepEqual(longest, [100, 200, 400, 800, 1000, 1000, 1000, undefined]);
  assert.equal(
    waitBefore(policy, 1, failed('EPIPE'), () => 0),
    25,
  );
  assert.equal(waitBefore(policy, 2, failed('ETIMEDOUT')), undefined);
  assert.equal(waitBefore(policy, 1, failed('ENOTFOUND')), undefined);
});

test('retry: Retry-After is the least; a long one is not waited for', () => {
  const error = (after: number) =>
    new PassingError(new CaissonError('x', { code: 'ERATELIMIT', details: ['d'] }), after);
  const wait = waitBefore(DEFAULT_RETRIES, 1, error(5), () => 1);
  assert.equal(wait, 5500);
  assert.equal(waitBefore(DEFAULT_RETRIES, 1, error(61)), undefined);
  assert.deepEqual([error(1).code, error(1).message, error(1).details], ['ERATELIMIT', 'x', ['d']]);
});

test('retry: a wait ends with its registry', async () => {
  const waits = new Waits();
  const pending = waits.wait(60_000);
  waits.close();
  await assert.rejects(pending, { code: 'ECANCELED' });
  await assert.rejects(waits.wait(1), { code: 'ECANCELED' });
});
