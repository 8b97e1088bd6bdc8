// Tests of origins: where an answer may lead, and what is shown of a URL.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaissonError } from '../../spec/error.ts';
import type { AddressClass } from './address-class.ts';
import { leadTo, originOf, originText, sameOrigin, shownUrl } from './origin.ts';

function origin(url: string) {
  const found = originOf(new URL(url));
  assert.ok(found);
  return found;
}

test('origin: scheme, host and port, as URLs have them', () => {
  assert.ok(sameOrigin(origin('https://A.example/x'), origin('https://a.example:443/y?z')));
  for (const other of [
    'http://a.example:443/',
    'https://a.example:444/',
    'https://b.example/',
    'https://a.example./',
  ])
    assert.ok(!sameOrigin(origin('https://a.example/'), origin(other)), other);
  assert.equal(originText(origin('http://[::1]:80/')), 'http://[::1]');
  assert.equal(originOf(new URL('ftp://a/')), undefined);
});

function lead(target: string, base: string, from: AddressClass): string {
  try {
    return leadTo(target, new URL(base), from, 'redirect').href;
  } catch (error) {
    assert.ok(error instanceof CaissonError && error.code === 'EREDIRECT', String(error));
    return 'refused';
  }
}

test('origin: leads that are followed', () => {
  assert.equal(lead('/x?y#z', 'https://r.example/v2/', 'public'), 'https://r.example/x?y');
  assert.equal(lead('https://cdn.example/x', 'https://r.example/', 'public'), 'https://cdn.example/x');
  assert.equal(lead('https://cdn.example/x', 'http://r.example/', 'public'), 'https://cdn.example/x');
  assert.equal(lead('http://10.0.0.2/x', 'http://10.0.0.1/', 'private'), 'http://10.0.0.2/x');
  assert.equal(lead('https://10.0.0.1:9/x', 'https://10.0.0.1/', 'public'), 'https://10.0.0.1:9/x');
});

test('origin: leads that are not', () => {
  const cases: readonly (readonly [string, string, AddressClass])[] = [
    ['http://r.example/', 'https://r.example/', 'public'],
    ['//u:p@r.example/', 'https://r.example/', 'public'],
    ['file:///etc/passwd', 'https://r.example/', 'public'],
    ['data:,x', 'https://r.example/', 'public'],
    ['https://[', 'https://r.example/', 'public'],
    ['https://169.254.169.254/', 'https://r.example/', 'public'],
    ['https://169.254.169.254/', 'https://10.0.0.1/', 'private'],
    ['https://10.0.0.1/', 'https://r.example/', 'public'],
    ['https://127.1/', 'https://10.0.0.1/', 'private'],
    ['https://0x7f000001/', 'https://r.example/', 'public'],
    ['https://017700000001/', 'https://r.example/', 'public'],
    ['https://[::ffff:7f00:1]/', 'https://r.example/', 'public'],
    ['https://localhost/', 'https://r.example/', 'public'],
    ['https://foo.localhost./', 'https://r.example/', 'public'],
    ['https://127。0。0。1/', 'https://r.example/', 'public'],
  ];
  for (const [target, base, from] of cases) assert.equal(lead(target, base, from), 'refused', target);
});

test('origin: a URL is shown without what may be a secret', () => {
  assert.equal(shownUrl(new URL('https://u:p@h.example:8/a/b?sig=x#y')), 'https://h.example:8/a/b?...');
});
