// Device rules, their program run in a small eBPF machine, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as bpf from '../linux/bpf.ts';
import { CaissonError } from '../spec/error.ts';
import type { LinuxDeviceCgroup } from '../spec/runtime-spec.ts';
import { type DeviceRequest, runDeviceProgram } from './device-machine.ts';
import { deviceProgram } from './device-program.ts';

const [R, W, M] = [bpf.BPF_DEVCG_ACC_READ, bpf.BPF_DEVCG_ACC_WRITE, bpf.BPF_DEVCG_ACC_MKNOD];
const [CHAR, BLOCK] = [bpf.BPF_DEVCG_DEV_CHAR, bpf.BPF_DEVCG_DEV_BLOCK];

const DENY_ALL: LinuxDeviceCgroup = { allow: false, access: 'rwm' };

function allows(rules: readonly LinuxDeviceCgroup[], request: Partial<DeviceRequest>): boolean {
  const program = bpf.encodeEbpf(deviceProgram(rules));
  return runDeviceProgram(bpf.decodeEbpf(program), { type: CHAR, access: R, major: 1, minor: 3, ...request });
}

test('without rules everything is denied, or allowed when the caller says so', () => {
  assert.equal(allows([], {}), false);
  const instructions = deviceProgram([], { otherwise: 'allow' });
  assert.equal(runDeviceProgram(instructions, { type: BLOCK, access: R | W | M, major: 8, minor: 0 }), true);
});

test('a rule allows its device, type, numbers and accesses, and nothing else', () => {
  const rules: LinuxDeviceCgroup[] = [DENY_ALL, { allow: true, type: 'c', major: 1, minor: 3, access: 'rw' }];
  assert.equal(allows(rules, { access: R }), true);
  assert.equal(allows(rules, { access: R | W }), true);
  assert.equal(allows(rules, { access: M }), false);
  assert.equal(allows(rules, { access: R | M }), false);
  assert.equal(allows(rules, { type: BLOCK }), false);
  assert.equal(allows(rules, { major: 2 }), false);
  assert.equal(allows(rules, { minor: 4 }), false);
});

test('an absent or -1 number is any, an absent type both, an absent access all', () => {
  assert.equal(allows([{ allow: true, type: 'c', major: -1, minor: 3 }], { major: 77 }), true);
  assert.equal(
    allows([{ allow: true, type: 'c', major: 1 }], { minor: 0xffffffff, access: R | W | M }),
    true,
  );
  assert.equal(allows([{ allow: true, major: 8 }], { type: BLOCK, major: 8 }), true);
  assert.equal(allows([{ allow: true, type: 'a' }], { type: BLOCK, access: M }), true);
});

test('the last rule that names an access decides it', () => {
  const everything: LinuxDeviceCgroup = { allow: true, type: 'a', access: 'rwm' };
  const noDisks: LinuxDeviceCgroup = { allow: false, type: 'b', access: 'w' };
  assert.equal(allows([everything, noDisks], { type: BLOCK, access: R }), true);
  assert.equal(allows([everything, noDisks], { type: BLOCK, access: R | W }), false);
  assert.equal(allows([noDisks, everything], { type: BLOCK, access: R | W }), true);
  assert.equal(allows([everything, DENY_ALL], {}), false);
  const hole: LinuxDeviceCgroup = { allow: true, type: 'b', major: 7, minor: 0, access: 'w' };
  assert.equal(allows([everything, noDisks, hole], { type: BLOCK, major: 7, minor: 0, access: R | W }), true);
});

test('accesses may be allowed by different rules', () => {
  const rules: LinuxDeviceCgroup[] = [
    { allow: true, type: 'c', access: 'r' },
    { allow: true, type: 'c', major: 1, minor: 3, access: 'w' },
  ];
  assert.equal(allows(rules, { access: R | W }), true);
  assert.equal(allows(rules, { access: R | W, minor: 5 }), false);
});

test('numbers of 2^31 and more are not taken for negative ones', () => {
  const rules: LinuxDeviceCgroup[] = [
    { allow: true, type: 'c', major: 0xffffffff, minor: 0x80000000, access: 'r' },
  ];
  assert.equal(allows(rules, { major: 0xffffffff, minor: 0x80000000 }), true);
  assert.equal(allows(rules, { major: 0xffffffff, minor: 0 }), false);
});

test('rules before one that matches everything cost nothing', () => {
  const device: LinuxDeviceCgroup = { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' };
  const once = deviceProgram([DENY_ALL, device]);
  assert.deepEqual(deviceProgram([device, { allow: true }, device, DENY_ALL, device]), once);
});

test('nonsense is refused by its place in the configuration', () => {
  const refused = (rule: LinuxDeviceCgroup, field: string) =>
    assert.throws(
      () => deviceProgram([DENY_ALL, rule]),
      (error: unknown) => {
        assert.ok(error instanceof CaissonError);
        assert.deepEqual(error.provenance, [`/linux/resources/devices/1/${field}`]);
        return error.code === 'EINVALIDSPEC';
      },
    );
  refused({ allow: true, access: 'rx' }, 'access');
  refused({ allow: true, access: '' }, 'access');
  refused({ allow: true, major: -2 }, 'major');
  refused({ allow: true, minor: 2 ** 32 }, 'minor');
  refused({ allow: true, minor: 0.5 }, 'minor');
  const type = 'p' as unknown as 'c';
  refused({ allow: true, type }, 'type');
});

test('a list that the verifier would give up on is refused in words', () => {
  const list = (length: number) =>
    Array.from({ length }, (_, at) => ({ allow: true, major: at, access: 'r' }));
  assert.ok(deviceProgram(list(512)).length > 512);
  assert.throws(() => deviceProgram(list(513)), /513 device rules/);
});
