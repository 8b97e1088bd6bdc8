// A second reader of the wire format, written from docs/plan.md alone, to compare with src/plan/encode.ts.
import assert from 'node:assert/strict';

/** A record as it lies in a batch. */
export interface WireRecord {
  readonly nr: number;
  readonly kinds: readonly number[];
  readonly flags: number;
  readonly dest: number;
  readonly tolerate: readonly number[];
  readonly args: readonly bigint[];
}

export interface WireBatch {
  readonly records: readonly WireRecord[];
  readonly relocs: readonly number[];
  readonly data: Buffer;
  readonly reply: number;
  readonly trace: number;
}

/** Takes a batch apart; fails an assertion where the bytes are no batch. */
export function decode(bytes: Uint8Array): WireBatch {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number) => all.readUInt32LE(at);
  assert.equal(all.toString('latin1', 0, 4), 'CAI1');
  const [records, relocs, length, reply, trace] = [4, 8, 12, 16, 20].map(word) as [
    number,
    number,
    number,
    number,
    number,
  ];
  assert.deepEqual([word(24), word(28)], [0, 0]);
  assert.ok(length % 8 === 0 && reply <= length);
  const relocsAt = 32 + 64 * records;
  const frame = relocsAt + 8 * Math.ceil(relocs / 2);
  assert.equal(all.length, frame + 24 + length);
  assert.ok(all.subarray(relocsAt + 4 * relocs, frame + 24).every((byte) => byte === 0));
  return {
    records: Array.from({ length: records }, (_, index) =>
      decodeRecord(all.subarray(32 + 64 * index, 96 + 64 * index)),
    ),
    relocs: Array.from({ length: relocs }, (_, index) => word(relocsAt + 4 * index)),
    data: all.subarray(frame + 24),
    reply,
    trace,
  };
}

function decodeRecord(bytes: Buffer): WireRecord {
  const kinds = bytes.readUInt16LE(4);
  return {
    nr: bytes.readUInt32LE(0),
    kinds: [0, 2, 4, 6, 8, 10].map((shift) => (kinds >> shift) & 3),
    flags: bytes.readUInt16LE(6),
    dest: bytes.readUInt32LE(8),
    tolerate: [...bytes.subarray(12, 16)],
    args: [16, 24, 32, 40, 48, 56].map((at) => bytes.readBigUInt64LE(at)),
  };
}
