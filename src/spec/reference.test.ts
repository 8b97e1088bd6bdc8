// Tests of references: docker's grammar, its normal form and its familiar form.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaissonError } from './error.ts';
import {
  canonical,
  familiar,
  familiarName,
  isShortName,
  manifestReference,
  parseNamed,
  parseReference,
  withTarget,
} from './reference.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

test('reference: what a person writes, in full and as docker shows it', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['debian', 'docker.io/library/debian:latest', 'debian:latest'],
    ['debian:12', 'docker.io/library/debian:12', 'debian:12'],
    ['user/app', 'docker.io/user/app:latest', 'user/app:latest'],
    ['docker.io/debian', 'docker.io/library/debian:latest', 'debian:latest'],
    ['index.docker.io/debian:1', 'docker.io/library/debian:1', 'debian:1'],
    ['docker.io/library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
    ['localhost/x', 'localhost/x:latest', 'localhost/x:latest'],
    ['localhost:5000/x', 'localhost:5000/x:latest', 'localhost:5000/x:latest'],
    ['[::1]:5000/x:y', '[::1]:5000/x:y', '[::1]:5000/x:y'],
    ['gcr.io/a/b/c:Tag_1.2-3', 'gcr.io/a/b/c:Tag_1.2-3', 'gcr.io/a/b/c:Tag_1.2-3'],
    ['Upper/x', 'Upper/x:latest', 'Upper/x:latest'],
    [`debian@${DIGEST}`, `docker.io/library/debian@${DIGEST}`, `debian@${DIGEST}`],
    [`a.b/x:1@${DIGEST}`, `a.b/x:1@${DIGEST}`, `a.b/x:1@${DIGEST}`],
    ['docker.io/localhost/x', 'docker.io/localhost/x:latest', 'docker.io/localhost/x:latest'],
    ['a__b/c--d/e.f_g', 'docker.io/a__b/c--d/e.f_g:latest', 'a__b/c--d/e.f_g:latest'],
  ];
  for (const [text, full, short] of cases) {
    const ref = parseReference(text);
    assert.equal(canonical(ref), full, text);
    assert.equal(familiar(ref), short, text);
    assert.deepEqual(parseReference(familiar(ref)), ref, text);
    assert.deepEqual(parseReference(canonical(ref)), ref, text);
  }
});

test('reference: what is none', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /empty/],
    ['Debian', /must be lower-case/],
    ['a/B', /must be lower-case/],
    ['a//b', /"" is not a part/],
    ['/a', /"" is not a part/],
    ['a/', /"" is not a part/],
    ['..', /is not a part/],
    ['a.b/../x', /"\.\." is not a part/],
    ['a___b', /is not a part/],
    ['-a', /is not a part/],
    ['a:', /"" is not a tag/],
    ['a:-x', /is not a tag/],
    [`a:${'x'.repeat(129)}`, /is not a tag/],
    ['a@sha256:00', /is not a digest/],
    ['a@', /is not a digest/],
    [`a@${DIGEST}@${DIGEST}`, /is not a digest/],
    ['a.b:port/x', /not a registry's host/],
    ['-a.b/x', /not a registry's host/],
    ['user:pass@host/x', /is not a digest/],
    ['http://host/x', /not a registry's host/],
    ['a b', /is not a part/],
    ['a\n', /is not a part/],
    ['a.b\n/x', /not a registry's host/],
    ['0123456789abcdef'.repeat(4), /image ID/],
    [`a.b/${'x'.repeat(256)}`, /at most 255/],
    ['x'.repeat(1025), /longer than 1024/],
    ['\u00e9', /is not a part/],
  ];
  for (const [text, why] of cases) {
    assert.throws(
      () => parseReference(text),
      (error: unknown) =>
        error instanceof CaissonError && error.code === 'EREFERENCE' && why.test(error.message),
      JSON.stringify(text),
    );
  }
});

test('reference: a long name that never matches is refused at once', () => {
  const started = Date.now();
  for (const text of [`${'a-'.repeat(400)}!`, `${'a.'.repeat(400)}!/x`, `${'a_'.repeat(400)}`]) {
    assert.throws(() => parseReference(text));
  }
  assert.ok(Date.now() - started < 500);
});

test('reference: names alone, targets, short names', () => {
  assert.equal(parseNamed('debian').tag, undefined);
  assert.equal(familiarName(parseReference('debian:1')), 'debian');
  assert.equal(familiarName(parseReference('quay.io/x:1')), 'quay.io/x');
  assert.equal(manifestReference(parseReference(`a:1@${DIGEST}`)), DIGEST);
  assert.equal(manifestReference(parseReference('a')), 'latest');
  assert.equal(canonical(withTarget(parseReference('a:1'), { tag: '2' })), 'docker.io/library/a:2');
  assert.equal(isShortName('debian:12'), true);
  assert.equal(isShortName('user/app'), true);
  assert.equal(isShortName('localhost/x'), false);
  assert.equal(isShortName('docker.io/library/debian'), false);
  assert.equal(isShortName('host:5000/x'), false);
});
