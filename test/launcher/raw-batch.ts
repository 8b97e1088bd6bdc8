// Batches written by hand, field by field and right or wrong, independent of src/plan/encode.ts.
import { type Arch, type SyscallName, syscallNumber } from '../../src/linux/abi/index.ts';
import { FRAME_SIZE, HEADER_FIELDS, HEADER_SIZE, RECORD, RECORD_SIZE, WIRE } from '../../src/plan/wire.ts';

export const arch: Arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

/** A value as it is, a pointer to a data offset, or the number that is stored at a data offset. */
export type RawArgument = number | bigint | { ptr: number } | { load32: number } | { load64: number };

export interface RawRecord {
  readonly nr: number;
  readonly args: readonly RawArgument[];
  readonly flags?: number;
  readonly dest?: number;
  readonly tolerate?: readonly number[];
  /** Bits to set beside the kinds of the arguments. */
  readonly kinds?: number;
}

export interface RawBatch {
  readonly records: readonly RawRecord[];
  readonly data?: Uint8Array;
  readonly relocs?: readonly number[];
  readonly reply?: number;
  readonly trace?: number;
  /** Header fields that lie. */
  readonly header?: Partial<Record<(typeof HEADER_FIELDS)[number], number>>;
}

export function syscall(name: SyscallName, ...args: RawArgument[]): RawRecord {
  return { nr: syscallNumber(arch, name), args };
}

export function pseudo(name: 'FORK' | 'CHECK' | 'DEC' | 'PAUSE' | 'END', ...args: RawArgument[]): RawRecord {
  return { nr: WIRE[`OP_${name}`], args };
}

/** Data from [offset, text, bytes or little-endian 64-bit number] pieces, `length` bytes long. */
export function dataOf(
  length: number,
  ...pieces: readonly [number, string | bigint | Uint8Array][]
): Uint8Array {
  const data = Buffer.alloc(length);
  for (const [at, piece] of pieces) {
    if (typeof piece === 'bigint') data.writeBigUInt64LE(BigInt.asUintN(64, piece), at);
    else if (typeof piece === 'string') data.write(piece, at, 'latin1');
    else data.set(piece, at);
  }
  return data;
}

function kindAndValue(arg: RawArgument): readonly [number, bigint] {
  if (typeof arg === 'number' || typeof arg === 'bigint')
    return [WIRE.KIND_IMM, BigInt.asUintN(64, BigInt(arg))];
  if ('ptr' in arg) return [WIRE.KIND_PTR, BigInt.asUintN(64, BigInt(arg.ptr))];
  const [kind, at] = 'load32' in arg ? [WIRE.KIND_LOAD32, arg.load32] : [WIRE.KIND_LOAD64, arg.load64];
  return [kind, BigInt.asUintN(64, BigInt(at))];
}

function writeRecord(view: DataView, at: number, record: RawRecord): void {
  let kinds = record.kinds ?? 0;
  record.args.forEach((arg, index) => {
    const [kind, value] = kindAndValue(arg);
    kinds |= kind << (2 * index);
    view.setBigUint64(at + RECORD.arg + 8 * index, value, true);
  });
  view.setUint32(at + RECORD.nr, record.nr, true);
  view.setUint16(at + RECORD.kinds, kinds, true);
  view.setUint16(at + RECORD.flags, record.flags ?? 0, true);
  view.setUint32(at + RECORD.dest, record.dest ?? WIRE.NONE, true);
  record.tolerate?.forEach((errno, index) => {
    view.setUint8(at + RECORD.tolerate + index, errno);
  });
}

/** The bytes of a batch. */
export function rawBatch({
  records,
  data = new Uint8Array(),
  relocs = [],
  reply,
  trace,
  header,
}: RawBatch): Uint8Array {
  const recordsEnd = HEADER_SIZE + RECORD_SIZE * records.length;
  const start = recordsEnd + Math.ceil((4 * relocs.length) / 8) * 8 + FRAME_SIZE;
  const bytes = new Uint8Array(start + data.length);
  const view = new DataView(bytes.buffer);
  const fields = {
    magic: WIRE.MAGIC_BATCH,
    records: records.length,
    relocs: relocs.length,
    data: data.length,
    reply: reply ?? data.length,
    trace: trace ?? WIRE.NONE,
    reserved0: 0,
    reserved1: 0,
    ...header,
  };
  HEADER_FIELDS.forEach((name, index) => {
    view.setUint32(4 * index, fields[name], true);
  });
  records.forEach((record, index) => {
    writeRecord(view, HEADER_SIZE + RECORD_SIZE * index, record);
  });
  relocs.forEach((at, index) => {
    view.setUint32(recordsEnd + 4 * index, at, true);
  });
  bytes.set(data, start);
  return bytes;
}
