// The wire format between TypeScript and the launcher: batches of 64-byte records, and the frames that answer.
//
// Declared here once; scripts/generate-wire.ts prints launcher/wire.h from it. All numbers are little-endian.
//
//   batch  = header | records | relocations, padded to 8 | room for a frame | data
//   answer = frame | the first `reply` bytes of data

/** `u32` fields of the 32-byte header of a batch, in order. */
export const HEADER_FIELDS = [
  'magic',
  'records',
  'relocs',
  'data',
  'reply',
  'trace',
  'reserved0',
  'reserved1',
] as const;

/** `u32` fields of the 24-byte frame that the launcher answers with, in order. */
export const FRAME_FIELDS = ['magic', 'kind', 'index', 'error', 'name', 'length'] as const;

export const HEADER_SIZE = 32;
export const FRAME_SIZE = 24;
export const RECORD_SIZE = 64;

/** Byte offsets inside a record: {u32 nr; u16 kinds; u16 flags; u32 dest; u8 tolerate[4]; u64 arg[6]}. */
export const RECORD = { nr: 0, kinds: 4, flags: 6, dest: 8, tolerate: 12, arg: 16 } as const;

/** Numbers shared by both sides; printed into wire.h with the prefix `WIRE_`. */
export const WIRE = {
  /** "CAI1": a batch. */
  MAGIC_BATCH: 0x31494143,
  /** "CAIC": go on after a pause. */
  MAGIC_CONTINUE: 0x43494143,
  /** "CAIA": an answer. */
  MAGIC_ANSWER: 0x41494143,

  /** Bytes of records, relocations, room and data that one batch may have. */
  ARENA: 8 << 20,
  /** No destination, no trace. */
  NONE: 0xffffffff,
  /** How often a record with the flag RETRY is repeated at EINTR and EAGAIN. */
  RETRIES: 128,

  KIND_IMM: 0,
  KIND_PTR: 1,
  KIND_LOAD32: 2,
  KIND_LOAD64: 3,

  FLAG_RETRY: 1,
  FLAG_DEST32: 2,

  /** clone3(arg0, arg1); the child goes on at record arg2. */
  OP_FORK: 0xffff0001,
  /** Fails with errno arg4 unless (arg0 & arg3) op arg2, op being arg1; the result is arg0. */
  OP_CHECK: 0xffff0002,
  /** Writes arg0 as decimal text and a NUL at data offset arg1, capacity arg2; the result is its length. */
  OP_DEC: 0xffff0003,
  /** Answers PAUSED with the name arg0, waits for a continue header. */
  OP_PAUSE: 0xffff0004,
  /** Ends the batch. */
  OP_END: 0xffff0005,

  CHECK_EQ: 0,
  CHECK_NE: 1,
  CHECK_GE: 2,

  ANSWER_DONE: 1,
  ANSWER_PAUSED: 2,
  ANSWER_FAILED: 3,
  ANSWER_REFUSED: 4,
} as const;
