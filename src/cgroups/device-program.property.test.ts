// For any list of device rules and any request, the program answers what the list means.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as bpf from '../linux/bpf.ts';
import type { LinuxDeviceCgroup } from '../spec/runtime-spec.ts';
import { type DeviceRequest, runDeviceProgram } from './device-machine.ts';
import { deviceProgram } from './device-program.ts';

const number = fc.constantFrom(0, 1, 5, 0x7fffffff, 0x80000000, 0xffffffff);
const rule: fc.Arbitrary<LinuxDeviceCgroup> = fc.record(
  {
    allow: fc.boolean(),
    type: fc.constantFrom('a' as const, 'b' as const, 'c' as const),
    major: fc.oneof(number, fc.constant(-1)),
    minor: fc.oneof(number, fc.constant(-1)),
    access: fc.constantFrom('r', 'w', 'm', 'rw', 'rm', 'mw', 'rwm', 'mrw'),
  },
  { requiredKeys: ['allow'] },
);
const request: fc.Arbitrary<DeviceRequest> = fc.record({
  type: fc.constantFrom(bpf.BPF_DEVCG_DEV_BLOCK, bpf.BPF_DEVCG_DEV_CHAR),
  access: fc.integer({ min: 1, max: 7 }),
  major: number,
  minor: number,
});

/** What the list means, access by access. */
function isAllowed(rules: readonly LinuxDeviceCgroup[], asked: DeviceRequest, otherwise: boolean): boolean {
  const letters = { r: bpf.BPF_DEVCG_ACC_READ, w: bpf.BPF_DEVCG_ACC_WRITE, m: bpf.BPF_DEVCG_ACC_MKNOD };
  return Object.entries(letters).every(([letter, bit]) => {
    if ((asked.access & bit) === 0) return true;
    const type = asked.type === bpf.BPF_DEVCG_DEV_BLOCK ? 'b' : 'c';
    const decisive = rules.findLast(
      (one) =>
        ['a', type].includes(one.type ?? 'a') &&
        [-1, asked.major].includes(one.major ?? -1) &&
        [-1, asked.minor].includes(one.minor ?? -1) &&
        (one.access ?? 'rwm').includes(letter),
    );
    return decisive?.allow ?? otherwise;
  });
}

test('the program of any list answers what the list means', () => {
  const lists = fc.array(rule, { maxLength: 12 });
  const requests = fc.array(request, { minLength: 30, maxLength: 60 });
  const property = fc.property(lists, requests, fc.boolean(), (rules, asked, otherwise) => {
    const program = deviceProgram(rules, { otherwise: otherwise ? 'allow' : 'deny' });
    const instructions = bpf.decodeEbpf(bpf.encodeEbpf(program));
    for (const one of asked) {
      assert.equal(
        runDeviceProgram(instructions, one),
        isAllowed(rules, one, otherwise),
        JSON.stringify(one),
      );
    }
  });
  fc.assert(property, { numRuns: 1000 });
});
