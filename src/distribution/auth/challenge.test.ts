// Tests of challenges: what registries send, several at once, and what cannot be read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChallenges } from './challenge.ts';

function parse(...values: string[]): string {
  return parseChallenges(values)
    .map(
      ({ scheme, parameters }) =>
        `${scheme}(${[...parameters].map(([name, value]) => `${name}=${value}`).join('|')})`,
    )
    .join(' ');
}

test('challenge: those of registries', () => {
  assert.equal(
    parse(
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/x:pull,push"',
    ),
    'bearer(realm=https://auth.docker.io/token|service=registry.docker.io|scope=repository:library/x:pull,push)',
  );
  assert.equal(parse('Basic realm="Registry Realm"'), 'basic(realm=Registry Realm)');
  assert.equal(parse('BASIC'), 'basic()');
  assert.equal(parse('Bearer Realm = "a" , service=b'), 'bearer(realm=a|service=b)');
});

test('challenge: several in one header and in several', () => {
  assert.equal(
    parse('Negotiate, Basic realm="a", Bearer realm="b",service="c"'),
    'negotiate() basic(realm=a) bearer(realm=b|service=c)',
  );
  assert.equal(parse('Negotiate YII=, Basic realm=a'), 'negotiate() basic(realm=a)');
  assert.equal(parse('Basic realm="a"', 'Bearer realm="b"'), 'basic(realm=a) bearer(realm=b)');
});

test('challenge: quotes, repetitions, and what is none', () => {
  assert.equal(parse('Bearer realm="a\\"b\\\\c, Basic realm=x"'), 'bearer(realm=a"b\\c, Basic realm=x)');
  assert.equal(parse('Bearer realm="a",realm="b"'), 'bearer(realm=a)');
  assert.equal(parse('', ', ,', '"', '=x'), '');
  assert.equal(parse('Bearer realm="unended'), 'bearer()');
  assert.equal(parseChallenges(['Basic, '.repeat(1000)]).length, 8);
  const began = Date.now();
  for (const text of [
    '"'.repeat(8000),
    `Bearer realm="${'\\'.repeat(7999)}`,
    'a='.repeat(4000),
    `Bearer ${'a '.repeat(4000)}`,
  ])
    parse(text);
  assert.ok(Date.now() - began < 500);
});
