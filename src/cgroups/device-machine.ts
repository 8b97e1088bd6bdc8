// A machine for device programs: the part of eBPF that they use, strict about the rest. For tests and explanations.

import * as bpf from '../linux/bpf.ts';

/** What a process asks for, as the kernel hands it to the program. */
export interface DeviceRequest {
  /** BPF_DEVCG_DEV_*. */
  readonly type: number;
  /** BPF_DEVCG_ACC_* bits, at least one. */
  readonly access: number;
  /** Unsigned 32-bit. */
  readonly major: number;
  readonly minor: number;
}

/**
 * Whether the program allows the request. Throws RangeError for what the verifier refuses: an unknown
 * instruction, a read outside the context or of a register never written, a jump backward or past the end.
 */
export function runDeviceProgram(program: readonly bpf.EbpfInstruction[], request: DeviceRequest): boolean {
  const context = [((request.access << 16) | request.type) >>> 0, request.major, request.minor];
  const registers: (number | undefined)[] = [];
  const read = (register: number): number => {
    const value = registers[register];
    if (value === undefined) throw new RangeError(`register ${register} is read before it is written`);
    return value;
  };
  for (let at = 0; ; at++) {
    const instruction = program[at];
    if (instruction === undefined) throw new RangeError(`the program ends at ${at} without EXIT`);
    const { code, dst, src, off, imm } = instruction;
    if (code === (bpf.BPF_JMP | bpf.BPF_EXIT)) return read(0) !== 0;
    if (off < 0) throw new RangeError(`instruction ${at} goes backward`);
    switch (code & 0x07) {
      case bpf.BPF_LDX: {
        const word = context[off / 4];
        const isWord = code === (bpf.BPF_LDX | bpf.BPF_MEM | bpf.BPF_W);
        if (!isWord || src !== 1 || word === undefined) throw unknown(instruction, at);
        registers[dst] = word;
        break;
      }
      case bpf.BPF_ALU: {
        const operand = code & bpf.BPF_X ? read(src) : imm;
        const isMove = (code & 0xf0) === bpf.BPF_MOV;
        registers[dst] = isMove ? operand >>> 0 : calculate(instruction, read(dst), operand, at);
        break;
      }
      case bpf.BPF_JMP:
        if (code !== (bpf.BPF_JMP | bpf.BPF_JA)) throw unknown(instruction, at);
        at += off;
        break;
      case bpf.BPF_JMP32:
        if (holds(instruction, read(dst), at)) at += off;
        break;
      default:
        throw unknown(instruction, at);
    }
  }
}

function calculate(instruction: bpf.EbpfInstruction, a: number, b: number, at: number): number {
  switch (instruction.code & 0xf0) {
    case bpf.BPF_AND:
      return (a & b) >>> 0;
    case bpf.BPF_RSH:
      return a >>> b;
    default:
      throw unknown(instruction, at);
  }
}

function holds(instruction: bpf.EbpfInstruction, value: number, at: number): boolean {
  const imm = instruction.imm >>> 0;
  switch (instruction.code & 0xf8) {
    case bpf.BPF_JNE | bpf.BPF_K:
      return value !== imm;
    case bpf.BPF_JSET | bpf.BPF_K:
      return (value & imm) !== 0;
    default:
      throw unknown(instruction, at);
  }
}

function unknown({ code }: bpf.EbpfInstruction, at: number): RangeError {
  return new RangeError(
    `instruction ${at} has opcode 0x${code.toString(16)}, which device programs do not use`,
  );
}
