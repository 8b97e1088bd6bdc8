// Tests of the device list of v1 and of the steps that load the device program of v2.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slot } from '../plan/call.ts';
import { encode } from '../plan/encode.ts';
import { step } from '../plan/step.ts';
import { CaissonError } from '../spec/error.ts';
import type { LinuxDeviceCgroup } from '../spec/runtime-spec.ts';
import { deviceList, deviceText, parseDeviceList } from './device-list.ts';
import { deviceProgram } from './device-program.ts';
import { deviceStepsV1 } from './devices-v1.ts';
import { deviceStepsV2 } from './devices-v2.ts';
import { printed } from './hosts.testing.ts';

const DENY: LinuxDeviceCgroup = { allow: false, access: 'rwm' };
const ALLOW: LinuxDeviceCgroup = { allow: true, access: 'rwm' };
const rule = (allow: boolean, text: string): LinuxDeviceCgroup => {
  const [type = '', major = '', minor = '', access = ''] = text.split(/[ :]/);
  const number = (field: string) => (field === '*' ? {} : Number(field));
  const [a, b] = [number(major), number(minor)];
  return {
    allow,
    type: type as 'a' | 'b' | 'c',
    ...(typeof a === 'number' ? { major: a } : {}),
    ...(typeof b === 'number' ? { minor: b } : {}),
    access,
  };
};

function list(...rules: LinuxDeviceCgroup[]): string[] {
  const { allowAll, exceptions } = deviceList(rules, []);
  return [allowAll ? 'allow all but' : 'deny all but', ...exceptions.map(deviceText)];
}

test('rules are merged into one list', () => {
  assert.deepEqual(list(DENY, rule(true, 'c 1:3 r'), rule(true, 'c 1:3 w'), rule(true, 'b *:* m')), [
    'deny all but',
    'c 1:3 rw',
    'b *:* m',
  ]);
  assert.deepEqual(list(), ['deny all but']);
  assert.deepEqual(list(ALLOW), ['allow all but']);
  assert.deepEqual(list(rule(true, 'c 1:3 rwm'), DENY, rule(true, 'c 1:5 m')), ['deny all but', 'c 1:5 m']);
  assert.deepEqual(list(ALLOW, rule(false, 'b 8:0 w')), ['allow all but', 'b 8:0 w']);
});

test('a type of both is two exceptions', () => {
  assert.deepEqual(list(rule(true, 'a 7:* rw')), ['deny all but', 'b 7:* rw', 'c 7:* rw']);
  assert.deepEqual(list(ALLOW, rule(false, 'a *:* m')), ['allow all but', 'b *:* m', 'c *:* m']);
});

test('a later rule takes access back, from narrower exceptions too', () => {
  assert.deepEqual(list(rule(true, 'c 1:3 rwm'), rule(false, 'c 1:3 m')), ['deny all but', 'c 1:3 rw']);
  assert.deepEqual(list(rule(true, 'c 1:3 rwm'), rule(true, 'b 1:3 r'), rule(false, 'c 1:* rwm')), [
    'deny all but',
    'b 1:3 r',
  ]);
});

test('a hole in a wider exception is refused: the kernel would ignore it', () => {
  for (const rules of [
    [rule(true, 'c 1:* rw'), rule(false, 'c 1:3 w')],
    [rule(true, 'c *:3 rw'), rule(false, 'c 1:* w')],
    [ALLOW, rule(false, 'b *:* w'), rule(true, 'b 8:0 w')],
  ]) {
    assert.throws(
      () => deviceList(rules, []),
      (error: unknown) =>
        error instanceof CaissonError &&
        error.provenance[0] === `/linux/resources/devices/${rules.length - 1}`,
    );
  }
  assert.deepEqual(list(rule(true, 'c *:* m'), rule(false, 'c 1:3 rw')), ['deny all but', 'c *:* m']);
  assert.throws(() => list({ allow: true, access: 'rx' }), /made of r, w and m/);
});

