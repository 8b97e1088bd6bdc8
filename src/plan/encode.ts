// Encodes a plan into one batch of the wire format (wire.ts); answer.ts decodes what the launcher says.
import { type Arch, type SyscallName, syscallNumber } from '../linux/abi/index.ts';
import { type Bytes, writeBytes } from '../linux/bytes.ts';
import { OPEN_FLAGS, translateOpenFlags } from '../linux/flags.ts';
import {
  type Arg,
  type Call,
  DECIMAL_ROOM,
  type Field,
  isSlot,
  type Memory,
  memoryLength,
  type OutBuffer,
  type Slot,
} from './call.ts';
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
  /** A quicker writeBytes of the host's. */
  readonly writeBytes?: typeof writeBytes;
}

const PSEUDO: Readonly<Record<string, number>> = {
  FORK: WIRE.OP_FORK,
  CHECK: WIRE.OP_CHECK,
  DEC: WIRE.OP_DEC,
  PAUSE: WIRE.OP_PAUSE,
  END: WIRE.OP_END,
};

const END: Call = { name: 'END', args: [] };

/** 32-bit words of a record, and where in it the arguments begin. */
const RECORD_WORDS = RECORD_SIZE / 4;
const ARGUMENT_WORD = RECORD.arg / 4;
const MIN_DATA = 4096;

function align8(offset: number): number {
  return (offset + 7) & ~7;
}

/**
 * Writes records and data side by side. This runs once per start, in an interpreter that has never seen it: records
 * are words of a plain array, strings one long text that is copied at the end, and nothing is a closure.
 *
 * Data = replies | structures, slots, buffers | text. Where the text begins is known last, so that words and pointers
 * into it are written relative to it and corrected by `finish`.
 */
class Encoder {
  readonly slots = new Map<Slot, number>();
  readonly buffers = new Map<OutBuffer, number>();
  private readonly memories = new Map<Memory, number>();
  private readonly strings = new Map<Bytes, number>();
  /** The records, RECORD_WORDS numbers each; negative numbers stand for words with the highest bit. */
  private readonly words: number[];
  private recorded = 0;
  private readonly relocs: number[] = [];
  private text: Bytes = '';
  private readonly wordsIntoText: number[] = [];
  private readonly pointersIntoText: number[] = [];
  private data = new DataView(new ArrayBuffer(MIN_DATA));
  private length = 0;
  /** Numbers of the calls that this plan has used. */
  private readonly numbers: Record<string, number> = {};
  private readonly arch: Arch;

  constructor(arch: Arch, records: number) {
    this.words = new Array<number>(RECORD_WORDS * records).fill(0);
    this.arch = arch;
  }

  reserve(bytes: number): number {
    const at = align8(this.length);
    this.length = at + bytes;
    if (this.length > this.data.byteLength) this.grow();
    return at;
  }

  private grow(): void {
    const larger = new Uint8Array(2 * align8(this.length));
    larger.set(new Uint8Array(this.data.buffer));
    this.data = new DataView(larger.buffer);
  }

  get dataLength(): number {
    return align8(this.length);
  }

  /**
   * Everything that TypeScript reads back comes first, so that an answer is one prefix of the data. The result is the
   * structures that are left: they are placed before plain slots, because a result may have to land inside one.
   */
  reserveReplies(calls: readonly Call[]): Memory[] {
    const structures: Memory[] = [];
    for (const { result, args } of calls) {
      if (result?.reply && !this.slots.has(result)) this.slots.set(result, this.reserve(8));
      for (const arg of args) {
        if (arg.kind !== 'memory' || arg.memory.kind === 'string') continue;
        this.reserveReplyMemory(arg.memory);
        if (arg.memory.kind === 'struct') structures.push(arg.memory);
      }
    }
    return structures;
  }

  /** A structure that holds a reply slot is part of the answer as a whole (clone3's pidfd, a received descriptor). */
  private reserveReplyMemory(memory: Memory): void {
    if (memory.kind === 'out') {
      if (memory.buffer.reply) this.buffer(memory.buffer);
    } else if (memory.kind === 'pointers') {
      for (const item of memory.items) this.reserveReplyMemory(item);
    } else if (memory.kind === 'struct') {
      for (const { value } of memory.fields) {
        if (typeof value !== 'object') continue;
        if (!isSlot(value)) this.reserveReplyMemory(value);
        else if (value.reply) this.place(memory);
      }
    }
  }

  private buffer(buffer: OutBuffer): number {
    const known = this.buffers.get(buffer);
    if (known !== undefined) return known;
    const at = this.reserve(buffer.length);
    this.buffers.set(buffer, at);
    return at;
  }

