// Tests of capability sets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CAP_LAST_CAP,
  CAPABILITIES,
  capabilityMask,
  capabilityNames,
  capabilityWords,
  parseCapability,
} from './capabilities.ts';

test('a mask with bits in both words', () => {
  const names = ['CAP_CHOWN', 'CAP_SETFCAP', 'CAP_MAC_OVERRIDE', 'CAP_CHECKPOINT_RESTORE'];
  assert.deepEqual(capabilityWords(names), [0x80000001, 0x101]);
  assert.equal(capabilityMask(names), 0x10180000001n);
  assert.deepEqual(capabilityNames(0x10180000001n), names);
});

test('all capabilities, none, and bits without a name', () => {
  const all = Object.keys(CAPABILITIES);
  assert.equal(all.length, CAP_LAST_CAP + 1);
  assert.equal(capabilityMask(all), 2n ** 41n - 1n);
  assert.equal(capabilityMask([]), 0n);
  assert.deepEqual(capabilityNames(2n ** 63n), []);
});

test('spelling', () => {
  assert.equal(parseCapability('net_admin'), 'CAP_NET_ADMIN');
  assert.equal(parseCapability('CAP_SYS_ADMIN'), 'CAP_SYS_ADMIN');
  assert.equal(parseCapability('ALL'), undefined);
  assert.equal(parseCapability(''), undefined);
  assert.throws(() => capabilityMask(['NET_ADMIN']), /unknown capability NET_ADMIN/);
  assert.throws(() => capabilityMask(['toString']), RangeError);
});
