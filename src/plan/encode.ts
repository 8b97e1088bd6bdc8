// Encodes a plan into one batch of the wire format (wire.ts), and decodes the launcher's answers.
import { type Arch, syscallNumber } from '../linux/abi/index.ts';
import { type Bytes, fromArray, writeBytes } from '../linux/bytes.ts';
import { OPEN_FLAGS, translateOpenFlags } from '../linux/flags.ts';
import { type Arg, type Call, DECIMAL_ROOM, isSlot, type Memory, memoryLength, type OutBuffer, type Slot } from './call.ts';
import type { Step } from './step.ts';
import { FRAME_SIZE, HEADER_SIZE, RECORD, RECORD_SIZE, WIRE } from './wire.ts';

/** A batch ready to be sent, and what is needed to understand the answers to it. */
export interface Batch {
  /** What was encoded. */
  readonly steps: readonly Step[];
  readonly bytes: Uint8Array;
  /** The call and its step behind every record; END records have none. */
  readonly records: readonly ({ readonly step: Step; readonly call: Call } | undefined)[];
  /** Bytes of data that come with every answer. */
  readonly replyLength: number;
  /** Offset of the time stamps in the answer, one u64 of nanoseconds per record; -1 without a trace. */
  readonly traceOffset: number;
  readonly slots: ReadonlyMap<Slot, number>;
  readonly buffers: ReadonlyMap<OutBuffer, number>;
}

export interface EncodeOptions {
  readonly trace?: boolean;
}

const PSEUDO: Readonly<Record<string, number>> = {
  FORK: WIRE.OP_FORK,
  CHECK: WIRE.OP_CHECK,
  DEC: WIRE.OP_DEC,
  PAUSE: WIRE.OP_PAUSE,
  END: WIRE.OP_END,
};

const END: Call = { name: 'END', args: [] };

function align8(offset: number): number {
  return (offset + 7) & ~7;
}

class Encoder {
  readonly slots = new Map<Slot, number>();
  readonly buffers = new Map<OutBuffer, number>();
  private readonly memories = new Map<Memory, number>();
  private readonly strings = new Map<Bytes, number>();
  private readonly relocs: number[] = [];
  /** Offsets of 8-byte fields that hold data offsets, and values to write once the data exists. */
  private readonly writes: ((data: Uint8Array, view: DataView) => void)[] = [];
  private length = 0;
  private readonly arch: Arch;

  constructor(arch: Arch) {
    this.arch = arch;
  }

  reserve(bytes: number): number {
    const at = align8(this.length);
    this.length = at + bytes;
    return at;
  }

  get dataLength(): number {
    return align8(this.length);
  }

  /** Everything that TypeScript reads back comes first, so that an answer is one prefix of the data. */
  reserveReplies(calls: readonly Call[]): void {
    for (const { result, args } of calls) {
      if (result?.reply && !this.slots.has(result)) this.slots.set(result, this.reserve(8));
      for (const arg of args) if (arg.kind === 'memory') this.reserveReplyMemory(arg.memory);
    }
  }

  /** A structure that holds a reply slot is part of the answer as a whole (clone3's pidfd, a received descriptor). */
  private reserveReplyMemory(memory: Memory): void {
    if (memory.kind === 'out' && memory.buffer.reply) this.buffer(memory.buffer);
    if (memory.kind === 'pointers') for (const item of memory.items) this.reserveReplyMemory(item);
    if (memory.kind !== 'struct') return;
    for (const { value } of memory.fields) {
      if (typeof value !== 'object') continue;
      if (!isSlot(value)) this.reserveReplyMemory(value);
      else if (value.reply) this.place(memory);
    }
  }

  private buffer(buffer: OutBuffer): number {
    const known = this.buffers.get(buffer);
    if (known !== undefined) return known;
    const at = this.reserve(buffer.length);
    this.buffers.set(buffer, at);
    return at;
  }

  /** Structures are placed before plain slots, because a result may have to land inside one. */
  placeStructs(calls: readonly Call[]): void {
    for (const { args } of calls) {
      for (const arg of args) if (arg.kind === 'memory' && arg.memory.kind === 'struct') this.place(arg.memory);
    }
  }

  place(memory: Memory): number {
    if (memory.kind === 'out') return this.buffer(memory.buffer);
    const shared = memory.kind === 'string' ? this.strings.get(memory.bytes) : this.memories.get(memory);
    if (shared !== undefined) return shared;
    const at = this.reserve(memoryLength(memory));
    if (memory.kind === 'string') this.strings.set(memory.bytes, at);
    else this.memories.set(memory, at);
    this.fill(memory, at);
    return at;
  }

