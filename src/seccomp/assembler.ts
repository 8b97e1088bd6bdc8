// Builds a classic BPF program from its end to its beginning, so that every jump's target is already placed.
//
// A position is counted from the end: it is the number of instructions from it to the last one. A conditional
// jump reaches 255 instructions (struct sock_filter has 8 bits); a RET farther away is repeated, a block
// farther away is reached by JA, which has 32 bits.

import * as bpf from '../linux/bpf.ts';

/** Offsets in struct seccomp_data (seccomp(2)): nr, arch, instruction pointer, six 64-bit arguments. */
export const OFFSET_NR = 0;
export const OFFSET_ARCH = 4;
const OFFSET_ARGS = 16;

/** The offset of the low or the high half of an argument on a little-endian machine. */
export function argumentOffset(index: number, half: 'low' | 'high'): number {
  return OFFSET_ARGS + 8 * index + (half === 'high' ? 4 : 0);
}

/** Code that is placed. When it begins with a load, a jump that already has the word goes to `loaded`. */
export interface Block {
  readonly position: number;
  readonly load?: { readonly offset: number; readonly loaded: number };
}

/** Where control goes: a return value, or code. */
export type Target = number | Block;

/** A test of one word of struct seccomp_data. */
export interface WordTest {
  readonly offset: number;
  /** Bits that count; JEQ only. */
  readonly mask?: number;
  readonly jump: typeof bpf.BPF_JEQ | typeof bpf.BPF_JGT | typeof bpf.BPF_JGE;
  readonly value: number;
}

/** Room that a jump leaves for the two instructions that its other branch may need. */
const REACH = 255 - 2;

export class Assembler {
  readonly #reversed: bpf.CbpfInstruction[] = [];
  readonly #returns = new Map<number, number>();

  /** How many instructions there are. */
  get length(): number {
    return this.#reversed.length;
  }

  /** The instructions in the order of execution, the last placed first. */
  finish(): readonly bpf.CbpfInstruction[] {
    return this.#reversed.toReversed();
  }

  /** Loads a word and tests it: to `yes` if the test holds, else to `no`. Where both are the same, no code. */
  test(test: WordTest, yes: Target, no: Target): Target {
    if (yes === no) return yes;
    return this.load(test.offset, this.#testHeld(test, yes, no));
  }

  #testHeld(test: WordTest, yes: Target, no: Target): Block {
    const { offset, mask = 0xffffffff, jump, value } = test;
    if (mask === 0xffffffff) return this.branch(jump, value, yes, no, offset);
    // A JSET leaves the word in the accumulator for the next test, AND does not.
    if (value === 0) return this.branch(bpf.BPF_JSET, mask, no, yes, offset);
    if (value === mask && (mask & (mask - 1)) === 0) return this.branch(bpf.BPF_JSET, mask, yes, no, offset);
    this.branch(jump, value, yes, no, undefined);
    return { position: this.#place(bpf.BPF_ALU | bpf.BPF_AND | bpf.BPF_K, 0, 0, mask) };
  }

  /** A conditional jump on the accumulator, which holds the word at `held` (undefined: nothing that is loaded). */
  branch(jump: number, value: number, yes: Target, no: Target, held: number | undefined): Block {
    const jt = this.#reachable(yes, held);
    const jf = this.#reachable(no, held);
    const here = this.#reversed.length;
    return { position: this.#place(bpf.BPF_JMP | jump | bpf.BPF_K, here - jt, here - jf, value) };
  }

  /** Loads the word at `offset` for the block that was placed last. */
  load(offset: number, block: Block): Block {
    const position = this.#place(bpf.BPF_LD | bpf.BPF_W | bpf.BPF_ABS, 0, 0, offset);
    return { position, load: { offset, loaded: block.position } };
  }

  /** A position that a conditional jump reaches from the next instructions on. */
  #reachable(target: Target, held: number | undefined): number {
    if (typeof target === 'number') return this.#returning(target);
    const position =
      target.load !== undefined && target.load.offset === held ? target.load.loaded : target.position;
    const distance = this.#reversed.length - position;
    return distance <= REACH ? position : this.#place(bpf.BPF_JMP | bpf.BPF_JA, 0, 0, distance);
  }

  #returning(value: number): number {
    const known = this.#returns.get(value);
    if (known !== undefined && this.#reversed.length - known <= REACH) return known;
    const position = this.#place(bpf.BPF_RET | bpf.BPF_K, 0, 0, value);
    this.#returns.set(value, position);
    return position;
  }

  /** Makes `target` the beginning of the program. */
  enter(target: Target): void {
    if (typeof target === 'number') {
      this.#place(bpf.BPF_RET | bpf.BPF_K, 0, 0, target);
    } else if (target.position !== this.#reversed.length) {
      this.#place(bpf.BPF_JMP | bpf.BPF_JA, 0, 0, this.#reversed.length - target.position);
    }
  }

  #place(code: number, jt: number, jf: number, k: number): number {
    this.#reversed.push({ code, jt, jf, k });
    return this.#reversed.length;
  }
}
