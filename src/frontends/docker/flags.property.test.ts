// Any text after any flag: a configuration that the specification's checks accept, or one clear error.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CaissonError } from '../../spec/error.ts';
import { flagValues } from '../flag.ts';
import { parseSize } from '../number.ts';
import { RUN_FLAGS } from './run-flags.ts';
import { compile, ROOT_HOST, USER_HOST } from './test-facts.ts';

const WORDS = [
  ...[
    '',
    '0',
    '1',
    '-1',
    '1000',
    '4294967295',
    '18446744073709551616',
    '1.5',
    '64m',
    '0-3',
    'host',
    'new',
    'none',
    'ana',
  ],
  ...[
    '/x',
    '/x:/y',
    '/x:/y:ro',
    '/dev/fuse',
    '/dev/sda',
    '/dev/sda:1m',
    'a=b',
    'type=bind',
    'source=/x',
    'target=/y',
  ],
  ...[
    'nofile=1',
    'ALL',
    'NET_RAW',
    'seccomp=unconfined',
    'label=disable',
    'net.core.x=1',
    'monotonic=5',
    'c 1:3 rwm',
  ],
  ...[
    'fifo:1',
    'idle',
    'bind:0',
    '../..',
    '\0',
    '\n',
    '\xff',
    ',',
    ':',
    '=',
    '/',
    '"',
    ' ',
    '__proto__',
    'constructor',
  ],
];

const text = fc
  .array(fc.oneof(fc.constantFrom(...WORDS), fc.string({ maxLength: 4, unit: 'binary-ascii' })), {
    maxLength: 4,
  })
  .map((parts) => parts.join(''));

const oneFlag = fc.constantFrom(...RUN_FLAGS).chain((flag) => {
  const value: fc.Arbitrary<boolean | string | readonly string[]> =
    flag.type === 'boolean' ? fc.boolean() : flag.type === 'value' ? text : fc.array(text, { maxLength: 3 });
  return value.map((each) => [flag.name, each] as const);
});

test('property: any flags give a valid configuration or a CaissonError of one line', () => {
  fc.assert(
    fc.property(
      fc.array(oneFlag, { maxLength: 4 }),
      fc.constantFrom(ROOT_HOST, USER_HOST),
      (entries, facts) => {
        const flags = flagValues(RUN_FLAGS, new Map(entries));
        try {
          const { sources, spec } = compile(flags, facts);
          assert.ok(Object.getPrototypeOf(spec.annotations ?? {}) === Object.prototype);
          for (const pointer of sources.keys()) assert.match(pointer, /^\//);
        } catch (error) {
          assert.ok(error instanceof CaissonError, `${String(error)} of ${JSON.stringify(entries)}`);
          // What passes the front end must pass the checks of the specification.
          assert.notEqual(error.code, 'EINVALIDSPEC', `${error.message} of ${JSON.stringify(entries)}`);
          assert.ok(error.message.length > 0);
        }
      },
    ),
    { numRuns: 4000 },
  );
});

test('property: a size that is written is read', () => {
  const units = ['', 'b', 'k', 'kb', 'KiB', 'm', 'G', 'tb'];
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1_000_000 }), fc.constantFrom(...units), (number, unit) => {
      const power = ['', 'k', 'm', 'g', 't'].indexOf(unit.replace(/i?b$/i, '').toLowerCase());
      assert.equal(BigInt(parseSize(`${number}${unit}`) ?? -1), BigInt(number) * 1024n ** BigInt(power));
    }),
  );
});
