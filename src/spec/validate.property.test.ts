// Properties of the checks over broken configurations: they refuse in one way only, and what passes is stable.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { completeSpec } from './complete-spec.ts';
import { exampleSpec } from './defaults.ts';
import { CaissonError } from './error.ts';
import { stringifyJson } from './json.ts';
import { lookupPointer } from './pointer.ts';
import { ABSENT, change, pointersIn } from './spec-breakage.ts';
import { parseSpec, validateSpec } from './validate.ts';

const POINTERS = pointersIn(completeSpec());
const WORDS = ['', '/', '..', 'a\0b', '\xff', '__proto__', 'x'.repeat(5000), '0-3,', 'rbind', '\n', '-1'];

const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(...WORDS),
  fc.integer(),
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }),
  fc.constant(ABSENT),
  fc.dictionary(fc.constantFrom('type', 'path', 'size', '__proto__', 'x/y~z'), fc.jsonValue({ maxDepth: 1 })),
);
const mutation = fc.tuple(fc.constantFrom(...POINTERS), anything);

function broken(mutations: readonly (readonly [string, unknown])[]): unknown {
  const spec = completeSpec();
  for (const [pointer, value] of mutations) {
    const parent = lookupPointer(spec, pointer.slice(0, pointer.lastIndexOf('/')));
    // An earlier mutation may have taken the place away.
    if (typeof parent === 'object' && parent !== null) change(spec, pointer, value);
  }
  return spec;
}

test('property: a broken configuration passes or is refused with EINVALIDSPEC, never anything else', () => {
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
      try {
        const { spec } = validateSpec(broken(mutations));
        const text = stringifyJson(spec);
        const again = parseSpec(text);
        assert.equal(stringifyJson(again.spec), text);
      } catch (error) {
        if (!(error instanceof CaissonError)) throw error;
        assert.equal(error.code, 'EINVALIDSPEC');
        assert.ok(error.provenance.length > 0);
        assert.ok(!error.message.includes('\n'));
      }
    }),
    { numRuns: 1000 },
  );
});

test('property: bytes cut out of or put into a configuration file never break the parser', () => {
  const text = stringifyJson(exampleSpec(), '  ');
  fc.assert(
    fc.property(
      fc.nat(text.length),
      fc.nat(20),
      fc.constantFrom('', '"', '{', ']', '\\', '\0', '1e999'),
      (at, cut, put) => {
        try {
          parseSpec(text.slice(0, at) + put + text.slice(at + cut));
        } catch (error) {
          if (!(error instanceof CaissonError)) throw error;
          assert.equal(error.code, 'EINVALIDSPEC');
          assert.match(error.message, /^config\.json:(?:\d+:\d+| \/\S*):? /);
        }
      },
    ),
    { numRuns: 1000 },
  );
});
