// Property: an encoded plan, read by a second decoder, is the plan.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Arch, type SyscallName, syscallNumber } from '../../src/linux/abi/index.ts';
import {
  type Call,
  call,
  type Field,
  isSlot,
  type Memory,
  memoryLength,
  number,
  type OutBuffer,
  pointer,
  type Slot,
  slot,
} from '../../src/plan/call.ts';
import { type Batch, encode } from '../../src/plan/encode.ts';
import { type Step, step } from '../../src/plan/step.ts';
import { plans } from './arbitrary-plans.ts';
import { decode, type WireBatch, type WireRecord } from './decode.ts';

const RUNS = process.env.CAISSON_LONG === '1' ? 20_000 : 500;

/** Compares what lies in a batch with what the plan says, remembering where everything was found. */
class Comparison {
  private readonly batch: WireBatch;
  private readonly slots = new Map<Slot, number>();
  private readonly places = new Map<Memory | OutBuffer, number>();
  private readonly relocs = new Set<number>();
  /** What something writes: [start, end). */
  readonly written: [number, number][] = [];

  constructor(batch: WireBatch) {
    this.batch = batch;
  }

  get relocations(): readonly number[] {
    return [...this.relocs].sort((a, b) => a - b);
  }

  /** A reply slot must be part of the answer where something writes it: a result, or the kernel in a structure. */
  slotAt(of: Slot, at: number, written: boolean): void {
    if (of.reply && written) assert.ok(at + of.width <= this.batch.reply, `${of.name} is not in the answer`);
    if (!this.slots.has(of)) {
      this.written.push([at, at + of.width]);
      assert.ok(at + of.width <= this.batch.data.length);
    }
    assert.equal(at, this.slots.get(of) ?? at, `${of.name} is in two places`);
    this.slots.set(of, at);
  }

  memoryAt(memory: Memory, at: number): void {
    const { data, reply } = this.batch;
    const length = memoryLength(memory);
    assert.ok(at + length <= data.length);
    const identity = memory.kind === 'out' ? memory.buffer : memory;
    const known = this.places.get(identity);
    if (known !== undefined) assert.equal(at, known);
    if (known !== undefined) return;
    this.places.set(identity, at);
    if (memory.kind === 'string') {
      assert.equal(data.toString('latin1', at, at + length), `${memory.bytes}\0`);
    } else if (memory.kind === 'buffer') {
      const wanted =
        typeof memory.bytes === 'string' ? Buffer.from(memory.bytes, 'latin1') : Buffer.from(memory.bytes);
      assert.deepEqual(data.subarray(at, at + length), wanted);
    } else if (memory.kind === 'out') {
      this.written.push([at, at + length]);
      if (memory.buffer.reply) assert.ok(at + length <= reply);
    } else if (memory.kind === 'decimal') {
      assert.equal(data.toString('latin1', at, at + length), memory.prefix.padEnd(length, '\0'));
      this.written.push([at + memory.prefix.length, at + length]);
    } else if (memory.kind === 'pointers') {
      for (const [index, item] of memory.items.entries()) this.pointerAt(item, at + 8 * index);
      assert.equal(data.readBigUInt64LE(at + 8 * memory.items.length), 0n);
    } else {
      this.structAt(memory.fields, at);
    }
  }

  private pointerAt(target: Memory, at: number): void {
    this.relocs.add(at);
    this.memoryAt(target, Number(this.batch.data.readBigUInt64LE(at)));
  }

  private structAt(fields: readonly Field[], start: number): void {
    let at = start;
    for (const { value: content, width } of fields) {
      if (isSlot(content)) this.slotAt(content, at, true);
      else if (typeof content === 'object') this.pointerAt(content, at);
      else {
        const found = this.batch.data
          .subarray(at, at + width)
          .reduce((sum, byte, i) => sum + (BigInt(byte) << BigInt(8 * i)), 0n);
        assert.equal(found, BigInt.asUintN(8 * width, BigInt(content)));
      }
      at += width;
    }
  }

  record(found: WireRecord, wanted: Call, arch: Arch, child: number): void {
    const pseudo: Record<string, number> = { FORK: 1, CHECK: 2, DEC: 3, PAUSE: 4, END: 5 };
    const low = pseudo[wanted.name];
    assert.equal(
      found.nr,
      low === undefined ? syscallNumber(arch, wanted.name as SyscallName) : 0xffff0000 + low,
    );
    assert.equal(found.flags, (wanted.retry ? 1 : 0) | (wanted.result?.width === 4 ? 2 : 0));
    assert.deepEqual(found.tolerate, [...(wanted.tolerate ?? []), 0, 0, 0, 0].slice(0, 4));
    if (wanted.result) this.slotAt(wanted.result, found.dest, true);
    else assert.equal(found.dest, 0xffffffff);
    for (let index = 0; index < 6; index++) this.argument(found, wanted, index, child);
  }

