// Tests of registries.conf: its files, its rules, mirrors, short names, and the errors in it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'smol-toml';
import { CaissonError } from '../../spec/error.ts';
import { canonical, parseReference } from '../../spec/reference.ts';
import { candidatesOf, isInsecureHost, placesToPull, placeToPush, ruleFor } from './places.ts';
import { mergeRegistriesConf, type RegistriesConf, readRegistriesConf } from './registries-conf.ts';

const DIGEST = `@sha256:${'0'.repeat(64)}`;

function conf(text: string): RegistriesConf {
  return readRegistriesConf(parse(text), '/r.conf');
}

function places(text: string, name: string): string[] {
  return placesToPull(conf(text), parseReference(name)).map(
    ({ host, repository, verify, isMirror }) =>
      `${host}/${repository}${verify ? '' : ' insecure'}${isMirror ? ' mirror' : ''}`,
  );
}

const MANUAL = `
unqualified-search-registries = ["example.com"]
[[registry]]
prefix = "example.com/foo"
insecure = false
blocked = false
location = "internal-registry-for-example.com/bar"
[[registry.mirror]]
location = "example-mirror-0.local/mirror-for-foo"
[[registry.mirror]]
location = "example-mirror-1.local/mirrors/foo"
insecure = true
`;

test('registries.conf: the example of its manual page', () => {
  assert.deepEqual(places(MANUAL, 'example.com/foo/image:latest'), [
    'example-mirror-0.local/mirror-for-foo/image mirror',
    'example-mirror-1.local/mirrors/foo/image insecure mirror',
    'internal-registry-for-example.com/bar/image',
  ]);
  assert.deepEqual(places(MANUAL, 'example.com/food/image'), ['example.com/food/image']);
  assert.equal(placeToPush(conf(MANUAL), parseReference('example.com/foo/image')).host, 'example.com');
});

test('registries.conf: the longest prefix; tags, digests and wildcards in it', () => {
  const text = `
[[registry]]
prefix = "*.example.com"
location = "one"
[[registry]]
prefix = "a.example.com/x"
location = "two/y"
[[registry]]
prefix = "a.example.com/x/z:1"
location = "three/z"
[[registry]]
location = "docker.io/library"
[[registry.mirror]]
location = "hub:5000"
`;
  assert.deepEqual(places(text, 'b.example.com/q/r'), ['one/q/r']);
  assert.deepEqual(places(text, 'example.com/q/r'), ['example.com/q/r']);
  assert.deepEqual(places(text, 'a.example.com/x/r'), ['two/y/r']);
  assert.deepEqual(places(text, 'a.example.com/x/z:1'), ['three/z']);
  assert.deepEqual(places(text, 'a.example.com/x/z:12'), ['two/y/z']);
  assert.deepEqual(places(text, 'debian'), ['hub:5000/debian mirror', 'docker.io/library/debian']);
  assert.deepEqual(places(text, 'user/app'), ['docker.io/user/app']);
});

test('registries.conf: mirrors for digests only and for tags only', () => {
  const text = (mirror: string, registry = '') => `
[[registry]]
location = "r.example"
${registry}
[[registry.mirror]]
location = "m.example"
${mirror}
`;
  const asked = (configuration: string, name: string) => places(configuration, name).length === 2;
  for (const configuration of [
    text('pull-from-mirror = "digest-only"'),
    text('', 'mirror-by-digest-only = true'),
  ]) {
    assert.ok(asked(configuration, `r.example/x${DIGEST}`));
    assert.ok(!asked(configuration, 'r.example/x:1'));
  }
  assert.ok(asked(text('pull-from-mirror = "tag-only"'), 'r.example/x:1'));
  assert.ok(!asked(text('pull-from-mirror = "tag-only"'), `r.example/x${DIGEST}`));
});

