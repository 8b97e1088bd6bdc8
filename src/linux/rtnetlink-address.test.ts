// Tests of address dumps against bytes as the kernel writes them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressDump, parseAddresses } from './rtnetlink-address.ts';

test('the request for all addresses', () => {
  const expected = [24, 0, 0, 0, 22, 0, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  assert.deepEqual([...addressDump()], expected);
});

/** RTM_NEWADDR of 10.9.8.7/24, permanent and global, on device 2; the label between is left out of what is kept. */
const ATTRIBUTES = [
  ...[8, 0, 1, 0, 10, 9, 8, 7],
  ...[8, 0, 2, 0, 10, 9, 8, 7],
  ...[8, 0, 4, 0, 10, 9, 8, 255],
];
const LABEL = [7, 0, 3, 0, 97, 48, 0, 0];

function message(flags: number, scope: number): number[] {
  const length = 16 + 8 + ATTRIBUTES.length + LABEL.length;
  const header = [length, 0, 0, 0, 20, 0, 2, 0, 1, 0, 0, 0, 9, 9, 0, 0];
  return [...header, 2, 24, flags, scope, 2, 0, 0, 0, ...LABEL, ...ATTRIBUTES];
}

test('addresses of an answer, and its end', () => {
  const answer = Uint8Array.from([...message(0x80, 0), ...message(0, 253)]);
  const { addresses, done } = parseAddresses(answer);
  assert.equal(done, false);
  assert.equal(addresses.length, 2);
  assert.deepEqual(addresses[0], {
    index: 2,
    family: 2,
    prefixLength: 24,
    permanent: true,
    global: true,
    attributes: Uint8Array.from(ATTRIBUTES),
  });
  assert.deepEqual([addresses[1]?.permanent, addresses[1]?.global], [false, false]);
  const end = [20, 0, 0, 0, 3, 0, 2, 0, 1, 0, 0, 0, 9, 9, 0, 0, 0, 0, 0, 0];
  assert.deepEqual(parseAddresses(Uint8Array.from(end)), { addresses: [], done: true });
});

test('what is cut is refused', () => {
  const whole = Uint8Array.from(message(0x80, 0));
  assert.throws(() => parseAddresses(whole.subarray(0, whole.length - 4)), /cut/);
  const wrong = Uint8Array.from(message(0x80, 0));
  wrong[24] = 200;
  assert.throws(() => parseAddresses(wrong), /cut/);
});