  /** The data offset of `memory`; where it is text, the complement (`~`) of its offset there. */
  place(memory: Memory): number {
    if (memory.kind === 'string') return ~this.addText(memory.bytes);
    if (memory.kind === 'out') return this.buffer(memory.buffer);
    const shared = this.memories.get(memory);
    if (shared !== undefined) return shared;
    if (memory.kind === 'buffer' && typeof memory.bytes === 'string') return ~this.addText(memory.bytes);
    const at = this.reserve(memoryLength(memory));
    this.memories.set(memory, at);
    this.fill(memory, at);
    return at;
  }

  /** Bytes and a NUL; equal ones are kept once. */
  private addText(bytes: Bytes): number {
    const known = this.strings.get(bytes);
    if (known !== undefined) return known;
    const at = this.text.length;
    this.text += `${bytes}\0`;
    this.strings.set(bytes, at);
    return at;
  }

  private fill(memory: Memory, at: number): void {
    if (memory.kind === 'struct') {
      this.fillStruct(memory.fields, at);
    } else if (memory.kind === 'pointers') {
      let pointer = at;
      for (const item of memory.items) {
        this.pointTo(pointer, item);
        pointer += 8;
      }
    } else if (memory.kind === 'decimal') {
      writeBytes(new Uint8Array(this.data.buffer), at, memory.prefix);
    } else if (memory.kind === 'buffer' && typeof memory.bytes !== 'string') {
      new Uint8Array(this.data.buffer).set(memory.bytes, at);
    }
  }

  private pointTo(at: number, target: Memory): void {
    const offset = this.place(target);
    this.relocs.push(at);
    if (offset < 0) this.pointersIntoText.push(at);
    this.data.setUint32(at, offset < 0 ? ~offset : offset, true);
  }

  private fillStruct(fields: readonly Field[], start: number): void {
    let at = start;
    for (const { value, width, format } of fields) {
      if (typeof value === 'number' || typeof value === 'bigint') {
        const native = format === OPEN_FLAGS ? translateOpenFlags(Number(value), this.arch) : value;
        if (native !== 0) writeNumber(this.data, at, width, native);
      } else if (isSlot(value)) {
        this.homeSlot(value, at, width);
      } else {
        this.pointTo(at, value);
      }
      at += width;
    }
  }

  private homeSlot(target: Slot, at: number, width: number): void {
    if (this.slots.has(target)) throw new Error(`slot ${target.name} is wanted in two places`);
    if (width !== target.width)
      throw new Error(`slot ${target.name} has ${target.width} bytes, its field ${width}`);
    this.slots.set(target, at);
  }

  slotOffset(target: Slot): number {
    const known = this.slots.get(target);
    if (known !== undefined) return known;
    const at = this.reserve(8);
    this.slots.set(target, at);
    return at;
  }

  /** Adds the record of `call`; `child` is the index of the child's first record. */
  record(call: Call, child: number): void {
    const { name, args, tolerate, result } = call;
    const count = args.length;
    if (count > 6) throw new Error(`${name} has more arguments than a record holds`);
    const nr = this.numbers[name] ?? this.number(name);
    const { words } = this;
    const first = this.recorded + ARGUMENT_WORD;
    this.recorded += RECORD_WORDS;
    words[first - 4] = nr;
    words[first - 2] = result === undefined ? -1 : this.slotOffset(result);
    if (tolerate !== undefined) words[first - 1] = packErrnos(tolerate);
    let flags = result !== undefined && result.width === 4 ? WIRE.FLAG_DEST32 << 16 : 0;
    if (call.retry === true) flags |= WIRE.FLAG_RETRY << 16;
    let kinds = 0;
    for (let i = 0; i < count; i++) {
      const arg = args[i] as Arg;
      const { value, format } = arg as Arg & { kind: 'number' };
      // Most arguments are small numbers, which take no call.
      if (typeof value === 'number' && value >= 0 && value < 2 ** 31 && format !== OPEN_FLAGS)
        words[first + 2 * i] = value;
      else kinds |= this.argument(first + 2 * i, arg) << (2 * i);
    }
    if (name === 'FORK') words[first + 4] = child;
    if (name === 'DEC') {
      this.decimal(first, args[1]);
      kinds &= 3;
    }
    words[first - 3] = kinds | flags;
  }

  private number(name: Call['name']): number {
    const nr = (PSEUDO[name] ?? syscallNumber(this.arch, name as SyscallName)) | 0;
    this.numbers[name] = nr;
    return nr;
  }

  /** Writes an argument into the words `at` and `at + 1`; the result is its kind. */
  private argument(at: number, arg: Arg): number {
    if (arg.kind === 'number') {
      // Plans are written with x86-64's open flags; arm64 has other values for a few of them.
      const { value } = arg;
      this.immediate(at, arg.format === OPEN_FLAGS ? translateOpenFlags(Number(value), this.arch) : value);
      return WIRE.KIND_IMM;
    }
    if (arg.kind === 'slot') {
      this.words[at] = this.slotOffset(arg.slot);
      return arg.slot.width === 4 ? WIRE.KIND_LOAD32 : WIRE.KIND_LOAD64;
    }
    const offset = this.place(arg.memory);
    if (offset < 0) this.wordsIntoText.push(at);
    this.words[at] = offset < 0 ? ~offset : offset;
    return WIRE.KIND_PTR;
  }

