// Tests of what `features` promises: a configuration with each of its elements is accepted (features.md).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completeSpec } from '../../spec/complete-spec.ts';
import { HOOK_NAMES } from '../../spec/hook-check.ts';
import { parseMountOptions } from '../../spec/mount-options.ts';
import { change } from '../../spec/spec-breakage.ts';
import { validateSpec } from '../../spec/validate.ts';
import { machine } from '../port.testing.ts';
import { command, features } from './features.ts';

interface Features {
  readonly ociVersionMin: string;
  readonly ociVersionMax: string;
  readonly hooks: readonly string[];
  readonly mountOptions: readonly string[];
  readonly annotations: Readonly<Record<string, unknown>>;
  readonly linux: {
    readonly namespaces: readonly string[];
    readonly capabilities: readonly string[];
    readonly memoryPolicy: { readonly modes: readonly string[]; readonly flags: readonly string[] };
    readonly mountExtensions: { readonly idmap: { readonly enabled: boolean } };
    readonly seccomp: {
      readonly actions: readonly string[];
      readonly operators: readonly string[];
      readonly archs: readonly string[];
      readonly knownFlags: readonly string[];
      readonly supportedFlags: readonly string[];
    };
  };
}

const told = features('x86_64') as Features;
const { linux } = told;
const { seccomp, memoryPolicy } = linux;

/** A configuration with `value` at `pointer` passes, without a warning. */
function accepted(pointer: string, value: unknown): void {
  assert.deepEqual(validateSpec(change(completeSpec(), pointer, value)).warnings, [], String(value));
}

test('features: the least version is accepted', () => {
  accepted('/ociVersion', told.ociVersionMin);
});

test('features: the greatest version is accepted', () => {
  accepted('/ociVersion', told.ociVersionMax);
});

test('features: the greatest version is not below the least', () => {
  const [least, greatest] = [told.ociVersionMin, told.ociVersionMax].map((text) =>
    text.split('.').map(Number),
  );
  assert.ok((least?.[0] ?? 0) <= (greatest?.[0] ?? 0) && (least?.[1] ?? 9) <= (greatest?.[1] ?? 0));
});

test('features: only what the specification defines', () => {
  const defined = ['ociVersionMin', 'ociVersionMax', 'hooks', 'mountOptions', 'linux', 'annotations'];
  assert.deepEqual(
    Object.keys(told).filter((key) => !defined.includes(key)),
    [],
  );
});

test('features: every kind of hook is known, and no other', () => {
  assert.deepEqual([...told.hooks].sort(), [...HOOK_NAMES].sort());
});

test('features: every mount option is known, and none is data of a file system', () => {
  for (const name of told.mountOptions) assert.deepEqual(parseMountOptions([name]).data, [], name);
  for (const name of ['size=1k', 'mode=755', 'uid=0', 'newinstance'])
    assert.ok(!told.mountOptions.includes(name));
});

test('features: annotations are texts with names', () => {
  for (const [key, value] of Object.entries(told.annotations)) {
    assert.ok(key !== '');
    assert.equal(typeof value, 'string', key);
  }
});

test('features: every namespace is accepted', () => {
  const all = (completeSpec().linux?.namespaces ?? []).map(({ type }) => type as string);
  assert.deepEqual([...linux.namespaces].sort(), all.sort());
  validateSpec(completeSpec());
});

test('features: every capability is accepted', () => {
  for (const name of linux.capabilities) {
    for (const set of ['bounding', 'effective', 'inheritable', 'permitted', 'ambient'])
      accepted('/process/capabilities', { inheritable: [name], [set]: [name] });
  }
});

test('features: every seccomp action is accepted', () => {
  for (const action of seccomp.actions) accepted('/linux/seccomp/syscalls/0', { names: ['getpid'], action });
});

test('features: every seccomp operator is accepted', () => {
  for (const op of seccomp.operators) accepted('/linux/seccomp/syscalls/1/args/0/op', op);
});

test('features: every seccomp architecture is accepted', () => {
  for (const name of seccomp.archs) accepted('/linux/seccomp/architectures', [name]);
});

test('features: every seccomp flag is accepted', () => {
  for (const name of seccomp.knownFlags) accepted('/linux/seccomp/flags', [name]);
});

test('features: every supported seccomp flag is accepted', () => {
  for (const name of seccomp.supportedFlags) accepted('/linux/seccomp/flags', [name]);
});

test('features: every memory policy is accepted', () => {
  for (const mode of memoryPolicy.modes) {
    const nodes = mode === 'MPOL_DEFAULT' || mode === 'MPOL_LOCAL' ? {} : { nodes: '0' };
    accepted('/linux/memoryPolicy', { mode, ...nodes });
  }
});

test('features: every flag of a memory policy is accepted', () => {
  for (const flag of memoryPolicy.flags)
    accepted('/linux/memoryPolicy', { mode: 'MPOL_BIND', nodes: '0', flags: [flag] });
});

test('features: id-mapped mounts are recognised', () => {
  assert.equal(linux.mountExtensions.idmap.enabled, true);
});

test('features: what is told is not a matter of the machine', () => {
  const printed = ['apparmor', 'selinux'].map((module) => {
    const { port } = machine({ '/sys/kernel/security/lsm': module });
    const lines: string[] = [];
    const out = (text: string) => void lines.push(text);
    assert.equal(command.run({ port, out } as Parameters<typeof command.run>[0]), 0);
    return lines.join('');
  });
  assert.equal(printed[0], printed[1]);
  assert.match(printed[0] ?? '', /"ociVersionMax"/);
});
