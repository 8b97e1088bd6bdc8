// Tests of egress lists: their elements never overlap, whatever the entries.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressBytes, addressNumber, addressRange } from './address.ts';
import { type Allowed, allowedElements, PROTOCOLS } from './egress-list.ts';
import { isRange } from './sets.ts';

test('entries that overlap are cut', () => {
  const elements = allowedElements('172.17.0.2', [
    { to: '192.0.2.0/24', protocol: 'tcp', ports: [80, 90] },
    { to: '192.0.2.128/25', protocol: 'tcp', ports: [85, 443] },
    { to: 'fd00::/8' },
  ]);
  assert.deepEqual(
    elements.map(({ key }) => key.map((part) => (isRange(part) ? part.join('-') : part)).join(' ')),
    [
      '172.17.0.2-172.17.0.2 192.0.2.0-192.0.2.127 6-6 80-90',
      '172.17.0.2-172.17.0.2 192.0.2.128-192.0.2.255 6-6 80-443',
    ],
  );
});

test('a port without a protocol is one of those that have ports', () => {
  const elements = allowedElements('fd00::2', [{ to: 'fd01::1', ports: [443, 443] }]);
  assert.deepEqual(
    elements.map(({ set, key }) => [set, key[2]]),
    [6, 17, 132].map((number) => ['egressNet6', [number, number]]),
  );
});

const entry: fc.Arbitrary<Allowed> = fc
  .record({
    host: fc.integer({ min: 0, max: 15 }),
    length: fc.integer({ min: 27, max: 32 }),
    protocol: fc.constantFrom('tcp', 'udp', 'icmp', undefined),
    ports: fc.option(fc.tuple(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 8 })), {
      nil: undefined,
    }),
  })
  .map(({ host, length, protocol, ports }) => ({
    to: `10.0.0.${host}/${length}`,
    ...(protocol === undefined ? {} : { protocol }),
    ...(ports === undefined ? {} : { ports: [Math.min(...ports), Math.max(...ports)] as const }),
  }));

test('what an entry allows is in exactly one element, and nothing else is', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 6 }), (entries) => {
      const boxes = allowedElements('10.9.9.9', entries).map(({ key }) =>
        key.map((part) => {
          const [first, last] = isRange(part) ? part : [part, part];
          const number = (of: string | number) =>
            typeof of === 'number' ? BigInt(of) : addressNumber(addressBytes(of));
          return [number(first), number(last)] as const;
        }),
      );
      for (let address = 0x0a000000n; address < 0x0a000012n; address++)
        for (const protocol of [1, 2, 6, 17])
          for (const port of [0, 3, 8, 9]) {
            const point = [0x0a090909n, address, BigInt(protocol), BigInt(port)];
            const hits = boxes.filter((box) =>
              box.every(([first, last], at) => first <= (point[at] ?? 0n) && (point[at] ?? 0n) <= last),
            ).length;
            assert.equal(hits, entries.some((one) => allows(one, address, protocol, port)) ? 1 : 0);
          }
    }),
  );
});

function allows(one: Allowed, address: bigint, protocol: number, port: number): boolean {
  const { first, last } = addressRange(one.to);
  const protocols = one.protocol === undefined ? [6, 17, 132] : [PROTOCOLS[one.protocol]];
  const every = one.protocol === undefined && one.ports === undefined;
  const [low, high] = one.ports ?? [0, 65535];
  return (
    first <= address &&
    address <= last &&
    (every || protocols.includes(protocol)) &&
    low <= port &&
    port <= high
  );
}
