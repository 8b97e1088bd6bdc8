// Tests of redaction: a secret in any of its forms, and what looks like one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { oneLine, Secrets } from './redaction.ts';

test('redaction: known secrets in every form', () => {
  const secrets = new Secrets();
  secrets.add('p@ss/word&', 'alice');
  secrets.add('p@ss/word&longer');
  const basic = Buffer.from('alice:p@ss/word&').toString('base64');
  const text = `p@ss/word& ${encodeURIComponent('p@ss/word&')} ${basic} ${Buffer.from('p@ss/word&').toString('base64')} p@ss/word&longer`;
  assert.equal(secrets.redact(text), '*** *** *** *** ***');
  secrets.add('the');
  assert.equal(secrets.redact('the end'), 'the end');
});

test('redaction: what looks like a secret although nobody knows it', () => {
  const secrets = new Secrets();
  assert.equal(secrets.redact('Authorization: Bearer abc.def-ghi_jkl'), 'Authorization: Bearer ***');
  assert.equal(secrets.redact('bearer of news'), 'bearer of news');
  assert.equal(secrets.redact('http://alice:pw@host/x'), 'http://***@host/x');
  assert.equal(
    secrets.redact('?refresh_token=abc&X-Amz-Signature=def&sig=1&n=2'),
    '?refresh_token=***&X-Amz-Signature=***&sig=***&n=2',
  );
  const began = Date.now();
  secrets.redact(`http://${'a'.repeat(100_000)} ${'Bearer '.repeat(10_000)}`);
  assert.ok(Date.now() - began < 1000);
});

test('redaction: untrusted text becomes one line of bounded length', () => {
  assert.equal(oneLine('a\u001b[31m\r\n\u202eb  c'), 'a [31m b c');
  assert.equal(oneLine('x'.repeat(1_000_000)).length, 300);
});
