// Tests of addresses and prefixes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressBytes, addressRange, addressText, linkLocal, numberText } from './address.ts';

test('addresses', () => {
  assert.deepEqual([...addressBytes('192.0.2.255')], [192, 0, 2, 255]);
  assert.equal(addressText(addressBytes('fd00::1')), 'fd00:0:0:0:0:0:0:1');
  assert.equal(addressText(addressBytes('::')), '0:0:0:0:0:0:0:0');
  assert.equal(addressText(addressBytes('::ffff:192.0.2.1')), '0:0:0:0:0:ffff:c000:201');
  assert.equal(addressText(addressBytes('1:2:3:4:5:6:7:8')), '1:2:3:4:5:6:7:8');
  for (const wrong of [
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1:2',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7::8',
    'g::',
    '1.2.3.4 }',
  ])
    assert.throws(() => addressBytes(wrong), RangeError, wrong);
});

test('prefixes', () => {
  assert.deepEqual(addressRange('10.1.2.3/8'), { family: 4, first: 0x0a000000n, last: 0x0affffffn });
  assert.deepEqual(addressRange('10.1.2.3'), { family: 4, first: 0x0a010203n, last: 0x0a010203n });
  const six = addressRange('fd00:1::/32');
  assert.equal(numberText(6, six.last), 'fd00:1:ffff:ffff:ffff:ffff:ffff:ffff');
  assert.equal(addressRange('::/0').last, (1n << 128n) - 1n);
  for (const wrong of ['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', 'fd00::/129', '10.0.0.0/-1'])
    assert.throws(() => addressRange(wrong), RangeError, wrong);
});

test('the link-local address of a MAC address', () => {
  assert.equal(linkLocal('02:42:ac:11:00:02'), 'fe80:0:0:0:42:acff:fe11:2');
  assert.throws(() => linkLocal('02:42:ac:11:00'), RangeError);
});
