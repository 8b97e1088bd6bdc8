// Reads a batch back as the launcher does, for the tests of the encoder.
import { type Bytes, fromArray } from '../linux/bytes.ts';
import { FRAME_SIZE, HEADER_SIZE, RECORD, RECORD_SIZE, WIRE } from './wire.ts';

export interface DecodedRecord {
  readonly nr: number;
  readonly kinds: readonly number[];
  readonly flags: number;
  readonly dest: number;
  readonly tolerate: readonly number[];
  readonly args: readonly bigint[];
}

export interface Decoded {
  readonly records: readonly DecodedRecord[];
  /** Data offsets that hold data offsets. */
  readonly relocs: ReadonlySet<number>;
  readonly data: DataView;
  readonly reply: number;
}

/** Throws Error where the launcher would refuse the batch. */
export function decodeBatch(bytes: Uint8Array): Decoded {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (index: number) => view.getUint32(4 * index, true);
  const [records, relocs, length, reply] = [word(1), word(2), word(3), word(4)];
  const recordsEnd = HEADER_SIZE + RECORD_SIZE * records;
  const start = recordsEnd + 8 * Math.ceil((4 * relocs) / 8) + FRAME_SIZE;
  if (word(0) !== WIRE.MAGIC_BATCH || start + length !== bytes.length) throw new Error('sizes disagree');
  if (bytes.length - HEADER_SIZE > WIRE.ARENA || length % 8 !== 0 || reply > length)
    throw new Error('sizes are refused');
  return {
    records: Array.from({ length: records }, (_, index) =>
      decodeRecord(view, HEADER_SIZE + RECORD_SIZE * index),
    ),
    relocs: new Set(
      Array.from({ length: relocs }, (_, index) => view.getUint32(recordsEnd + 4 * index, true)),
    ),
    data: new DataView(bytes.buffer, bytes.byteOffset + start, length),
    reply,
  };
}

function decodeRecord(view: DataView, at: number): DecodedRecord {
  const kinds = view.getUint16(at + RECORD.kinds, true);
  return {
    nr: view.getUint32(at + RECORD.nr, true),
    kinds: Array.from({ length: 6 }, (_, index) => (kinds >> (2 * index)) & 3),
    flags: view.getUint16(at + RECORD.flags, true),
    dest: view.getUint32(at + RECORD.dest, true),
    tolerate: Array.from({ length: 4 }, (_, index) => view.getUint8(at + RECORD.tolerate + index)),
    args: Array.from({ length: 6 }, (_, index) => view.getBigUint64(at + RECORD.arg + 8 * index, true)),
  };
}

export function bytesAt(data: DataView, at: number, length: number): Bytes {
  return fromArray(new Uint8Array(data.buffer, data.byteOffset + at, length));
}
