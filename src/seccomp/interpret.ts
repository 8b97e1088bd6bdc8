// The kernel's seccomp machine in TypeScript: a classic BPF program over struct seccomp_data.

import * as bpf from '../linux/bpf.ts';
import type { Int64 } from '../spec/runtime-spec.ts';
import { highHalf, lowHalf } from './rules.ts';

/** struct seccomp_data (seccomp(2)). */
export interface SeccompData {
  /** Unsigned 32-bit. */
  readonly nr: number;
  /** AUDIT_ARCH_*. */
  readonly arch: number;
  readonly instructionPointer?: Int64;
  /** Unsigned 64-bit; absent ones are 0. */
  readonly args?: readonly Int64[];
}

const DATA_WORDS = 16;

/** struct seccomp_data as its little-endian 32-bit words. */
export function dataWords(data: SeccompData): Uint32Array {
  const words = new Uint32Array(DATA_WORDS);
  words[0] = data.nr;
  words[1] = data.arch;
  const quads = [data.instructionPointer ?? 0, ...(data.args ?? [])];
  for (const [at, quad] of quads.slice(0, 7).entries()) {
    words[2 + 2 * at] = lowHalf(quad);
    words[3 + 2 * at] = highHalf(quad);
  }
  return words;
}

/**
 * What the kernel's seccomp returns for `data`: a SECCOMP_RET_* value with its data, unsigned.
 * Throws RangeError for what the kernel refuses to load: an opcode that seccomp has not, a load outside the
 * data or not aligned, a jump past the end, a program without RET on the path.
 */
export function interpret(program: readonly bpf.CbpfInstruction[], data: SeccompData): number {
  const words = dataWords(data);
  const scratch = new Uint32Array(bpf.BPF_MEMWORDS);
  let accumulator = 0;
  let index = 0;
  for (let at = 0; ; at++) {
    const instruction = program[at];
    if (instruction === undefined) throw new RangeError(`the program ends at ${at} without RET`);
    const { code, k } = instruction;
    switch (code & 0x07) {
      case bpf.BPF_LD:
        accumulator = load(code, k, words, scratch, at);
        break;
      case bpf.BPF_LDX:
        index = loadIndex(code, k, scratch, at);
        break;
      case bpf.BPF_ST:
        scratch[scratchSlot(k, at)] = accumulator;
        break;
      case bpf.BPF_STX:
        scratch[scratchSlot(k, at)] = index;
        break;
      case bpf.BPF_ALU: {
        const operand = code & bpf.BPF_X ? index : k;
        // Classic BPF ends with 0 there, which is SECCOMP_RET_KILL_THREAD.
        if (operand === 0 && (code & 0xf0) === bpf.BPF_DIV) return 0;
        accumulator = calculate(code, accumulator, operand, at);
        break;
      }
      case bpf.BPF_JMP:
        at += jump(instruction, accumulator, index, at);
        break;
      case bpf.BPF_RET:
        if (code === (bpf.BPF_RET | bpf.BPF_K)) return k;
        if (code === (bpf.BPF_RET | bpf.BPF_A)) return accumulator;
        throw unknownOpcode(code, at);
      default:
        if (code === (bpf.BPF_MISC | bpf.BPF_TAX)) index = accumulator;
        else if (code === (bpf.BPF_MISC | bpf.BPF_TXA)) accumulator = index;
        else throw unknownOpcode(code, at);
    }
  }
}

function load(code: number, k: number, words: Uint32Array, scratch: Uint32Array, at: number): number {
  switch (code & ~0x07) {
    case bpf.BPF_W | bpf.BPF_ABS:
      if (k % 4 !== 0 || k >= 4 * DATA_WORDS)
        throw new RangeError(`instruction ${at} loads outside the data: ${k}`);
      return words[k / 4] as number;
    case bpf.BPF_W | bpf.BPF_LEN:
      return 4 * DATA_WORDS;
    case bpf.BPF_IMM:
      return k;
    case bpf.BPF_MEM:
      return scratch[scratchSlot(k, at)] as number;
    default:
      throw unknownOpcode(code, at);
  }
}

function loadIndex(code: number, k: number, scratch: Uint32Array, at: number): number {
  switch (code & ~0x07) {
    case bpf.BPF_W | bpf.BPF_LEN:
      return 4 * DATA_WORDS;
    case bpf.BPF_IMM:
      return k;
    case bpf.BPF_MEM:
      return scratch[scratchSlot(k, at)] as number;
    default:
      throw unknownOpcode(code, at);
  }
}

function scratchSlot(k: number, at: number): number {
  if (k >= bpf.BPF_MEMWORDS)
    throw new RangeError(`instruction ${at} uses scratch word ${k} of ${bpf.BPF_MEMWORDS}`);
  return k;
}

function calculate(code: number, a: number, b: number, at: number): number {
  switch (code & 0xf0) {
    case bpf.BPF_ADD:
      return (a + b) >>> 0;
    case bpf.BPF_SUB:
      return (a - b) >>> 0;
    case bpf.BPF_MUL:
      return Math.imul(a, b) >>> 0;
    case bpf.BPF_DIV:
      return Math.floor(a / b);
    case bpf.BPF_OR:
      return (a | b) >>> 0;
    case bpf.BPF_AND:
      return (a & b) >>> 0;
    case bpf.BPF_XOR:
      return (a ^ b) >>> 0;
    case bpf.BPF_LSH:
      return (a << b) >>> 0;
    case bpf.BPF_RSH:
      return a >>> b;
    case bpf.BPF_NEG:
      return -a >>> 0;
    default:
      throw unknownOpcode(code, at);
  }
}

function jump(
  { code, jt, jf, k }: bpf.CbpfInstruction,
  accumulator: number,
  index: number,
  at: number,
): number {
  const operand = code & bpf.BPF_X ? index : k;
  switch (code & 0xf0) {
    case bpf.BPF_JA:
      return k;
    case bpf.BPF_JEQ:
      return accumulator === operand ? jt : jf;
    case bpf.BPF_JGT:
      return accumulator > operand ? jt : jf;
    case bpf.BPF_JGE:
      return accumulator >= operand ? jt : jf;
    case bpf.BPF_JSET:
      return (accumulator & operand) !== 0 ? jt : jf;
    default:
      throw unknownOpcode(code, at);
  }
}

function unknownOpcode(code: number, at: number): RangeError {
  return new RangeError(`instruction ${at} has opcode 0x${code.toString(16)}, which seccomp does not take`);
}
