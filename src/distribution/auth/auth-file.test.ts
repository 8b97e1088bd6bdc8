// Tests of credential files: whose entry is whose, and what login changes of a file.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaissonError } from '../../spec/error.ts';
import { credentialsIn, hasEntry, helperIn, parseAuthFile, withCredentials } from './auth-file.ts';
import { keyFit, keyMeaning, normalHost, serverName } from './credential-key.ts';

const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') });

function file(document: object) {
  return parseAuthFile(JSON.stringify(document), '/f');
}

test('credential keys: one registry, however it is written', () => {
  for (const key of [
    'docker.io',
    'index.docker.io',
    'https://index.docker.io/v1/',
    'registry-1.docker.io',
    'http://docker.io/',
  ])
    assert.equal(keyFit(key, 'docker.io', 'library/x'), 0, key);
  for (const key of [
    'docker.io.evil.example',
    'evil.example/docker.io',
    'https://evil.example/https://index.docker.io/v1/',
    'auth.docker.io',
  ])
    assert.equal(keyFit(key, 'docker.io', 'library/x'), -1, key);
  assert.equal(keyFit('r.example:5000', 'r.example', 'x'), -1);
  assert.equal(keyFit('R.Example/v2/', 'r.example', 'x'), 0);
  assert.deepEqual(keyMeaning('r.example/team/app'), { host: 'r.example', namespace: 'team/app' });
  assert.equal(keyFit('r.example/team', 'r.example', 'team/app'), 4);
  assert.equal(keyFit('r.example/team', 'r.example', 'teams/app'), -1);
  assert.equal(normalHost('Index.Docker.IO'), 'docker.io');
  assert.equal(serverName('docker.io'), 'https://index.docker.io/v1/');
});

test('auth file: passwords, tokens, and the most specific entry', () => {
  const document = file({
    auths: {
      'r.example': auth('a:p:w'),
      'r.example/team': auth('b:2'),
      't.example': { ...auth('c:'), identitytoken: 'it' },
      'u.example': { registrytoken: 'rt' },
      'v.example': { username: 'd', password: '3' },
      'w.example': {},
      'https://x.example/v1/': auth('e:4\0\0'),
    },
  });
  assert.deepEqual(credentialsIn(document, 'r.example', 'x'), {
    kind: 'password',
    user: 'a',
    password: 'p:w',
  });
  assert.deepEqual(credentialsIn(document, 'r.example', 'team/x'), {
    kind: 'password',
    user: 'b',
    password: '2',
  });
  assert.deepEqual(credentialsIn(document, 't.example', ''), { kind: 'identity', token: 'it', user: 'c' });
  assert.deepEqual(credentialsIn(document, 'u.example', ''), { kind: 'bearer', token: 'rt' });
  assert.deepEqual(credentialsIn(document, 'v.example', ''), { kind: 'password', user: 'd', password: '3' });
  assert.deepEqual(credentialsIn(document, 'x.example', ''), { kind: 'password', user: 'e', password: '4' });
  for (const host of ['w.example', 'r.example:80', 'y.example'])
    assert.equal(credentialsIn(document, host, 'x'), undefined);
});

test('auth file: helpers', () => {
  const document = file({
    credsStore: 'secretservice',
    credHelpers: { 'r.example': 'pass', 'https://index.docker.io/v1/': 'hub' },
  });
  assert.deepEqual(helperIn(document, 'r.example'), { name: 'pass', isOwn: true });
  assert.deepEqual(helperIn(document, 'docker.io'), { name: 'hub', isOwn: true });
  assert.deepEqual(helperIn(document, 's.example'), { name: 'secretservice', isOwn: false });
  assert.equal(helperIn(file({}), 'r.example'), undefined);
});

test('auth file: a change keeps everything else', () => {
  const before = file({
    auths: {
      'r.example': auth('a:1'),
      'https://r.example/v2/': auth('a:0'),
      'r.example/team': auth('b:2'),
      z: {},
    },
    psFormat: 'x',
    n: 12345678901234567890n.toString(),
  });
  const after = parseAuthFile(
    withCredentials(before, 'r.example', { kind: 'password', user: 'c', password: 'é' }),
    '/f',
  );
  assert.deepEqual(credentialsIn(after, 'r.example', ''), { kind: 'password', user: 'c', password: 'é' });
  assert.deepEqual(Object.keys(after.document.auths ?? {}), ['r.example/team', 'z', 'r.example']);
  assert.equal(after.document.psFormat, 'x');
  const gone = parseAuthFile(withCredentials(after, 'r.example', undefined), '/f');
  assert.equal(hasEntry(gone, 'r.example'), false);
  assert.deepEqual(credentialsIn(gone, 'r.example', 'team/x'), {
    kind: 'password',
    user: 'b',
    password: '2',
  });
  const helped = parseAuthFile(withCredentials(after, 'r.example', 'by-helper'), '/f');
  assert.deepEqual((helped.document.auths as Record<string, unknown>)['r.example'], {});
});

test('auth file: what is malformed is said without showing it', () => {
  for (const text of [
    '{"auths":{"r.example":{"auth":"canary-secret"',
    '["canary-secret"]',
    '{"auths":{"r.example":{"auth":"Y2FuYXJ5"}}}',
  ]) {
    assert.throws(
      () => credentialsIn(parseAuthFile(text, '/f'), 'r.example', ''),
      (error: unknown) =>
        error instanceof CaissonError && error.code === 'EAUTHFILE' && !error.message.includes('canary'),
    );
  }
  assert.deepEqual(parseAuthFile(' \n', '/f').document, {});
});
