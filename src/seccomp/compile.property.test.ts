// For any profile and any call, the compiled filter returns what the profile means.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Arch as NativeArch } from '../linux/abi/index.ts';
import * as bpf from '../linux/bpf.ts';
import * as audit from '../linux/constants/seccomp.ts';
import { CaissonError } from '../spec/error.ts';
import type { LinuxSeccomp } from '../spec/runtime-spec.ts';
import * as architectures from './architectures.ts';
import { compileSeccomp } from './compile.ts';
import { defaultProfile } from './default-profile.ts';
import { interpret } from './interpret.ts';
import { decide } from './reference.ts';

const NAMES = [
  ...['read', 'write', 'open', 'ioctl', 'socket', 'connect', 'socketcall', 'ipc', 'semop', 'shmat', 'clone'],
  ...[
    'clone3',
    'futex',
    'openat',
    'mmap',
    'mmap2',
    'arch_prctl',
    'cacheflush',
    'removexattrat',
    'no_such_call',
  ],
];
const BOUNDARIES = [
  ...[0n, 1n, 2n, 5n, 0x7fffffffn, 0x80000000n, 0xfffffffen, 0xffffffffn, 0x100000000n, 0x100000001n],
  ...[0x100000005n, 0x1ffffffffn, 0x500000005n, 0x7fffffffffffffffn, 0x8000000000000000n],
  ...[0xfffffffffffffffen, 0xffffffffffffffffn, 0xffffffff00000000n, 0x7e020000n],
];

const int64 = fc.oneof(
  { arbitrary: fc.constantFrom(...BOUNDARIES), weight: 4 },
  { arbitrary: fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }), weight: 1 },
  { arbitrary: fc.nat(64), weight: 2 },
);
const arg = fc.record({
  index: fc.nat(5),
  value: int64,
  valueTwo: int64,
  op: fc.constantFrom(
    ...(['SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT'] as const),
    'SCMP_CMP_MASKED_EQ' as const,
  ),
});
const action = fc.constantFrom(
  ...([
    'SCMP_ACT_ALLOW',
    'SCMP_ACT_ERRNO',
    'SCMP_ACT_TRAP',
    'SCMP_ACT_LOG',
    'SCMP_ACT_KILL_PROCESS',
  ] as const),
);
const syscall = fc.record({
  names: fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 }),
  action,
  args: fc.array(arg, { maxLength: 3 }),
});
const profiles: fc.Arbitrary<LinuxSeccomp> = fc.record({
  defaultAction: action,
  architectures: fc.subarray([
    ...([
      'SCMP_ARCH_X86_64',
      'SCMP_ARCH_X86',
      'SCMP_ARCH_X32',
      'SCMP_ARCH_AARCH64',
      'SCMP_ARCH_ARM',
    ] as const),
  ]),
  syscalls: fc.array(syscall, { maxLength: 12 }),
});
const natives = fc.constantFrom<NativeArch>('x86_64', 'aarch64');

const AUDITS = [
  audit.AUDIT_ARCH_X86_64,
  audit.AUDIT_ARCH_I386,
  audit.AUDIT_ARCH_AARCH64,
  audit.AUDIT_ARCH_ARM,
  0x80000016,
];

/** Numbers of the generated names on every ABI, their neighbours, and the ends of the ranges. */
function interestingNumbers(): readonly number[] {
  const numbers = new Set([0, 0x3fffffff, 0x40000000, 0x40000001, 0x7fffffff, 0xfffffffe, 0xffffffff]);
  const profile: LinuxSeccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: [
      'SCMP_ARCH_X86_64',
      'SCMP_ARCH_X86',
      'SCMP_ARCH_X32',
      'SCMP_ARCH_AARCH64',
      'SCMP_ARCH_ARM',
    ],
  };
  for (const abi of architectures.coveredAbis(profile, 'x86_64', '')) {
    for (const name of NAMES) {
      const nr: unknown = abi.numbers[name];
      if (typeof nr === 'number') for (const near of [nr - 1, nr, nr + 1]) numbers.add(Math.max(0, near));
    }
  }
  return [...numbers];
}

const NUMBERS = interestingNumbers();

