// Properties of the JSON reader and writer over generated documents.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesToUtf8, utf8ToBytes } from '../linux/bytes.ts';
import { CaissonError } from './error.ts';
import { parseJson, stringifyJson } from './json.ts';
import { parseJsonExactly } from './json-parser.ts';

const byteString = fc
  .array(fc.integer({ min: 0, max: 255 }), { maxLength: 12 })
  .map((codes) => String.fromCharCode(...codes));
const tricky = fc
  .array(fc.constantFrom('"', '\\', '\\u', '0026', ': 12345678901234567890', ',', '[', ' ', '\n', '&', '-'), {
    maxLength: 6,
  })
  .map((parts) => parts.join(''));
const key = fc.oneof(byteString, tricky, fc.constantFrom('__proto__', 'constructor', '0', ''));
const anyInt64 = fc
  .bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n })
  .map((value) => (BigInt.asIntN(54, value) === value ? Number(value) : value))
  .map((value) => (typeof value === 'number' && !Number.isSafeInteger(value) ? BigInt(value) : value));
const { tree } = fc.letrec<{ tree: unknown; object: unknown; array: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    byteString,
    tricky,
    fc.boolean(),
    fc.constant(null),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    anyInt64,
    tie('object'),
    tie('array'),
  ),
  object: fc
    .array(fc.tuple(key, tie('tree')), { maxLength: 5 })
    .map((entries) => Object.fromEntries(entries)),
  array: fc.array(tie('tree'), { maxLength: 5 }),
}));

test('property: what is written is read back, compact and indented', () => {
  fc.assert(
    fc.property(tree, fc.constantFrom('', '  ', '\t'), (value, indent) => {
      const text = stringifyJson(value, indent);
      assert.deepEqual(parseJson(text), parseJsonExactly(text, 'JSON'));
      assert.equal(stringifyJson(parseJson(text), indent), text);
      assert.equal(stringifyJson(parseJsonExactly(text, 'JSON'), indent), text);
    }),
    { numRuns: 500 },
  );
});

const LONG = '9007199254740993';

test('property: both parsers agree with JSON.parse on any text, in value or in refusing it', () => {
  const unicode = fc.json({ maxDepth: 4 }).map((text) => utf8ToBytes(text));
  const broken = fc
    .tuple(
      unicode,
      fc.nat(200),
      fc.constantFrom(
        '',
        ',',
        '}',
        '"',
        '\\',
        '0',
        '\\u12',
        ' ',
        '\n',
        LONG,
        `-${LONG}`,
        `.${LONG}`,
        `${LONG}:`,
        `0${LONG}`,
        `,${LONG}`,
      ),
    )
    .map(([text, at, insert]) => text.slice(0, at) + insert + text.slice(at + 1));
  fc.assert(
    fc.property(fc.oneof(unicode, broken), (text) => {
      const expected = attempt(() => normal(JSON.parse(bytesToUtf8(text))));
      assert.deepEqual(
        attempt(() => normal(asText(parseJson(text)))),
        expected,
      );
      assert.deepEqual(
        attempt(() => normal(asText(parseJsonExactly(text, 'JSON')))),
        expected,
      );
    }),
    { numRuns: 1000 },
  );
});

function attempt(run: () => unknown): unknown {
  try {
    return { value: run() };
  } catch (error) {
    assert.ok(error instanceof CaissonError || error instanceof SyntaxError, String(error));
    return 'refused';
  }
}

/** Bigints as the numbers that JSON.parse makes of them, byte strings as text. */
function asText(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'string') return bytesToUtf8(value);
  if (Array.isArray(value)) return value.map(asText);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [bytesToUtf8(name), asText(item)]));
}

/** Lone surrogates are U+FFFD here and kept by JSON.parse; -0 is 0. */
function normal(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replace(/\\ud[89a-f][0-9a-f]{2}/g, '\ufffd'));
}
