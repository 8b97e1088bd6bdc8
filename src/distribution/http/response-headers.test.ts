// Tests of response headers: what registries send, and what they should not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  durationText,
  nextLink,
  parseContentRange,
  parseRateLimit,
  parseRetryAfter,
  parseUploadRange,
  plainMediaType,
  rateLimitText,
} from './response-headers.ts';

test('headers: Link of the relation next', () => {
  assert.equal(nextLink(['</v2/a/tags/list?n=2&last=b>; rel="next"']), '/v2/a/tags/list?n=2&last=b');
  assert.equal(nextLink(['<a>; rel=prev, <b>; rel=next']), 'b');
  assert.equal(nextLink(['<a>; title="x, rel=next"; rel="prev first"', '<b>; rel="last next"']), 'b');
  assert.equal(nextLink(['<a>; rel="nextish"']), undefined);
  assert.equal(nextLink(['a; rel=next', '']), undefined);
  assert.equal(nextLink([]), undefined);
  const began = Date.now();
  nextLink([`${'<'.repeat(8000)}; rel=next`, `<a>${';'.repeat(8000)}`, `<a>; rel="${' '.repeat(8000)}`]);
  assert.ok(Date.now() - began < 300);
});

test('headers: ranges', () => {
  assert.deepEqual(parseContentRange('bytes 5-9/10'), { start: 5, end: 9, total: 10 });
  assert.deepEqual(parseContentRange('bytes 5-9/*'), { start: 5, end: 9 });
  for (const wrong of [
    '',
    'bytes */10',
    'bytes 9-5/10',
    'bytes 5-10/10',
    'items 1-2/3',
    'bytes 1-2',
    'bytes 1-99999999999999999/*',
  ])
    assert.equal(parseContentRange(wrong), undefined, wrong);
  assert.equal(parseUploadRange('0-99'), 100);
  assert.equal(parseUploadRange('bytes=0-99'), 100);
  assert.equal(parseUploadRange('0-0'), 0);
  for (const wrong of [undefined, '', '1-5', '0--1', '0-', '-1'])
    assert.equal(parseUploadRange(wrong), undefined);
});

test('headers: Retry-After in seconds and as a date', () => {
  const now = Date.parse('Mon, 30 Nov 2026 12:00:00 GMT');
  assert.equal(parseRetryAfter('120', now), 120);
  assert.equal(parseRetryAfter('Mon, 30 Nov 2026 12:01:30 GMT', now), 90);
  assert.equal(parseRetryAfter('Mon, 30 Nov 2026 11:00:00 GMT', now), 0);
  for (const wrong of [undefined, '', '-1', '1.5', 'soon', '9999999999999'])
    assert.equal(parseRetryAfter(wrong, now), undefined);
});

test('headers: rate limits as a person reads them', () => {
  const parse = (headers: Record<string, string>) => parseRateLimit((name) => headers[name]);
  const hub = parse({ 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '76;w=21600' });
  assert.deepEqual(hub, { limit: 100, remaining: 76, seconds: 21600 });
  assert.equal(rateLimitText(hub ?? {}), '76 of 100 requests left in 6 hours');
  assert.deepEqual(parse({ 'x-ratelimit-remaining': '0', 'ratelimit-reset': '30' }), {
    remaining: 0,
    seconds: 30,
  });
  assert.equal(parse({}), undefined);
  assert.equal(parse({ 'ratelimit-limit': 'many' }), undefined);
  assert.equal(durationText(1), '1 second');
  assert.equal(durationText(119.5), '120 seconds');
  assert.equal(durationText(300), '5 minutes');
});

test('headers: a media type without its parameters', () => {
  assert.equal(plainMediaType('Application/JSON; charset=utf-8'), 'application/json');
  assert.equal(plainMediaType(undefined), '');
});
