// The interpreter against filters written by hand, and against what the kernel refuses to load.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as bpf from '../linux/bpf.ts';
import { AUDIT_ARCH_X86_64 } from '../linux/constants/seccomp.ts';
import type { LinuxSeccomp } from '../spec/runtime-spec.ts';
import { compileSeccomp } from './compile.ts';
import { dataWords, interpret } from './interpret.ts';

const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const EPERM = 0x00050001;
const ENOSYS = 0x00050026;

const LD = bpf.BPF_LD | bpf.BPF_W | bpf.BPF_ABS;
const JEQ = bpf.BPF_JMP | bpf.BPF_JEQ | bpf.BPF_K;
const JGE = bpf.BPF_JMP | bpf.BPF_JGE | bpf.BPF_K;
const RET = bpf.BPF_RET | bpf.BPF_K;

function line(code: number, k: number, jt = 0, jf = 0): bpf.CbpfInstruction {
  return { code, jt, jf, k };
}

test('struct seccomp_data has its 64-bit fields in halves, the low one first', () => {
  const words = dataWords({
    nr: 0xffffffff,
    arch: AUDIT_ARCH_X86_64,
    instructionPointer: 0x1_0000_0002,
    args: [1n, 0xfedcba9876543210n, 2 ** 53],
  });
  const expected = [0xffffffff, AUDIT_ARCH_X86_64, 2, 1, 1, 0, 0x76543210, 0xfedcba98, 0, 0x200000];
  assert.deepEqual([...words.slice(0, 10)], expected);
});

/** read and exit_group pass, write passes to descriptor 1, the rest fails, another ABI dies. */
const BY_HAND: readonly bpf.CbpfInstruction[] = [
  line(LD, 4),
  line(JEQ, AUDIT_ARCH_X86_64, 1, 0),
  line(RET, KILL_PROCESS),
  line(LD, 0),
  line(JGE, 0x40000000, 0, 2),
  line(JEQ, 0xffffffff, 9, 0),
  line(RET, KILL_PROCESS),
  line(JEQ, 0, 6, 0),
  line(JEQ, 231, 5, 0),
  line(JEQ, 1, 0, 5),
  line(LD, 20),
  line(JEQ, 0, 0, 3),
  line(LD, 16),
  line(JEQ, 1, 0, 1),
  line(RET, ALLOW),
  line(RET, EPERM),
];

test('a filter written by hand and the compiled profile give the same verdicts', () => {
  const profile: LinuxSeccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [
      { names: ['read', 'exit_group'], action: 'SCMP_ACT_ALLOW' },
      { names: ['write'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, op: 'SCMP_CMP_EQ', value: 1 }] },
    ],
  };
  const { instructions } = compileSeccomp(profile, 'x86_64');
  for (const nr of [0, 1, 2, 3, 60, 230, 231, 0x3fffffff, 0x40000000, 0x40000001, 0xfffffffe, 0xffffffff]) {
    for (const first of [0, 1, 2, 0x1_0000_0001, 0xffffffffffffffffn]) {
      for (const arch of [AUDIT_ARCH_X86_64, 0x40000003]) {
        const data = { nr, arch, args: [first] };
        // The compiled one knows calls above exit_group to be newer than the profile.
        const isNewer = arch === AUDIT_ARCH_X86_64 && nr > 231 && nr < 0x40000000;
        const expected = isNewer ? ENOSYS : interpret(BY_HAND, data);
        assert.equal(interpret(instructions, data), expected, `number ${nr}, argument ${first}, ABI ${arch}`);
      }
    }
  }
});

test('every kind of instruction that seccomp takes computes as in the kernel', () => {
  const alu = (op: number, k: number) => line(bpf.BPF_ALU | op | bpf.BPF_K, k);
  const program = [
    line(LD, 16), // A = 0xfffffff0
    alu(bpf.BPF_ADD, 0x20), // 0x10
    line(bpf.BPF_ST, 3),
    line(bpf.BPF_LDX | bpf.BPF_MEM, 3), // X = 0x10
    alu(bpf.BPF_LSH, 4), // 0x100
    line(bpf.BPF_ALU | bpf.BPF_SUB | bpf.BPF_X, 0), // 0xf0
    alu(bpf.BPF_MUL, 0x10000001), // 0xf0 * 0x10000001 = 0xf000000f0, low half 0xf0
    alu(bpf.BPF_NEG, 0), // 0xffffff10
    alu(bpf.BPF_RSH, 8), // 0xffffff
    alu(bpf.BPF_DIV, 0x100), // 0xffff
    alu(bpf.BPF_XOR, 0xf), // 0xfff0
    alu(bpf.BPF_OR, 0x30001), // 0x3fff1
    alu(bpf.BPF_AND, 0x3ff0f), // 0x3ff01
    line(bpf.BPF_MISC | bpf.BPF_TAX, 0),
    line(bpf.BPF_LD | bpf.BPF_IMM, 7),
    line(bpf.BPF_JMP | bpf.BPF_JSET | bpf.BPF_K, 4, 0, 1),
    line(bpf.BPF_JMP | bpf.BPF_JA, 1),
    line(RET, 0),
    line(bpf.BPF_MISC | bpf.BPF_TXA, 0),
    line(bpf.BPF_JMP | bpf.BPF_JGT | bpf.BPF_X, 0, 0, 1), // A > X: no, they are equal
    line(RET, 1),
    line(bpf.BPF_RET | bpf.BPF_A, 0),
  ];
  assert.equal(interpret(program, { nr: 0, arch: 0, args: [0xfffffff0] }), 0x3ff01);
});

test('a division by zero ends the program with 0', () => {
  const divide = line(bpf.BPF_ALU | bpf.BPF_DIV | bpf.BPF_X, 0);
  assert.equal(
    interpret([line(bpf.BPF_LD | bpf.BPF_IMM, 8), divide, line(RET, ALLOW)], { nr: 0, arch: 0 }),
    0,
  );
});

test('what the kernel refuses to load is refused', () => {
  const data = { nr: 0, arch: 0 };
  assert.throws(() => interpret([line(LD, 2), line(RET, 0)], data), /outside the data/);
  assert.throws(() => interpret([line(LD, 64), line(RET, 0)], data), /outside the data/);
  assert.throws(() => interpret([line(LD, 0)], data), /without RET/);
  assert.throws(() => interpret([line(JEQ, 0, 5, 5), line(RET, 0)], data), /without RET/);
  assert.throws(() => interpret([line(bpf.BPF_ST, 16), line(RET, 0)], data), /scratch/);
  // A byte load, which packet filters have and seccomp has not.
  assert.throws(() => interpret([line(0x30, 0), line(RET, 0)], data), /opcode 0x30/);
});