test('registries.conf: blocked and insecure; without TLS only where it is said', () => {
  const text = `[[registry]]\nlocation = "bad.example"\nblocked = true\n[[registry]]\nlocation = "lan:5000"\ninsecure = true\n`;
  for (const find of [placesToPull, placeToPush]) {
    assert.throws(() => find(conf(text), parseReference('bad.example/x')), { code: 'EBLOCKED' });
  }
  const schemes = (name: string) =>
    placeToPush(conf(text), parseReference(name)).origins.map(({ scheme }) => scheme);
  assert.deepEqual(schemes('lan:5000/x'), ['https', 'http']);
  assert.deepEqual(schemes('127.0.0.1:5000/x'), ['https', 'http']);
  assert.deepEqual(schemes('lan:5001/x'), ['https']);
  assert.deepEqual(schemes('a.localhost:5001/x'), ['https']);
  assert.equal(placeToPush(conf(text), parseReference('127.0.0.1:5000/x')).verify, true);
  assert.equal(isInsecureHost(conf(text), 'lan:5000'), true);
  assert.equal(ruleFor(conf(text), 'lan:50001/x'), undefined);
});

test('registries.conf: short names', () => {
  const text = `
unqualified-search-registries = ["a.example", "docker.io", "plain"]
[aliases]
"debian" = "b.example/mirror/debian"
"user/app" = ""
`;
  const found = (name: string, configuration = text) =>
    candidatesOf(conf(configuration), name).references.map(canonical);
  assert.deepEqual(found('debian:12'), ['b.example/mirror/debian:12']);
  assert.deepEqual(found(`debian${DIGEST}`), [`b.example/mirror/debian${DIGEST}`]);
  assert.deepEqual(found('x'), ['a.example/x:latest', 'docker.io/library/x:latest', 'plain/x:latest']);
  assert.deepEqual(found('user/app:1'), ['a.example/user/app:1', 'docker.io/user/app:1', 'plain/user/app:1']);
  assert.deepEqual(found('q.example/x'), ['q.example/x:latest']);
  assert.deepEqual(found('x', ''), ['docker.io/library/x:latest']);
  assert.throws(() => found('x', 'unqualified-search-registries = []'), { code: 'ESHORTNAME' });
  assert.equal(candidatesOf(conf(`short-name-mode = "enforcing"\n${text}`), 'x').isAmbiguous, true);
  assert.equal(candidatesOf(conf(text), 'x').isAmbiguous, false);
});

test('registries.conf: drop-in files go over the main one', () => {
  const later = conf(
    `[[registry]]\nprefix = "example.com/foo"\nlocation = "other/foo"\n[aliases]\n"x" = "a.b/x"\n`,
  );
  const merged = mergeRegistriesConf(conf(`short-name-mode = "disabled"\n${MANUAL}`), later);
  assert.deepEqual(
    merged.rules.map(({ location }) => location),
    ['other/foo'],
  );
  assert.deepEqual(merged.search, ['example.com']);
  assert.equal(merged.shortNameMode, 'disabled');
  assert.equal(merged.aliases.get('x'), 'a.b/x');
});

test('registries.conf: version 1', () => {
  const text = `[registries.search]\nregistries = ['a.example']\n[registries.insecure]\nregistries = ['b']\n[registries.block]\nregistries = ['c.example']\n`;
  assert.deepEqual(conf(text).search, ['a.example']);
  assert.equal(isInsecureHost(conf(text), 'b'), true);
  assert.throws(() => placesToPull(conf(text), parseReference('c.example/x')), { code: 'EBLOCKED' });
});

test('registries.conf: what is wrong is said with the file', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['[[registry]]\nblocked = true', /neither prefix nor location/],
    ['[[registry]]\nlocation = "https://x"', /is not host/],
    ['[[registry]]\nlocation = "x/../y"\ninsecure = "yes"', /true or false/],
    ['[[registry]]\nlocation = "x"\n[[registry.mirror]]\ninsecure = true', /no location/],
    [
      '[[registry]]\nlocation = "x"\n[[registry.mirror]]\nlocation = "y"\npull-from-mirror = "never"',
      /all, digest-only or tag-only/,
    ],
    ['[registry]\nlocation = "x"', /array of tables/],
    ['unqualified-search-registries = ["a/b"]', /host and port/],
    ['unqualified-search-registries = "a"', /an array/],
    ['[aliases]\n"a.b/c" = "d.e/f"', /no short name/],
    ['[aliases]\n"c" = "c"', /no name with a registry/],
    ['short-name-mode = "strict"', /enforcing, permissive or disabled/],
  ];
  for (const [text, expected] of cases) {
    assert.throws(
      () => conf(text),
      (error: unknown) =>
        error instanceof CaissonError &&
        error.code === 'EREGISTRIESCONF' &&
        error.message.startsWith('/r.conf: ') &&
        expected.test(error.message),
      text,
    );
  }
});
