// Tests of address classes: every spelling of an address is of its class, and who may lead where.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AddressClass, addressClass, hostClass, isThisHost, mayLead } from './address-class.ts';

test('address class: the special ranges and their edges', () => {
  const cases: readonly (readonly [string, AddressClass])[] = [
    ['8.8.8.8', 'public'],
    ['0.0.0.0', 'loopback'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.255', 'loopback'],
    ['128.0.0.1', 'public'],
    ['10.0.0.1', 'private'],
    ['11.0.0.1', 'public'],
    ['172.15.0.1', 'public'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.1', 'public'],
    ['192.168.1.1', 'private'],
    ['192.169.1.1', 'public'],
    ['100.100.100.200', 'private'],
    ['100.128.0.1', 'public'],
    ['169.254.169.254', 'link-local'],
    ['198.18.0.1', 'private'],
    ['::', 'loopback'],
    ['::1', 'loopback'],
    ['[::1]', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:7f00:1', 'loopback'],
    ['::ffff:a9fe:a9fe', 'link-local'],
    ['::127.0.0.1', 'loopback'],
    ['64:ff9b::a9fe:a9fe', 'link-local'],
    ['0:0:0:0:0:0:0:1', 'loopback'],
    ['fe80::1%eth0', 'link-local'],
    ['febf::1', 'link-local'],
    ['fec0::1', 'private'],
    ['fd00:ec2::254', 'private'],
    ['fc00::', 'private'],
    ['2001:db8::1', 'public'],
    ['::ffff:8.8.8.8', 'public'],
    ['1::', 'public'],
  ];
  for (const [text, expected] of cases) assert.equal(addressClass(text), expected, text);
});

test('address class: what is no address', () => {
  for (const text of [
    '',
    'example.com',
    '1.2.3',
    '1.2.3.256',
    ':::',
    '1::2::3',
    '12345::',
    '1:2:3:4:5:6:7',
    '::1.2.3',
    'g::',
  ]) {
    assert.equal(addressClass(text), undefined, text);
  }
  assert.equal(hostClass('LocalHost.'), 'loopback');
  assert.equal(hostClass('a.localhost'), 'loopback');
  assert.equal(hostClass('localhost.example.com'), undefined);
  for (const own of ['localhost', '127.0.0.5', '[::1]']) assert.ok(isThisHost(own), own);
  for (const other of ['a.localhost', '10.0.0.1', 'example.com']) assert.ok(!isThisHost(other), other);
});

test('address class: from outside nobody leads inside', () => {
  const classes: readonly AddressClass[] = ['public', 'private', 'link-local', 'loopback'];
  const allowed = classes.flatMap((from) =>
    classes.filter((to) => mayLead(from, to)).map((to) => `${from} ${to}`),
  );
  assert.deepEqual(allowed, [
    'public public',
    'private public',
    'private private',
    'link-local public',
    'link-local private',
    'link-local link-local',
    'loopback public',
    'loopback private',
    'loopback loopback',
  ]);
});