  private fill(memory: Memory, at: number): void {
    if (memory.kind === 'string') {
      this.writes.push((data) => writeBytes(data, at, memory.bytes));
    } else if (memory.kind === 'decimal') {
      this.writes.push((data) => writeBytes(data, at, memory.prefix));
    } else if (memory.kind === 'buffer') {
      const { bytes } = memory;
      this.writes.push((data) => (typeof bytes === 'string' ? writeBytes(data, at, bytes) : data.set(bytes, at)));
    } else if (memory.kind === 'pointers') {
      memory.items.forEach((item, index) => {
        this.pointTo(at + 8 * index, item);
      });
    } else if (memory.kind === 'struct') {
      this.fillStruct(memory, at);
    }
  }

  private pointTo(at: number, target: Memory): void {
    const offset = this.place(target);
    this.relocs.push(at);
    this.writes.push((_, view) => view.setUint32(at, offset, true));
  }

  private fillStruct(memory: Memory & { kind: 'struct' }, start: number): void {
    let at = start;
    for (const field of memory.fields) {
      const here = at;
      const { value, width } = field;
      if (typeof value === 'number' || typeof value === 'bigint') {
        const native = field.format === OPEN_FLAGS ? translateOpenFlags(Number(value), this.arch) : value;
        if (native !== 0) this.writes.push((_, view) => writeNumber(view, here, width, native));
      } else if (isSlot(value)) {
        this.homeSlot(value, here, width);
      } else {
        this.pointTo(here, value);
      }
      at += width;
    }
  }

  private homeSlot(target: Slot, at: number, width: number): void {
    if (this.slots.has(target)) throw new Error(`slot ${target.name} is wanted in two places`);
    if (width !== target.width) throw new Error(`slot ${target.name} has ${target.width} bytes, its field ${width}`);
    this.slots.set(target, at);
  }

  slotOffset(target: Slot): number {
    const known = this.slots.get(target);
    if (known !== undefined) return known;
    const at = this.reserve(8);
    this.slots.set(target, at);
    return at;
  }

  /** Writes the record of `call` at `offset`; `child` is the index of the child's first record. */
  record(view: DataView, offset: number, call: Call, child: number): void {
    const { args, tolerate = [] } = call;
    if (args.length > 6 || tolerate.length > 4) throw new Error(`${call.name} has more than a record holds`);
    const nr = PSEUDO[call.name] ?? syscallNumber(this.arch, call.name as Parameters<typeof syscallNumber>[1]);
    let kinds = 0;
    args.forEach((arg, index) => {
      kinds |= this.argument(view, offset + RECORD.arg + 8 * index, arg) << (2 * index);
    });
    if (call.name === 'FORK') view.setUint32(offset + RECORD.arg + 16, child, true);
    if (call.name === 'DEC') kinds = this.decimal(view, offset, call, kinds);
    view.setUint32(offset + RECORD.nr, nr, true);
    view.setUint16(offset + RECORD.kinds, kinds, true);
    const narrow = call.result?.width === 4 ? WIRE.FLAG_DEST32 : 0;
    view.setUint16(offset + RECORD.flags, (call.retry ? WIRE.FLAG_RETRY : 0) | narrow, true);
    view.setUint32(offset + RECORD.dest, call.result ? this.slotOffset(call.result) : WIRE.NONE, true);
    tolerate.forEach((errno, index) => {
      view.setUint8(offset + RECORD.tolerate + index, errno);
    });
  }

  private argument(view: DataView, at: number, arg: Arg): number {
    if (arg.kind === 'number') {
      // Plans are written with x86-64's open flags; arm64 has other values for a few of them.
      writeNumber(view, at, 8, arg.format === OPEN_FLAGS ? translateOpenFlags(Number(arg.value), this.arch) : arg.value);
      return WIRE.KIND_IMM;
    }
    if (arg.kind === 'slot') {
      view.setUint32(at, this.slotOffset(arg.slot), true);
      return arg.slot.width === 4 ? WIRE.KIND_LOAD32 : WIRE.KIND_LOAD64;
    }
    view.setUint32(at, this.place(arg.memory), true);
    return WIRE.KIND_PTR;
  }

  /** DEC names its target by offset, because the player itself writes there. */
  private decimal(view: DataView, offset: number, call: Call, kinds: number): number {
    const target = call.args[1];
    if (target?.kind !== 'memory' || target.memory.kind !== 'decimal') throw new Error('DEC needs a decimal memory');
    const at = this.place(target.memory) + target.memory.prefix.length;
    view.setUint32(offset + RECORD.arg + 8, at, true);
    view.setUint32(offset + RECORD.arg + 16, DECIMAL_ROOM, true);
    return kinds & 3;
  }

