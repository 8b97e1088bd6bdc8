// Tests of ignore files.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanPath } from './clean-path.ts';
import { IgnoreMatcher, readIgnoreFile } from './matcher.ts';
import { compilePattern } from './pattern.ts';

const ignores = (patterns: readonly string[], path: string) => new IgnoreMatcher(patterns).ignores(path);

test('stars, question marks and brackets stay within a part of the path', () => {
  for (const [pattern, path, expected] of [
    ['*', 'a', true],
    ['*.txt', 'a.txt', true],
    ['*.txt', 'd/a.txt', false],
    ['d/*.txt', 'd/a.txt', true],
    ['d/*.txt', 'd/e/a.txt', false],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['a[b-d]e', 'ace', true],
    ['a[^b-d]e', 'ace', false],
    ['a[^b-d]e', 'aze', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'axb', false],
    ['a.b', 'axb', false],
    ['(a|b)+$', '(a|b)+$', true],
    ['^a', '^a', true],
  ] as const)
    assert.equal(compilePattern(pattern)(path), expected, `${pattern} ${path}`);
});

test('two stars are any number of directories', () => {
  for (const [pattern, path, expected] of [
    ['**', 'a/b', true],
    ['**/a', 'a', true],
    ['**/a', 'b/c/a', true],
    ['**/a', 'b/xa', false],
    ['**a', 'b/xa', true],
    ['a/**', 'a/b/c', true],
    ['a/**', 'a', false],
    ['a/**/b', 'a/b', true],
    ['a/**/b', 'a/x/y/b', true],
    ['**/*.go', 'x/y.go', true],
    ['a**/*.txt', 'ab/c/d.txt', true],
  ] as const)
    assert.equal(compilePattern(pattern)(path), expected, `${pattern} ${path}`);
});

test('what is in an ignored directory is ignored, until an exception takes it back', () => {
  assert.ok(ignores(['docs'], 'docs/a/b.md'));
  assert.ok(!ignores(['docs', '!docs/README.md'], 'docs/README.md'));
  assert.ok(ignores(['docs', '!docs/README.md'], 'docs/other.md'));
  assert.ok(ignores(['*.md', '!README*.md', 'README-secret.md'], 'README-secret.md'));
  assert.ok(!ignores(['*.md', '!README*.md', 'README-secret.md'], 'README.md'));
  assert.ok(!ignores(['*', '!src'], 'src/a'));
});

test('whether an exception may lie below', () => {
  const matcher = new IgnoreMatcher(['*', '!src/keep', '!**/deep.txt']);
  assert.ok(matcher.mayKeepBelow('src'));
  assert.ok(matcher.mayKeepBelow('any'));
  assert.ok(!new IgnoreMatcher(['*', '!src/keep']).mayKeepBelow('other'));
});

test('an ignore file', () => {
  const text = '\ufeff# comment\n\n  /abs/path/ \r\n!  x/../y\n.\n*/temp*\n';
  assert.deepEqual(readIgnoreFile(text), ['abs/path', '!y', '.', '*/temp*']);
});

test('patterns that are none', () => {
  for (const pattern of ['[', '[a', '[]', '[a-]', '[-a]', 'a\\', 'x'.repeat(9000)])
    assert.throws(() => compilePattern(pattern), Error, pattern);
  assert.throws(() => new IgnoreMatcher(['!']), /illegal exclusion pattern/);
});

test('a pattern that would make an expression backtrack ends soon', () => {
  const begin = performance.now();
  assert.ok(!compilePattern(`${'*a'.repeat(60)}b`)('a'.repeat(4000)));
  assert.ok(!compilePattern(`${'**/a/'.repeat(40)}b`)('a/'.repeat(1500)));
  assert.ok(performance.now() - begin < 10_000);
});

test('clean paths', () => {
  for (const [path, expected] of [
    ['', '.'],
    ['a//b/../c/.', 'a/c'],
    ['/..', '/'],
    ['../a', '../a'],
    ['a/../..', '..'],
    ['/a/', '/a'],
  ] as const)
    assert.equal(cleanPath(path), expected, path);
});