test('v1: deny all, then the exceptions through one descriptor', () => {
  const steps = deviceStepsV1(
    '/d',
    [DENY, rule(true, 'c *:* m'), rule(true, 'c 1:3 rwm')],
    ['/a', '/b', '/c'],
  );
  assert.deepEqual(printed(steps), [
    'openat(AT_FDCWD, "/d/devices.deny", O_WRONLY|O_CLOEXEC) = <devices.deny>',
    'write(<devices.deny>, "a *:* rwm", 9)',
    'close(<devices.deny>)',
    'openat(AT_FDCWD, "/d/devices.allow", O_WRONLY|O_CLOEXEC) = <devices.allow>',
    'write(<devices.allow>, "c *:* m", 7)',
    'write(<devices.allow>, "c 1:3 rwm", 9)',
    'close(<devices.allow>)',
  ]);
  assert.deepEqual(
    steps.map(({ title, provenance }) => [title, ...provenance]),
    [
      ['deny device a *:* rwm', '/a'],
      ['allow device c *:* m', '/b'],
      ['allow device c 1:3 rwm', '/c'],
    ],
  );
});

test('v1: an update changes only what differs, unless the present list cannot be known', () => {
  const rules = [DENY, rule(true, 'c 1:3 rw'), rule(true, 'c 1:5 rwm')];
  const writes = (current: string) => deviceStepsV1('/d', rules, [], current).map(({ title }) => title);
  assert.deepEqual(writes('c 1:3 rwm\nb *:* m\n'), [
    'deny device c 1:3 m',
    'deny device b *:* m',
    'allow device c 1:5 rwm',
  ]);
  assert.deepEqual(writes('c 1:3 rw\nc 1:5 rwm\n'), []);
  assert.equal(writes('a *:* rwm\n')[0], 'deny device a *:* rwm');
  assert.equal(parseDeviceList('a *:* rwm\n'), undefined);
});

test('v2: load, attach, close; the descriptor of the cgroup gets into the structure', () => {
  const cgroup = slot('cgroup unified');
  const steps = deviceStepsV2(cgroup, deviceProgram([]), ['/linux/resources/devices']);
  const [load, copy, attach, close] = printed(steps);
  assert.match(
    load ?? '',
    /^bpf\(BPF_PROG_LOAD, \{prog_type=15, insn_cnt=8, .*expected_attach_type=6\}, 72\) = <device program>$/,
  );
  assert.match(copy ?? '', /^CHECK <cgroup unified> >= 0 .*= <cgroup for bpf>$/);
  assert.match(
    attach ?? '',
    /^bpf\(BPF_PROG_ATTACH, \{target_fd=<cgroup for bpf>, attach_bpf_fd=<device program>, attach_type=6, attach_flags=BPF_F_ALLOW_MULTI, replace_bpf_fd=0\}, 20\)$/,
  );
  assert.equal(close, 'close(<device program>)');
});

test('v2: a second program replaces the first, and the batch can be encoded', () => {
  const steps = deviceStepsV2(slot('cgroup unified'), deviceProgram([]), [], { replace: true });
  const calls = printed(steps);
  assert.equal(calls.filter((text) => text.startsWith('bpf(')).length, 4);
  assert.ok(calls.some((text) => text.includes('BPF_F_ALLOW_MULTI|BPF_F_REPLACE')));
  const batch = encode(steps, 'x86_64');
  assert.ok(batch.bytes.length > 0);
});

test('the name of the program is "caisson" in memory', () => {
  const batch = encode(deviceStepsV2(slot('c'), deviceProgram([]), []), 'x86_64');
  const text = String.fromCharCode(...batch.bytes);
  assert.ok(text.includes('caisson\0'));
  assert.ok(text.includes('Apache-2.0\0'));
  assert.equal(encode([step('parent', 'x', 'x', 'x', [])], 'x86_64').bytes.length < batch.bytes.length, true);
});