/** Arguments near what the rules compare with: the datum, its neighbours, and its other half changed. */
function nearbyArguments(profile: LinuxSeccomp): bigint[][] {
  const sets: bigint[][] = [Array<bigint>(6).fill(0n)];
  for (const { index, value, valueTwo } of (profile.syscalls ?? []).flatMap((one) => one.args ?? [])) {
    for (const near of [BigInt(value), BigInt(valueTwo ?? 0)]) {
      for (const actual of [
        near,
        near - 1n,
        near + 1n,
        near ^ (1n << 32n),
        near ^ (1n << 63n),
        near & 0xffffffffn,
      ]) {
        const set = [...(sets[sets.length % 7] ?? (sets[0] as bigint[]))];
        set[index] = BigInt.asUintN(64, actual);
        sets.push(set);
      }
    }
  }
  return sets.slice(0, 60);
}

function compiled(profile: LinuxSeccomp, native: NativeArch): readonly bpf.CbpfInstruction[] | undefined {
  try {
    return compileSeccomp(profile, native).instructions;
  } catch (error) {
    if (error instanceof CaissonError && /same conditions/.test(error.message)) return undefined;
    throw error;
  }
}

test('the filter of any profile returns what the profile means', () => {
  const property = fc.property(
    profiles,
    natives,
    fc.array(int64, { maxLength: 6 }),
    (profile, native, extra) => {
      const program = compiled(profile, native);
      fc.pre(program !== undefined);
      const sets = [...nearbyArguments(profile), extra];
      for (const arch of AUDITS) {
        for (const [at, nr] of NUMBERS.entries()) {
          const chosen =
            sets.length < 8 ? sets : [0, 1, 2, 3].map((i) => sets[(at * 4 + i) % sets.length] ?? []);
          for (const args of chosen) {
            const data = { nr, arch, args };
            assert.equal(
              interpret(program, data),
              decide(profile, native, data),
              `${nr} on ${arch} of ${args}`,
            );
          }
        }
      }
    },
  );
  fc.assert(property, { numRuns: 60 });
});

test('every argument that a rule names is tried on every rule of its call', () => {
  const one = fc.record({ action, args: fc.array(arg, { minLength: 1, maxLength: 3 }) });
  const property = fc.property(
    fc.array(one, { minLength: 1, maxLength: 8 }),
    action,
    (rules, defaultAction) => {
      const profile = { defaultAction, syscalls: rules.map((rule) => ({ names: ['ioctl'], ...rule })) };
      const program = compiled(profile, 'x86_64');
      fc.pre(program !== undefined);
      for (const args of nearbyArguments(profile)) {
        const data = { nr: 16, arch: audit.AUDIT_ARCH_X86_64, args };
        assert.equal(interpret(program, data), decide(profile, 'x86_64', data), String(args));
      }
    },
  );
  fc.assert(property, { numRuns: 400 });
});

test('the kernel would accept every program: jumps stay inside, and the last instruction returns', () => {
  const property = fc.property(profiles, natives, (profile, native) => {
    const program = compiled(profile, native);
    fc.pre(program !== undefined);
    for (const [at, { code, jt, jf, k }] of program.entries()) {
      if ((code & 0x07) !== bpf.BPF_JMP) continue;
      const farthest = (code & 0xf0) === bpf.BPF_JA ? k : Math.max(jt, jf);
      assert.ok(jt <= 255 && jf <= 255 && jt >= 0 && jf >= 0 && at + 1 + farthest < program.length);
    }
    assert.equal(program.at(-1)?.code, bpf.BPF_RET | bpf.BPF_K);
  });
  fc.assert(property, { numRuns: 300 });
});

test('the filter of the default profile returns what the profile means, on every number', () => {
  const capabilities = [[], ['CAP_SYS_ADMIN'], ['CAP_SYS_PTRACE', 'CAP_SYS_TIME', 'CAP_BPF']];
  const sets = [0n, 8n, 38n, 39n, 40n, 0x10000011n, 0x100000026n, 0xffffffffn, 0xffffffff7e020000n];
  const argumentCalls = new Set([41, 56, 135, 198, 220, 92, 359, 120, 136, 281]);
  for (const native of ['x86_64', 'aarch64'] as const) {
    for (const held of capabilities) {
      for (const foreignAbis of [false, true]) {
        const profile = defaultProfile(native, held, { foreignAbis });
        const program = compileSeccomp(profile, native).instructions;
        for (const arch of AUDITS) {
          for (const nr of [...Array(480).keys(), ...NUMBERS]) {
            for (const first of argumentCalls.has(nr & 0x3fffffff) ? sets : sets.slice(0, 1)) {
              const data = { nr, arch, args: [first] };
              assert.equal(
                interpret(program, data),
                decide(profile, native, data),
                `${native} ${arch} ${nr} ${first}`,
              );
            }
          }
        }
      }
    }
  }
});
