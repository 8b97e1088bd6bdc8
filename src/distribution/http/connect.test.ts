// Tests of the lookup of names that a registry gives: addresses inside are left out.

import assert from 'node:assert/strict';
import type { LookupAddress, LookupAllOptions } from 'node:dns';
import { test } from 'node:test';
import type { AddressClass } from './address-class.ts';
import { guardedLookup } from './connect.ts';

/** What a lookup that is guarded finds, where the name stands for `addresses`. */
function found(
  from: AddressClass,
  isSecure: boolean,
  addresses: readonly string[],
  all = true,
): Promise<string> {
  const resolver = (
    _: string,
    __: LookupAllOptions,
    callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
  ) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  return new Promise((resolve) => {
    guardedLookup(from, isSecure, resolver)('cdn.example', { all }, (error, result, family) => {
      if (error !== null) resolve('code' in error ? String(error.code) : 'error');
      else if (typeof result === 'string') resolve(`${result}/${family}`);
      else resolve(result.map(({ address }) => address).join(' '));
    });
  });
}

test('guarded lookup: a public registry leads to no name of inside', async () => {
  for (const address of [
    '10.0.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '::1',
    'fe80::1%eth0',
    'fd00::1',
    '::ffff:10.0.0.1',
  ])
    assert.equal(await found('public', false, [address]), 'EREDIRECT', address);
  assert.equal(
    await found('public', false, ['10.0.0.1', '8.8.8.8', '127.0.0.1', '2001:db8::1']),
    '8.8.8.8 2001:db8::1',
  );
  assert.equal(await found('public', false, ['8.8.8.8', '10.0.0.1'], false), '8.8.8.8/4');
});

test('guarded lookup: with TLS a private address may stay, no other one of inside', async () => {
  assert.equal(await found('public', true, ['10.0.0.1', '127.0.0.1']), '10.0.0.1');
  for (const address of ['127.0.0.1', '169.254.169.254', '0.0.0.0', '::']) {
    assert.equal(await found('public', true, [address]), 'EREDIRECT', address);
  }
});

test('guarded lookup: a registry of the site leads within the site', async () => {
  assert.equal(await found('private', false, ['10.0.0.1', '8.8.8.8']), '10.0.0.1 8.8.8.8');
  assert.equal(await found('private', false, ['127.0.0.1']), 'EREDIRECT');
  assert.equal(await found('loopback', false, ['127.0.0.1']), '127.0.0.1');
  assert.equal(await found('loopback', true, ['169.254.169.254']), 'EREDIRECT');
});
