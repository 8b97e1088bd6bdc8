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

/** The kernel's limit on the instructions of a classic program (uapi/linux/bpf_common.h). */
export const BPF_MAXINSNS = 4096;

// Instruction classes: the low three bits.
export const BPF_LD = 0x00;
export const BPF_LDX = 0x01;
export const BPF_ST = 0x02;
export const BPF_STX = 0x03;
export const BPF_ALU = 0x04;
export const BPF_JMP = 0x05;
/** Classic. */
export const BPF_RET = 0x06;
/** eBPF since 5.1: compares the low 32 bits, so an immediate of 2^31 and more is not sign-extended. */
export const BPF_JMP32 = 0x06;
/** Classic. */
export const BPF_MISC = 0x07;
/** eBPF. */
export const BPF_ALU64 = 0x07;

// Size and mode of loads and stores.
export const BPF_W = 0x00;
export const BPF_IMM = 0x00;
export const BPF_ABS = 0x20;
/** eBPF: register plus offset; classic: scratch memory. */
export const BPF_MEM = 0x60;
export const BPF_LEN = 0x80;

// Operand source.
export const BPF_K = 0x00;
export const BPF_X = 0x08;
/** Classic: RET of the accumulator. */
export const BPF_A = 0x10;

// Arithmetic.
export const BPF_ADD = 0x00;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
export const BPF_XOR = 0xa0;
/** eBPF. */
export const BPF_MOV = 0xb0;

// Jumps.
export const BPF_JA = 0x00;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;
/** eBPF. */
export const BPF_JNE = 0x50;
/** eBPF. */
export const BPF_EXIT = 0x90;

// Classic register moves.
export const BPF_TAX = 0x00;
export const BPF_TXA = 0x80;

// bpf(2) commands and the values that a cgroup device program needs.
export const BPF_PROG_LOAD = 5;
export const BPF_PROG_ATTACH = 8;
export const BPF_PROG_DETACH = 9;
export const BPF_PROG_GET_FD_BY_ID = 13;
export const BPF_PROG_QUERY = 16;
export const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
export const BPF_CGROUP_DEVICE = 6;
export const BPF_F_ALLOW_MULTI = 2;
export const BPF_F_REPLACE = 4;

// struct bpf_cgroup_dev_ctx { u32 access_type; u32 major; u32 minor }, access_type = access << 16 | device type.
export const BPF_DEVCG_ACC_MKNOD = 1;
export const BPF_DEVCG_ACC_READ = 2;
export const BPF_DEVCG_ACC_WRITE = 4;
export const BPF_DEVCG_DEV_BLOCK = 1;
export const BPF_DEVCG_DEV_CHAR = 2;

/** A classic program as the array of `struct sock_filter` that the kernel reads. */
export function encodeCbpf(instructions: readonly CbpfInstruction[]): Uint8Array {
  const bytes = new Uint8Array(instructions.length * BPF_INSTRUCTION_SIZE);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { code, jt, jf, k } of instructions) {
    view.setUint16(at, code, true);
    bytes[at + 2] = jt;
    bytes[at + 3] = jf;
    view.setUint32(at + 4, k, true);
    at += BPF_INSTRUCTION_SIZE;
  }
  return bytes;
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