  private immediate(at: number, value: number | bigint): void {
    if (typeof value === 'bigint') {
      this.words[at] = Number(BigInt.asIntN(32, value));
      this.words[at + 1] = Number(BigInt.asIntN(32, value >> 32n));
    } else {
      this.words[at] = lowWord(value);
      if (value < 0 || value > 0xffffffff) this.words[at + 1] = highWord(value);
    }
  }

  /** DEC names its target by offset, because the player itself writes there. */
  private decimal(first: number, target: Arg | undefined): void {
    if (target?.kind !== 'memory' || target.memory.kind !== 'decimal')
      throw new Error('DEC needs a decimal memory');
    this.words[first + 2] = this.place(target.memory) + target.memory.prefix.length;
    this.words[first + 4] = DECIMAL_ROOM;
  }

  finish(replyLength: number, trace: number, write = writeBytes): Uint8Array {
    const { words, relocs, data } = this;
    const textAt = this.dataLength;
    for (const at of this.wordsIntoText) words[at] = (words[at] ?? 0) + textAt;
    for (const at of this.pointersIntoText) data.setUint32(at, data.getUint32(at, true) + textAt, true);
    const length = align8(textAt + this.text.length);
    const relocsAt = HEADER_SIZE + 4 * words.length;
    const start = relocsAt + align8(4 * relocs.length) + FRAME_SIZE;
    const bytes = new Uint8Array(start + length);
    const count = words.length / RECORD_WORDS;
    copyWords(bytes, 0, [WIRE.MAGIC_BATCH, count, relocs.length, length, replyLength, trace]);
    copyWords(bytes, HEADER_SIZE, words);
    copyWords(bytes, relocsAt, relocs);
    bytes.set(new Uint8Array(data.buffer, 0, this.length), start);
    write(bytes, start + textAt, this.text);
    return bytes;
  }
}

function packErrnos(tolerate: readonly number[]): number {
  if (tolerate.length > 4) throw new Error('a record tolerates four errnos');
  let packed = 0;
  for (let i = tolerate.length - 1; i >= 0; i--) packed = (packed << 8) | (tolerate[i] as number);
  return packed;
}

/** Both architectures, and every host that caisson runs on, are little-endian like the wire. */
function copyWords(target: Uint8Array, at: number, words: readonly number[]): void {
  new Int32Array(target.buffer, at, words.length).set(words);
}

/** The low 32 bits of a number of up to 64 bits, as a signed one. */
function lowWord(value: number): number {
  return value === (value | 0) ? value : (value - highWord(value) * 2 ** 32) | 0;
}

function highWord(value: number): number {
  return Math.floor(value / 2 ** 32);
}

function writeNumber(view: DataView, at: number, width: number, value: number | bigint): void {
  if (width === 1) view.setUint8(at, Number(value));
  else if (width === 2) view.setUint16(at, Number(value), true);
  else if (width === 4) view.setUint32(at, Number(value), true);
  else if (typeof value === 'bigint') view.setBigInt64(at, BigInt.asIntN(64, value), true);
  else {
    view.setInt32(at, lowWord(value), true);
    view.setInt32(at + 4, highWord(value), true);
  }
}

/** Encodes `steps` for `arch`. Throws Error where a plan is malformed, which is a defect of the compiler. */
export function encode(steps: readonly Step[], arch: Arch, options: EncodeOptions = {}): Batch {
  const records: ({ step: Step; call: Call } | undefined)[] = [];
  const calls: Call[] = [];
  const add = (actor: Step['actor']): void => {
    for (const step of steps) {
      if (step.actor !== actor) continue;
      for (const call of step.calls) {
        records.push({ step, call });
        calls.push(call);
      }
    }
  };
  add('parent');
  records.push(undefined);
  const child = calls.push(END);
  add('child');
  const encoder = new Encoder(arch, calls.length);
  const structures = encoder.reserveReplies(calls);
  const traceOffset = options.trace ? encoder.reserve(8 * records.length) : -1;
  const replyLength = encoder.dataLength;
  for (const memory of structures) encoder.place(memory);
  for (const call of calls) encoder.record(call, child);
  const bytes = encoder.finish(replyLength, traceOffset, options.writeBytes);
  const { slots, buffers } = encoder;
  return { steps, bytes, records, replyLength, traceOffset, slots, buffers };
}

export {
  type Answer,
  type AnswerKind,
  bufferBytes,
  continueBytes,
  decodeAnswer,
  frameLength,
  slotValue,
} from './answer.ts';
