// Properties of references and digests: what is accepted is read back the same, in full and as docker shows it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isDigest, parseDigest, splitDigest } from './digest.ts';
import { CaissonError } from './error.ts';
import { canonical, familiar, isShortName, parseReference } from './reference.ts';

const letters = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const component = fc
  .array(fc.tuple(letters, fc.constantFrom('.', '_', '__', '-', '--')), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.map(([text, separator], index) => (index === 0 ? text : separator + text)).join(''));
const host = fc.oneof(
  fc.constantFrom('docker.io', 'index.docker.io', 'localhost', 'LAN', '[::1]', 'registry-1.docker.io'),
  fc.tuple(letters, letters).map(([a, b]) => `${a}.${b}`),
);
const domain = fc
  .tuple(host, fc.option(fc.integer({ min: 1, max: 65535 })))
  .map(([name, port]) => (port === null ? `${name}/` : `${name}:${port}/`));
const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/).map((text) => `:${text}`);
const digest = fc.stringMatching(/^[0-9a-f]{64}$/).map((hex) => `@sha256:${hex}`);

const written = fc
  .tuple(
    fc.option(domain),
    fc.array(component, { minLength: 1, maxLength: 4 }),
    fc.option(tag),
    fc.option(digest),
  )
  // A dot in the first part would make a registry of it.
  .map(([at, [first = 'x', ...rest], named, exact]) => {
    const path = [at === null ? first.replaceAll('.', '-') : first, ...rest].join('/');
    return `${at ?? ''}${path}${named ?? ''}${exact ?? ''}`;
  });

test('reference: both forms are read back the same', () => {
  fc.assert(
    fc.property(written, (text) => {
      const ref = parseReference(text);
      assert.deepEqual(parseReference(canonical(ref)), ref);
      assert.deepEqual(parseReference(familiar(ref)), ref);
      assert.equal(isShortName(canonical(ref)), false);
      assert.ok(ref.tag !== undefined || ref.digest !== undefined);
    }),
  );
});

test('reference: any text is a reference of safe characters or an error of ours', () => {
  const pieces = fc.constantFrom(
    'a',
    'B',
    '/',
    '.',
    '..',
    ':',
    '@',
    '-',
    '_',
    '[',
    ']',
    'sha256:',
    '\n',
    '\0',
    '%2f',
    '?',
    '#',
    'é',
    'localhost',
    '5000',
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(pieces, { maxLength: 12 }).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(text, (any) => {
      let full: string;
      try {
        full = canonical(parseReference(any));
      } catch (error) {
        assert.ok(error instanceof CaissonError && error.code === 'EREFERENCE');
        return;
      }
      assert.match(
        full,
        /^[A-Za-z0-9.[\]:-]+\/[a-z0-9._/-]+(?::[A-Za-z0-9._-]+)?(?:@sha(?:256|512):[0-9a-f]+)?$/,
      );
      assert.ok(!full.split('/').some((part) => part === '' || part === '.' || part === '..'));
    }),
  );
});

test('digest: exactly two algorithms, lengths and one spelling', () => {
  const text = fc.tuple(
    fc.constantFrom('sha256', 'sha512', 'md5', 'SHA256', ''),
    fc.constantFrom(':', '-', ''),
    fc.stringMatching(/^[0-9a-fA-F/.]{0,130}$/),
  );
  fc.assert(
    fc.property(text, ([algorithm, colon, hex]) => {
      const any = `${algorithm}${colon}${hex}`;
      const good = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(any);
      assert.equal(isDigest(any), good);
      if (good) assert.equal(splitDigest(parseDigest(any)).hex, hex);
    }),
  );
});
