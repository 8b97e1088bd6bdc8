// Tests of the proxies of the environment, against the rules of Go's httpproxy.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaissonError } from '../../spec/error.ts';
import { originOf } from './origin.ts';
import { proxyOfEnvironment } from './proxy.ts';

function choose(environment: Record<string, string>, url: string) {
  const origin = originOf(new URL(url));
  assert.ok(origin);
  const proxy = proxyOfEnvironment((name) => environment[name])(origin);
  return proxy === undefined ? 'direct' : `${proxy.scheme}://${proxy.host}:${proxy.port}`;
}

test('proxy: by scheme, upper case first, this host never', () => {
  const environment = { HTTPS_PROXY: 'http://p:3128', https_proxy: 'http://q:1', http_proxy: 'r:8080' };
  assert.equal(choose(environment, 'https://a.example/'), 'http://p:3128');
  assert.equal(choose(environment, 'http://a.example/'), 'http://r:8080');
  for (const own of ['https://localhost/', 'https://127.0.0.9/', 'https://[::1]/'])
    assert.equal(choose(environment, own), 'direct');
  assert.equal(choose({}, 'https://a.example/'), 'direct');
  assert.equal(choose({ HTTP_PROXY: 'http://evil:1', REQUEST_METHOD: 'GET' }, 'http://a.example/'), 'direct');
  assert.equal(choose({ HTTPS_PROXY: 'https://p' }, 'https://a.example/'), 'https://p:443');
});

test('proxy: SOCKS, and ALL_PROXY for what has none of its own', () => {
  for (const scheme of ['socks5', 'socks5h', 'SOCKS5H'])
    assert.equal(choose({ HTTPS_PROXY: `${scheme}://p` }, 'https://a.example/'), 'socks5://p:1080');
  const both = { ALL_PROXY: 'socks5h://q:9', HTTPS_PROXY: 'http://p:1' };
  assert.equal(choose(both, 'https://a.example/'), 'http://p:1');
  assert.equal(choose(both, 'http://a.example/'), 'socks5://q:9');
  assert.equal(choose({ all_proxy: 'socks5://q', NO_PROXY: 'example' }, 'http://a.example/'), 'direct');
  assert.equal(choose({ ALL_PROXY: 'socks5://q' }, 'http://127.0.0.1/'), 'direct');
  const origin = originOf(new URL('https://a.example/'));
  assert.ok(origin);
  const proxy = proxyOfEnvironment((name) => (name === 'ALL_PROXY' ? 'socks5h://u%40x:p@q' : undefined))(
    origin,
  );
  assert.deepEqual(proxy, { scheme: 'socks5', host: 'q', port: 1080, user: { name: 'u@x', password: 'p' } });
});

test('proxy: NO_PROXY', () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['*', 'https://a.example/', true],
    ['example', 'https://a.example/', true],
    ['a.example', 'https://a.example/', true],
    ['a.example', 'https://b.a.example/', true],
    ['a.example', 'https://ba.example/', false],
    ['.a.example', 'https://a.example/', false],
    ['.a.example', 'https://b.a.example/', true],
    ['*.a.example', 'https://b.a.example/', true],
    ['A.Example:8443', 'https://a.example:8443/', true],
    ['a.example:8443', 'https://a.example/', false],
    ['10.0.0.1', 'https://10.0.0.1/', true],
    ['10.0.0.0/8', 'https://10.200.3.4/', true],
    ['10.0.0.0/9', 'https://10.200.3.4/', false],
    ['fd00::/8', 'https://[fd12::1]/', true],
    ['fd00::/8', 'https://[2001:db8::1]/', false],
    ['10.0.0.0/8', 'https://a.example/', false],
    ['x, ,a.example', 'https://a.example/', true],
    ['/8', 'https://a.example/', false],
  ];
  for (const [rules, url, isDirect] of cases) {
    const chosen = choose({ HTTPS_PROXY: 'http://p:1', NO_PROXY: rules }, url);
    assert.equal(chosen === 'direct', isDirect, `${rules} ${url}`);
  }
});

test('proxy: passwords, and proxies that cannot be used', () => {
  const origin = originOf(new URL('https://a.example/'));
  assert.ok(origin);
  const proxy = proxyOfEnvironment((name) => (name === 'HTTPS_PROXY' ? 'http://u%40x:p%3Aw@p' : undefined))(
    origin,
  );
  assert.equal(proxy?.authorization, `Basic ${Buffer.from('u@x:p:w').toString('base64')}`);
  for (const wrong of ['socks4://p:1', 'http://%zz:canary@p', 'http://[', 'http://u:canary@[']) {
    assert.throws(
      () => choose({ HTTPS_PROXY: wrong }, 'https://a.example/'),
      (error: unknown) =>
        error instanceof CaissonError && error.code === 'EPROXY' && !error.message.includes('canary'),
    );
  }
});