  finish(records: Uint8Array, replyLength: number, trace: number): Uint8Array {
    const relocs = align8(4 * this.relocs.length);
    const start = HEADER_SIZE + records.length + relocs + FRAME_SIZE;
    const bytes = new Uint8Array(start + this.dataLength);
    const view = new DataView(bytes.buffer);
    const count = records.length / RECORD_SIZE;
    [WIRE.MAGIC_BATCH, count, this.relocs.length, this.dataLength, replyLength, trace].forEach((field, index) => {
      view.setUint32(4 * index, field, true);
    });
    bytes.set(records, HEADER_SIZE);
    this.relocs.forEach((at, index) => {
      view.setUint32(HEADER_SIZE + records.length + 4 * index, at, true);
    });
    const data = bytes.subarray(start);
    const dataView = new DataView(bytes.buffer, start);
    for (const write of this.writes) write(data, dataView);
    return bytes;
  }
}

function writeNumber(view: DataView, at: number, width: number, value: number | bigint): void {
  if (width === 1) view.setUint8(at, Number(value));
  else if (width === 2) view.setUint16(at, Number(value), true);
  else if (width === 4) view.setUint32(at, Number(value), true);
  else if (typeof value === 'number' && value >= 0 && value <= 0xffffffff) view.setUint32(at, value, true);
  else view.setBigInt64(at, BigInt.asIntN(64, BigInt(value)), true);
}

/** Encodes `steps` for `arch`. Throws Error where a plan is malformed, which is a defect of the compiler. */
export function encode(steps: readonly Step[], arch: Arch, options: EncodeOptions = {}): Batch {
  const order: { step: Step; call: Call }[] = [];
  for (const step of steps) if (step.actor === 'parent') for (const call of step.calls) order.push({ step, call });
  const child = order.length + 1;
  const records: ({ step: Step; call: Call } | undefined)[] = [...order, undefined];
  for (const step of steps) if (step.actor === 'child') for (const call of step.calls) records.push({ step, call });
  const calls = records.map((record) => record?.call ?? END);
  const encoder = new Encoder(arch);
  encoder.reserveReplies(calls);
  const traceOffset = options.trace ? encoder.reserve(8 * records.length) : -1;
  const replyLength = encoder.dataLength;
  encoder.placeStructs(calls);
  const bytes = new Uint8Array(RECORD_SIZE * records.length);
  const view = new DataView(bytes.buffer);
  calls.forEach((call, index) => {
    encoder.record(view, RECORD_SIZE * index, call, child);
  });
  return {
    steps,
    bytes: encoder.finish(bytes, replyLength, options.trace ? traceOffset : WIRE.NONE),
    records,
    replyLength,
    traceOffset,
    slots: encoder.slots,
    buffers: encoder.buffers,
  };
}

export type AnswerKind = 'done' | 'paused' | 'failed' | 'refused';

/** What the launcher said: how far it came, and the values that the batch asked for. */
export interface Answer {
  readonly kind: AnswerKind;
  /** The record that failed or paused. */
  readonly index: number;
  readonly errno: number;
  /** The number of the pause. */
  readonly pause: number;
  readonly data: Uint8Array;
}

const KINDS: readonly (AnswerKind | undefined)[] = [undefined, 'done', 'paused', 'failed', 'refused'];

/** The length of the data behind a frame. Throws Error when the bytes are not a frame. */
export function frameLength(frame: Uint8Array): number {
  const view = new DataView(frame.buffer, frame.byteOffset, FRAME_SIZE);
  if (view.getUint32(0, true) !== WIRE.MAGIC_ANSWER) throw new Error('the launcher sent something that is no answer');
  return view.getUint32(20, true);
}

/** Decodes a frame and its data. */
export function decodeAnswer(frame: Uint8Array, data: Uint8Array): Answer {
  const view = new DataView(frame.buffer, frame.byteOffset, FRAME_SIZE);
  const kind = KINDS[view.getUint32(4, true)];
  if (kind === undefined) throw new Error('the launcher sent an unknown kind of answer');
  return {
    kind,
    index: view.getUint32(8, true),
    errno: view.getUint32(12, true),
    pause: view.getUint32(16, true),
    data,
  };
}

/** The value of a reply slot: a result, or a negative errno that was tolerated. */
export function slotValue(batch: Batch, answer: Answer, slot: Slot): number {
  const at = batch.slots.get(slot);
  if (at === undefined || !slot.reply) throw new Error(`slot ${slot.name} is not part of the answer`);
  const view = new DataView(answer.data.buffer, answer.data.byteOffset, answer.data.byteLength);
  if (slot.width === 4) return view.getInt32(at, true);
  return Number(view.getBigInt64(at, true));
}

/** What the kernel wrote into a reply buffer. */
export function bufferBytes(batch: Batch, answer: Answer, buffer: OutBuffer, length = buffer.length): Bytes {
  const at = batch.buffers.get(buffer);
  if (at === undefined) throw new Error(`buffer ${buffer.name} is not part of the answer`);
  return fromArray(answer.data, at, at + Math.min(length, buffer.length));
}

/** The header that lets a paused player go on. */
export function continueBytes(): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE);
  new DataView(bytes.buffer).setUint32(0, WIRE.MAGIC_CONTINUE, true);
  return bytes;
}
