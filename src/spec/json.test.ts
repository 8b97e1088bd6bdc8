// Tests of the JSON reader and writer: exact numbers, bytes, bounds and positions.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8ToBytes } from '../linux/bytes.ts';
import { CaissonError } from './error.ts';
import { parseJson, stringifyJson } from './json.ts';
import { parseJsonExactly } from './json-parser.ts';

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof CaissonError);
    assert.equal(error.code, 'EINVALIDJSON');
    return error.message;
  }
  return 'no error';
}

test('parseJson: integers beyond 2^53 are exact', () => {
  const cases: readonly (readonly [string, number | bigint])[] = [
    ['18446744073709551615', 18446744073709551615n],
    ['-9223372036854775808', -9223372036854775808n],
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', 9007199254740993n],
    ['0000000000000001.5'.slice(15), 1.5],
    ['1.00000000000000000001', 1],
    ['1e3', 1000],
    ['-0', -0],
    ['123456789012345678901234567890', 123456789012345678901234567890n],
  ];
  for (const [text, value] of cases) assert.equal(parseJson(text), value, text);
});

test('parseJson: long integers are values of their own only where JSON has them', () => {
  const long = '9007199254740993';
  assert.deepEqual(parseJson(`{"a":${long},"b":[ ${long} , -${long}\n],"c":"x: ${long},\\"${long}"}`), {
    a: 9007199254740993n,
    b: [9007199254740993n, -9007199254740993n],
    c: `x: ${long},"${long}`,
  });
  assert.deepEqual(parseJson(`{"\\u0026${long}":"\\\\", "__proto__": ${long}, "d": 1.${long}}`), {
    [`&${long}`]: '\\',
    ['__proto__']: 9007199254740993n,
    d: Number(`1.${long}`),
  });
  for (const text of [
    `{${long}:1}`,
    `[0${long}]`,
    `[${long}x]`,
    `[--${long}]`,
    `[1 ${long}]`,
    `["a"${long}]`,
    `-${long}-`,
  ]) {
    assert.match(
      messageOf(() => parseJson(text, 'f')),
      /^f:1:/,
      text,
    );
  }
});

test('parseJson: escapes become UTF-8, raw bytes stay', () => {
  assert.equal(parseJson('"\\u00e9\\ud83d\\ude00\\u0000"'), '\xc3\xa9\xf0\x9f\x98\x80\0');
  assert.equal(parseJson('"\xe9\xff"'), '\xe9\xff');
  assert.equal(parseJson('"\\ud83d\\u0041\\ude00"'), `${utf8ToBytes('\ufffd')}A${utf8ToBytes('\ufffd')}`);
  assert.equal(parseJson('"\\\\u0041"'), '\\u0041');
  assert.equal(parseJson('"\\b\\f\\n\\r\\t\\/\\"\\u0041"'), '\b\f\n\r\t/"A');
});

test('parseJson: the last of two equal names holds, and __proto__ is a name as any', () => {
  for (const parse of [parseJson, (text: string) => parseJsonExactly(text, 'JSON')]) {
    assert.deepEqual(parse('{"a":1,"a":2}'), { a: 2 });
    const object = parse('{"__proto__":{"polluted":true}}') as Record<string, unknown>;
    assert.deepEqual(Object.keys(object), ['__proto__']);
    assert.equal(Object.getPrototypeOf(object), Object.prototype);
    assert.equal(object.polluted, undefined);
  }
});

test('parseJson: an error says line, column and what was found', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['', 'f:1:1: expected a value, found the end of the document'],
    ['{"a": tru}', 'f:1:7: expected a value, found "tru}"'],
    ['{\n  "a": 1,\n  b: 2}', 'f:3:3: expected a property name in quotes, found "b: 2}"'],
    ['{"a" 1}', `f:1:6: expected ':' after the property name "a", found "1}"`],
    ['[1 2]', `f:1:4: expected ',' or ']' after an element, found "2]"`],
    ['{"a":1', "f:1:7: expected ',' or '}' after a property, found the end of the document"],
    ['["\xc3\xa9\xc3\xa9", x]', 'f:1:8: expected a value, found "x]"'],
    ['{} x', 'f:1:4: expected the end of the document, found "x"'],
    ['["a\nb"]', 'f:1:4: a control character in a string; write it as \\u000a'],
    ['["a', 'f:1:2: a string that does not end: "\\"a"'],
    ['["\\x"]', 'f:1:3: an unknown escape in a string: "\\\\x\\"]"'],
    ['["\\u12g4"]', 'f:1:3: expected four hexadecimal digits after \\u, found "\\\\u12g4\\"]"'],
    ['\xef\xbb\xbf{}', 'f:1:1: a byte order mark, which JSON does not allow'],
    ['[01]', `f:1:3: expected ',' or ']' after an element, found "1]"`],
    ['[1,]', 'f:1:4: expected a value, found "]"'],
    ['[NaN]', 'f:1:2: expected a value, found "NaN]"'],
  ];
  for (const [text, message] of cases)
    assert.equal(
      messageOf(() => parseJson(text, 'f')),
      message,
    );
});

test('parseJson: depth and digits are bounded', () => {
  const nest = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  assert.ok(Array.isArray(parseJson(nest(200))));
  assert.match(
    messageOf(() => parseJson(nest(201), 'f')),
    /^f:1:201: nested deeper than 200$/,
  );
  assert.match(
    messageOf(() => parseJson(nest(100000), 'f')),
    /nested deeper than 200/,
  );
  assert.match(
    messageOf(() => parseJson(`{"\\u0041":${'{"a":'.repeat(300)}`, 'f')),
    /nested deeper than 200/,
  );
  assert.equal((parseJson(`[${Array(500).fill('[{}]').join(',')}]`) as unknown[]).length, 500);
  assert.match(
    messageOf(() => parseJson('1'.repeat(1001), 'f')),
    /more than 1000 characters/,
  );
});

test('stringifyJson: bigints exact, bytes raw, indentation as JSON.stringify', () => {
  const value = { a: [1, 18446744073709551615n, {}], b: [], 'c"': '\xe9\n\x7f', d: undefined, e: null };
  assert.equal(
    stringifyJson(value),
    '{"a":[1,18446744073709551615,{}],"b":[],"c\\"":"\xe9\\n\x7f","e":null}',
  );
  assert.equal(
    stringifyJson(value, '  '),
    '{\n  "a": [\n    1,\n    18446744073709551615,\n    {}\n  ],\n  "b": [],\n  "c\\"": "\xe9\\n\x7f",\n  "e": null\n}',
  );
  const plain = { a: [1, [], {}, { b: 'x' }], c: [undefined] };
  for (const indent of ['', '  ', '\t']) {
    const withBigint = stringifyJson({ ...plain, z: 5n }, indent);
    assert.equal(withBigint, stringifyJson({ ...plain, z: 5 }, indent));
  }
});

test('stringifyJson: a cycle is an error, not a stack overflow', () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  assert.match(
    messageOf(() => stringifyJson(cycle)),
    /nested deeper/,
  );
  assert.match(
    messageOf(() => stringifyJson(undefined)),
    /a undefined has no JSON form/,
  );
});