  private argument(found: WireRecord, wanted: Call, index: number, child: number): void {
    const arg = wanted.args[index] ?? number(0);
    const at = found.args[index] as bigint;
    const kind = found.kinds[index];
    if (wanted.name === 'FORK' && index === 2) {
      assert.deepEqual([kind, at], [0, BigInt(child)]);
    } else if (wanted.name === 'DEC' && index > 0) {
      this.decimal(found, wanted, index);
    } else if (arg.kind === 'number') {
      assert.deepEqual([kind, at], [0, BigInt.asUintN(64, BigInt(arg.value))]);
    } else if (arg.kind === 'slot') {
      assert.equal(kind, arg.width === 4 ? 2 : 3);
      this.slotAt(arg, Number(at), false);
    } else {
      assert.equal(kind, 1);
      this.memoryAt(arg.memory, Number(at));
    }
  }

  private decimal(found: WireRecord, wanted: Call, index: number): void {
    assert.equal(found.kinds[index], 0);
    const target = wanted.args[1];
    if (index !== 1 || target?.kind !== 'memory' || target.memory.kind !== 'decimal') return;
    assert.ok((found.args[2] as bigint) >= 21n);
    this.memoryAt(target.memory, Number(found.args[1]) - target.memory.prefix.length);
  }
}

function wantedCalls(steps: readonly Step[]): { calls: readonly Call[]; child: number } {
  const of = (actor: Step['actor']) => steps.filter((one) => one.actor === actor).flatMap((one) => one.calls);
  const parent = of('parent');
  return { calls: [...parent, { name: 'END', args: [] }, ...of('child')], child: parent.length + 1 };
}

function compare(batch: Batch, steps: readonly Step[], arch: Arch, trace: boolean): void {
  const wire = decode(batch.bytes);
  const { calls: wanted, child } = wantedCalls(steps);
  assert.equal(wire.records.length, wanted.length);
  const comparison = new Comparison(wire);
  wanted.forEach((one, index) => {
    comparison.record(wire.records[index] as WireRecord, one, arch, child);
    assert.equal(batch.records[index]?.call, one.name === 'END' ? undefined : one);
  });
  assert.deepEqual(
    [...new Set(wire.relocs)].sort((a, b) => a - b),
    comparison.relocations,
  );
  assert.equal(wire.relocs.length, comparison.relocations.length);
  assert.equal(wire.trace, trace ? batch.traceOffset : 0xffffffff);
  if (trace) comparison.written.push([wire.trace, wire.trace + 8 * wanted.length]);
  if (trace) assert.ok(wire.trace + 8 * wanted.length <= wire.reply);
  const written = comparison.written.filter(([start, end]) => end > start).sort(([a], [b]) => a - b);
  written.forEach(([start], index) => {
    const before = written[index - 1];
    if (before) assert.ok(before[1] <= start, `[${before}) overlaps what is written at ${start}`);
  });
}

test('encode and decode agree on both architectures', () => {
  fc.assert(
    fc.property(plans, fc.constantFrom<Arch>('x86_64', 'aarch64'), fc.boolean(), (steps, arch, trace) => {
      compare(encode(steps, arch, { trace }), steps, arch, trace);
    }),
    { numRuns: RUNS, seed: 20 },
  );
});

test('a result may land inside a structure that a later call reads', () => {
  const pidfd = slot('pidfd', { width: 4 });
  const poll: Memory = {
    kind: 'struct',
    fields: [
      { name: 'fd', width: 4, value: pidfd },
      { name: 'events', width: 2, value: 1 },
      { name: 'revents', width: 2, value: 0 },
    ],
  };
  const steps = [
    step(
      'parent',
      'x',
      'x',
      [],
      [
        call('pidfd_open', [number(1), number(0)], { result: pidfd }),
        call('ppoll', [pointer(poll, 1), number(1), number(0), number(0), number(8)]),
      ],
    ),
  ];
  const { records } = decode(encode(steps, 'x86_64').bytes);
  assert.equal(BigInt(records[0]?.dest ?? -1), records[1]?.args[0]);
  assert.equal(records[0]?.flags, 2);
});
