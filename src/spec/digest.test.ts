// Tests of digests: what is one, what is not, and why.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, isDigest, parseDigest, shortDigest, splitDigest } from './digest.ts';
import { CaissonError } from './error.ts';

const HEX = '0123456789abcdef'.repeat(4);

test('digest: sha256 and sha512 in their canonical form', () => {
  const digest = parseDigest(`sha256:${HEX}`);
  assert.deepEqual(splitDigest(digest), { algorithm: 'sha256', hex: HEX });
  assert.deepEqual(splitDigest(parseDigest(`sha512:${HEX}${HEX}`)), { algorithm: 'sha512', hex: HEX + HEX });
  assert.equal(shortDigest(digest), '0123456789ab');
  assert.equal(digestOf('sha256', HEX), digest);
});

test('digest: what would be a path, another spelling or another algorithm is refused with the reason', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /no algorithm/],
    [HEX, /no algorithm/],
    [`sha384:${HEX}`, /algorithm is not/],
    [`sha256+b64:${HEX}`, /algorithm is not/],
    [`SHA256:${HEX}`, /algorithm is not/],
    [`sha256:${HEX.slice(1)}`, /63 digits/],
    [`sha256:${HEX}0`, /65 digits/],
    [`sha512:${HEX}`, /64 digits and sha512 has 128/],
    [`sha256:${HEX.toUpperCase()}`, /not lower-case/],
    [`sha256:../../../../etc/passwd${HEX.slice(22)}`, /not lower-case/],
    [`sha256:${HEX}\n`, /65 digits/],
    [`sha256:${HEX.slice(1)}\n`, /not lower-case/],
    [`sha256:${HEX.slice(4)}\u0660\u0661\u0662\u0663`, /not lower-case/],
    [`../sha256:${HEX}`, /algorithm is not/],
  ];
  for (const [text, why] of cases) {
    assert.equal(isDigest(text), false, text);
    assert.throws(
      () => parseDigest(text),
      (error: unknown) =>
        error instanceof CaissonError && error.code === 'EDIGEST' && why.test(error.message),
      text,
    );
  }
});

test('digest: a message of untrusted text is one short line', () => {
  const text = `sha256:${'\u001b[31m\n'.repeat(100_000)}`;
  assert.throws(
    () => parseDigest(text),
    (error: unknown) =>
      error instanceof CaissonError && error.message.length < 1200 && !/[\u0000-\u001f]/.test(error.message),
  );
});
