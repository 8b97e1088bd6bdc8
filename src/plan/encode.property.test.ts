// For any configuration: what the encoder writes is what the plan says, and all of it lies inside the data.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { syscallNumber } from '../linux/abi/index.ts';
import { OPEN_FLAGS, translateOpenFlags } from '../linux/flags.ts';
import { type Arg, type Call, isSlot, type Memory, memoryLength } from './call.ts';
import { bytesAt, type Decoded, type DecodedRecord, decodeBatch } from './decode.testing.ts';
import { type Batch, encode } from './encode.ts';
import { compiledPlans } from './specification.testing.ts';
import { WIRE } from './wire.ts';

const PSEUDO: Readonly<Record<string, number>> = {
  FORK: WIRE.OP_FORK,
  CHECK: WIRE.OP_CHECK,
  DEC: WIRE.OP_DEC,
  PAUSE: WIRE.OP_PAUSE,
  END: WIRE.OP_END,
};

class Comparison {
  private readonly batch: Batch;
  private readonly decoded: Decoded;
  private readonly arch: 'x86_64' | 'aarch64';

  constructor(batch: Batch, arch: 'x86_64' | 'aarch64') {
    this.batch = batch;
    this.decoded = decodeBatch(batch.bytes);
    this.arch = arch;
  }

  run(): void {
    assert.equal(this.decoded.records.length, this.batch.records.length);
    this.batch.records.forEach((record, index) => {
      const found = this.decoded.records[index];
      if (found !== undefined) this.record(record?.call ?? { name: 'END', args: [] }, found, index);
    });
    assert.equal(this.decoded.reply, this.batch.replyLength);
    for (const [slot, at] of this.batch.slots)
      if (slot.reply) assert.ok(at + slot.width <= this.batch.replyLength, slot.name);
    this.apart();
  }

  private record(call: Call, found: DecodedRecord, index: number): void {
    const nr =
      PSEUDO[call.name] ?? syscallNumber(this.arch, call.name as Parameters<typeof syscallNumber>[1]);
    assert.equal(found.nr, nr);
    assert.deepEqual(found.tolerate, [...(call.tolerate ?? []), 0, 0, 0, 0].slice(0, 4));
    const narrow = call.result?.width === 4 ? WIRE.FLAG_DEST32 : 0;
    assert.equal(found.flags, (call.retry ? WIRE.FLAG_RETRY : 0) | narrow);
    assert.equal(found.dest, call.result === undefined ? WIRE.NONE : this.batch.slots.get(call.result));
    if (call.name === 'FORK') assert.equal(Number(found.args[2]), this.childIndex(index));
    if (call.name === 'DEC') return;
    call.args.forEach((arg, at) => {
      if (call.name !== 'FORK' || at !== 2) this.argument(arg, found, at);
    });
  }

  /** The record after the parent's END. */
  private childIndex(from: number): number {
    return this.batch.records.findIndex((record, index) => index > from && record === undefined) + 1;
  }

  private argument(arg: Arg, found: DecodedRecord, at: number): void {
    const value = found.args[at] ?? -1n;
    const kind = found.kinds[at];
    if (arg.kind === 'number') {
      assert.equal(kind, WIRE.KIND_IMM);
      const native = arg.format === OPEN_FLAGS ? translateOpenFlags(Number(arg.value), this.arch) : arg.value;
      assert.equal(value, BigInt.asUintN(64, BigInt(native)));
    } else if (arg.kind === 'slot') {
      assert.equal(kind, arg.width === 4 ? WIRE.KIND_LOAD32 : WIRE.KIND_LOAD64);
      assert.equal(Number(value), this.batch.slots.get(arg));
    } else {
      assert.equal(kind, WIRE.KIND_PTR);
      this.memory(arg.memory, Number(value));
    }
  }

  private memory(memory: Memory, at: number): void {
    const { data } = this.decoded;
    assert.ok(at + memoryLength(memory) <= data.byteLength, 'inside the data');
    if (memory.kind === 'string') {
      assert.equal(bytesAt(data, at, memory.bytes.length + 1), `${memory.bytes}\0`);
    } else if (memory.kind === 'buffer') {
      const bytes = typeof memory.bytes === 'string' ? memory.bytes : String.fromCharCode(...memory.bytes);
      assert.equal(bytesAt(data, at, bytes.length), bytes);
    } else if (memory.kind === 'pointers') {
      for (const [index, item] of memory.items.entries()) this.pointer(item, at + 8 * index);
      assert.equal(data.getBigUint64(at + 8 * memory.items.length, true), 0n);
    } else if (memory.kind === 'struct') {
      this.struct(memory, at);
    }
  }

  private struct(memory: Memory & { kind: 'struct' }, start: number): void {
    let at = start;
    for (const { value, width, format } of memory.fields) {
      if (isSlot(value)) assert.equal(this.batch.slots.get(value), at);
      else if (typeof value === 'object') this.pointer(value, at);
      else if (width <= 8) {
        const native = format === OPEN_FLAGS ? translateOpenFlags(Number(value), this.arch) : value;
        const bytes = bytesAt(this.decoded.data, at, width);
        const found = [...bytes].reduceRight((sum, byte) => (sum << 8n) | BigInt(byte.charCodeAt(0)), 0n);
        assert.equal(found, BigInt.asUintN(8 * width, BigInt(native)));
      }
      at += width;
    }
  }

  private pointer(memory: Memory, at: number): void {
    assert.ok(this.decoded.relocs.has(at), 'a pointer is relocated');
    this.memory(memory, Number(this.decoded.data.getBigUint64(at, true)));
  }

  /** No two slots or buffers share a byte, so that no result overwrites another. */
  private apart(): void {
    const places = [
      ...[...this.batch.slots].map(([slot, at]) => [at, at + slot.width, slot.name] as const),
      ...[...this.batch.buffers].map(([buffer, at]) => [at, at + buffer.length, buffer.name] as const),
    ].sort(([one], [other]) => one - other);
    places.forEach(([, end, name], index) => {
      const next = places[index + 1];
      assert.ok(next === undefined || end <= next[0], `${name} reaches into ${next?.[2]}`);
    });
  }
}

test('a batch decodes to the plan that it was encoded from', () => {
  fc.assert(
    fc.property(compiledPlans, fc.boolean(), ({ plan, facts }, trace) => {
      new Comparison(encode(plan.steps, facts.arch, { trace }), facts.arch).run();
    }),
    { numRuns: 60 },
  );
});
