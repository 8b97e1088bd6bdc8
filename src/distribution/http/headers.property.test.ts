// Properties of what is read of a hostile registry's headers: quick, bounded, and never an exception (Z08).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CaissonError } from '../../spec/error.ts';
import { parseChallenges } from '../auth/challenge.ts';
import { type AddressClass, hostClass, mayLead } from './address-class.ts';
import { leadTo } from './origin.ts';
import { oneLine, Secrets } from './redaction.ts';
import {
  nextLink,
  parseContentRange,
  parseRateLimit,
  parseRetryAfter,
  parseUploadRange,
} from './response-headers.ts';

const pieces = fc.constantFrom(
  'Bearer',
  'Basic',
  ' ',
  ',',
  '=',
  '"',
  '\\',
  'realm',
  'scope',
  '<',
  '>',
  ';',
  'rel',
  'next',
  'bytes',
  '0-',
  '/',
  '*',
  '9',
  '99999999999999999999',
  'w',
  '\t',
  'é',
  '\u0000',
);
const header = fc.oneof(
  fc.string(),
  fc.array(pieces, { maxLength: 40 }).map((all) => all.join('')),
);

test('headers: any text is read or is nothing', () => {
  fc.assert(
    fc.property(header, (text) => {
      for (const { scheme, parameters } of parseChallenges([text, text])) {
        assert.match(scheme, /^[^\s,="]+$/);
        assert.ok(parameters.size <= 40);
      }
      const link = nextLink([text]);
      assert.ok(link === undefined || text.includes(`<${link}>`));
      for (const number of [parseUploadRange(text), parseRetryAfter(text)]) {
        assert.ok(number === undefined || (Number.isSafeInteger(number) && number >= 0));
      }
      const range = parseContentRange(text);
      assert.ok(
        range === undefined ||
          (range.start <= range.end && range.end < (range.total ?? Number.POSITIVE_INFINITY)),
      );
      parseRateLimit(() => text);
    }),
  );
});

test('challenge: what was written is read', () => {
  const name = fc.stringMatching(/^[a-z]{1,8}$/);
  const value = fc.string({ maxLength: 30 }).map((text) => text.replace(/[\r\n]/g, ''));
  const challenge = fc.record({
    scheme: fc.stringMatching(/^[A-Z][a-z]{2,8}$/),
    parameters: fc.dictionary(name, value, { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
  });
  fc.assert(
    fc.property(fc.array(challenge, { minLength: 1, maxLength: 4 }), (all) => {
      const text = all
        .map(({ scheme, parameters }) => {
          const pairs = Object.entries(parameters).map(
            ([key, text]) => `${key}="${text.replace(/[\\"]/g, '\\$&')}"`,
          );
          return `${scheme} ${pairs.join(', ')}`;
        })
        .join(', ');
      const read = parseChallenges([text]);
      assert.deepEqual(
        read.map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]),
        all.map(({ scheme, parameters }) => [scheme.toLowerCase(), { ...parameters }]),
      );
    }),
  );
});

test('leads: from TLS only to TLS, from outside never inside', () => {
  const base = fc.constantFrom('https://r.example/v2/', 'http://r.example/', 'https://10.0.0.1:5000/');
  const scheme = fc.constantFrom('http://', 'https://', '//', '/', '', 'ftp://', 'http:');
  const host = fc.oneof(
    fc.ipV4(),
    fc.ipV6().map((text) => `[${text}]`),
    fc.domain(),
    fc.constantFrom('localhost', '0x7f.1', '2130706433', '127.1', 'a@b'),
  );
  const from = fc.constantFrom<AddressClass>('public', 'private', 'link-local', 'loopback');
  fc.assert(
    fc.property(base, scheme, host, header, from, (start, how, where, rest, peer) => {
      const origin = new URL(start);
      let url: URL;
      try {
        url = leadTo(`${how}${where}/${rest}`, origin, peer, 'redirect');
      } catch (error) {
        assert.ok(error instanceof CaissonError && error.code === 'EREDIRECT');
        assert.ok(!/[\u0000-\u001f]/.test(error.message));
        return;
      }
      assert.ok(url.protocol === 'https:' || (url.protocol === 'http:' && origin.protocol === 'http:'));
      assert.equal(url.username + url.password + url.hash, '');
      const to = hostClass(url.hostname);
      assert.ok(to === undefined || url.hostname === origin.hostname || mayLead(peer, to));
    }),
  );
});

test('redaction: a secret is in no text that is shown', () => {
  const secret = fc.string({ minLength: 4, maxLength: 20 });
  fc.assert(
    fc.property(secret, fc.string(), fc.string(), (password, before, after) => {
      fc.pre(!'*'.repeat(20).includes(password));
      const secrets = new Secrets();
      secrets.add(password, 'alice');
      const shown = secrets.redact(
        `${before}${password}${after}${Buffer.from(`alice:${password}`).toString('base64')}`,
      );
      // A mask may make up a part of it again with what stands beside.
      fc.pre(!`${before}***${after}***`.includes(password));
      assert.ok(!shown.includes(password));
      assert.ok(oneLine(shown).length <= 300);
    }),
  );
});
