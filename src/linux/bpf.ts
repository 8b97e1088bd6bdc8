// Opcodes and instruction encodings of classic BPF (seccomp filters) and eBPF (cgroup device programs).
//
// Layouts for the plan room (uapi/linux/filter.h, uapi/linux/bpf.h; little-endian, both architectures):
//
//   struct sock_filter (8 bytes)      0 u16 code   2 u8 jt   3 u8 jf   4 u32 k
//   struct sock_fprog  (16 bytes)     0 u16 len (instructions, not bytes)   8 u64 pointer to sock_filter[len]
//   struct bpf_insn    (8 bytes)      0 u8 code   1 u8 dst (low 4 bits) and src (high 4)   2 s16 off   4 s32 imm
//
//   seccomp(SECCOMP_SET_MODE_FILTER = 1, flags, pointer to sock_fprog); with NEW_LISTENER the result is a descriptor.
//
//   bpf(command, pointer to attr, size); bytes of attr past what is named must be zero, size may be smaller.
//   BPF_PROG_LOAD (5), size 72 is enough; the result is a descriptor of the program, opened O_CLOEXEC
//      0 u32 prog_type = BPF_PROG_TYPE_CGROUP_DEVICE (15)     4 u32 insn_cnt
//      8 u64 pointer to bpf_insn[]                            16 u64 pointer to the licence, a C string
//     24 u32 log_level (0: no log)   28 u32 log_size          32 u64 pointer to log_buf
//     40 u32 kern_version            44 u32 prog_flags        48 char prog_name[16] (letters, digits, _ and .)
//     64 u32 prog_ifindex            68 u32 expected_attach_type = BPF_CGROUP_DEVICE (6)
//   BPF_PROG_ATTACH (8), size 20
//      0 u32 target_fd (cgroup directory)   4 u32 attach_bpf_fd   8 u32 attach_type = BPF_CGROUP_DEVICE (6)
//     12 u32 attach_flags: BPF_F_ALLOW_MULTI (2), with BPF_F_REPLACE (4) also   16 u32 replace_bpf_fd
//   BPF_PROG_DETACH (9), size 20: as attach, attach_bpf_fd is the program to remove, flags 0
//   BPF_PROG_QUERY (16), size 32
//      0 u32 target_fd   4 u32 attach_type   8 u32 query_flags (0: of this cgroup only)   12 u32 attach_flags (out)
//     16 u64 pointer to u32 prog_ids[]   24 u32 prog_cnt (in: room, out: how many; ENOSPC when the room is small)
//   BPF_PROG_GET_FD_BY_ID (13), size 12: 0 u32 prog_id   8 u32 open_flags; the result is a descriptor
//
// A cgroup has at most 64 programs per type, every one of them and of its ancestors must allow (so a second one
// only restricts): replace, never add. RLIMIT_MEMLOCK bounds programs before 5.11 only.

export * from './constants/bpf.ts';
export {
  BPF_A,
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_AND,
  BPF_DIV,
  BPF_IMM,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JMP,
  BPF_JSET,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_LSH,
  BPF_MAXINSNS,
  BPF_MEM,
  BPF_MEMWORDS,
  BPF_MISC,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RET,
  BPF_RSH,
  BPF_ST,
  BPF_STX,
  BPF_SUB,
  BPF_TAX,
  BPF_TXA,
  BPF_W,
  BPF_X,
  BPF_XOR,
} from './constants/seccomp.ts';

/** A classic BPF instruction, `struct sock_filter`. `k` is unsigned. */
export interface CbpfInstruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** An eBPF instruction, `struct bpf_insn`. `off` is signed 16-bit, `imm` is taken modulo 2^32. */
export interface EbpfInstruction {
  readonly code: number;
  readonly dst: number;
  readonly src: number;
  readonly off: number;
  readonly imm: number;
}

/** Bytes of one instruction of either kind. */
export const BPF_INSTRUCTION_SIZE = 8;

/** Classic: the length of the data as an operand (linux/filter.h). */
export const BPF_LEN = 0x80;

/** A classic program as the array of `struct sock_filter` that the kernel reads. */
export function encodeCbpf(instructions: readonly CbpfInstruction[]): Uint8Array {
  // Little-endian, as both architectures and their hosts are.
  const words = new Int32Array(2 * instructions.length);
  for (let i = 0; i < instructions.length; i++) {
    const { code, jt, jf, k } = instructions[i] as CbpfInstruction;
    words[2 * i] = code | (jt << 16) | (jf << 24);
    words[2 * i + 1] = k | 0;
  }
  return new Uint8Array(words.buffer);
}

/** The instructions of an array of `struct sock_filter`. Throws RangeError when it is not whole instructions. */
export function decodeCbpf(bytes: Uint8Array): CbpfInstruction[] {
  const view = viewOf(bytes);
  const instructions: CbpfInstruction[] = [];
  for (let at = 0; at < bytes.length; at += BPF_INSTRUCTION_SIZE) {
    instructions.push({
      code: view.getUint16(at, true),
      jt: view.getUint8(at + 2),
      jf: view.getUint8(at + 3),
      k: view.getUint32(at + 4, true),
    });
  }
  return instructions;
}

/** An eBPF program as the array of `struct bpf_insn` that the kernel reads. */
export function encodeEbpf(instructions: readonly EbpfInstruction[]): Uint8Array {
  const bytes = new Uint8Array(instructions.length * BPF_INSTRUCTION_SIZE);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { code, dst, src, off, imm } of instructions) {
    bytes[at] = code;
    bytes[at + 1] = dst | (src << 4);
    view.setInt16(at + 2, off, true);
    view.setInt32(at + 4, imm, true);
    at += BPF_INSTRUCTION_SIZE;
  }
  return bytes;
}

/** The instructions of an array of `struct bpf_insn`, `imm` signed. Throws RangeError as decodeCbpf does. */
export function decodeEbpf(bytes: Uint8Array): EbpfInstruction[] {
  const view = viewOf(bytes);
  const instructions: EbpfInstruction[] = [];
  for (let at = 0; at < bytes.length; at += BPF_INSTRUCTION_SIZE) {
    const registers = view.getUint8(at + 1);
    instructions.push({
      code: view.getUint8(at),
      dst: registers & 0xf,
      src: registers >> 4,
      off: view.getInt16(at + 2, true),
      imm: view.getInt32(at + 4, true),
    });
  }
  return instructions;
}

function viewOf(bytes: Uint8Array): DataView {
  if (bytes.length % BPF_INSTRUCTION_SIZE !== 0) {
    throw new RangeError(`a BPF program of ${bytes.length} bytes is not whole instructions`);
  }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
