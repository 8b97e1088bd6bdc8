// Encodes a plan into one batch of the wire format (wire.ts); answer.ts decodes what the launcher says.
import { type Arch, type SyscallName, syscallNumber } from '../linux/abi/index.ts';
import { type Bytes, writeBytes } from '../linux/bytes.ts';
import { OPEN_FLAGS, translateOpenFlags } from '../linux/flags.ts';
import { type Batch, callsInOrder, Encoded } from './batch.ts';
import {
  type Arg,
  type Call,
  DECIMAL_ROOM,
  type Field,
  isSlot,
  type Memory,
  memoryLength,
  type NumberFormat,
  type OutBuffer,
  type Slot,
} from './call.ts';
import type { Step } from './step.ts';
import { FRAME_SIZE, HEADER_SIZE, RECORD, RECORD_SIZE, WIRE } from './wire.ts';
import { highWord, lowWord, packErrnos, writeNumber } from './words.ts';

export interface EncodeOptions {
  readonly trace?: boolean;
  /** A quicker writeBytes of the host's. */
  readonly writeBytes?: typeof writeBytes;
  /** An earlier batch: its slots become immediate arguments, which `supply` fills in when its answer is there. */
  readonly after?: Batch;
  /** `all`: every slot and buffer is in the answer, for a later batch that goes on from this one. */
  readonly replies?: 'marked' | 'all';
  /** The reply length of a batch whose answers come between the answers to this one: this one's is another. */
  readonly unlike?: number;
}

const PSEUDO: Readonly<Record<string, number>> = {
  FORK: WIRE.OP_FORK,
  CHECK: WIRE.OP_CHECK,
  DEC: WIRE.OP_DEC,
  PAUSE: WIRE.OP_PAUSE,
  END: WIRE.OP_END,
};

/** 32-bit words of a record, and where in it the arguments begin. */
const RECORD_WORDS = RECORD_SIZE / 4;
const ARGUMENT_WORD = RECORD.arg / 4;
const MIN_DATA = 4096;
const INT_MAX = 0x7fffffff;
/** Beyond any text: offsets from here on are behind it. */
const SCRATCH = 2 ** 28;

function align8(offset: number): number {
  return (offset + 7) & ~7;
}

/**
 * Writes records and data side by side. This runs once per start, in an interpreter that has never seen it: records
 * are words of a typed array, strings a list that is joined at the end, and nothing is a closure.
 *
 * Data = replies | structures, slots | text | buffers that nobody reads. Where the text ends is known last, so that
 * words and pointers to what is behind its beginning are written relative to it and corrected by `finish`.
 */
class Encoder {
  readonly slots = new Map<Slot, number>();
  readonly buffers = new Map<OutBuffer, number>();
  private readonly memories = new Map<Memory, number>();
  private readonly strings = new Map<Bytes, number>();
  /** The records, RECORD_WORDS each. */
  private readonly words: Int32Array;
  private recorded = 0;
  private readonly relocs: number[] = [];
  private readonly text: Bytes[] = [];
  private textLength = 0;
  private scratchLength = 0;
  /** Of the data, once it is finished. */
  wholeLength = 0;
  private readonly wordsIntoText: number[] = [];
  private readonly pointersIntoText: number[] = [];
  /** Three views of the same memory. */
  private data = new DataView(new ArrayBuffer(MIN_DATA));
  private bytes = new Uint8Array(this.data.buffer);
  private ints = new Int32Array(this.data.buffer);
  private length = 0;
  /** Numbers of the calls that this plan has used. */
  private readonly numbers: Record<string, number> = {};
  private readonly arch: Arch;
  /** Plans are written with x86-64's open flags; arm64 has other values for a few of them. */
  private readonly translates: boolean;
  private readonly earlier: Batch['slots'] | undefined;
  /** Where numbers of earlier slots go: words of records, and offsets of data with the width there. */
  readonly openWords: [Slot, number][] = [];
  readonly openData: [Slot, number, number][] = [];

  constructor(arch: Arch, records: number, earlier: Batch['slots'] | undefined) {
    this.words = new Int32Array(RECORD_WORDS * records);
    this.arch = arch;
    this.translates = arch !== 'x86_64';
    this.earlier = earlier;
  }

  reserve(bytes: number): number {
    const at = align8(this.length);
    this.length = at + bytes;
    if (this.length > this.bytes.length) this.grow();
    return at;
  }

  private grow(): void {
    const larger = new Uint8Array(2 * align8(this.length));
    larger.set(this.bytes);
    this.bytes = larger;
    this.data = new DataView(larger.buffer);
    this.ints = new Int32Array(larger.buffer);
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
    for (let c = 0; c < calls.length; c++) {
      const { result, args, plain } = calls[c] as Call;
      if (result?.reply === true && !this.slots.has(result)) this.slots.set(result, this.reserve(8));
      if (plain) continue;
      for (let i = 0; i < args.length; i++) {
        const arg = args[i] as Arg;
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
      for (const item of memory.items) if (item.kind !== 'string') this.reserveReplyMemory(item);
    } else if (memory.kind === 'struct') {
      for (const { value } of memory.fields) {
        if (typeof value !== 'object') continue;
        if (!isSlot(value)) this.reserveReplyMemory(value);
        else if (value.reply) this.place(memory);
      }
    }
  }

  /** As `place`: a buffer that nobody reads lies behind the text. */
  private buffer(buffer: OutBuffer): number {
    const known = this.buffers.get(buffer);
    if (known !== undefined) return known;
    const at = buffer.reply ? this.reserve(buffer.length) : ~(SCRATCH + this.scratchLength);
    if (!buffer.reply) this.scratchLength += align8(buffer.length);
    this.buffers.set(buffer, at);
    return at;
  }

  /** The data offset of `memory`; where it is text or behind it, the complement (`~`) of its offset there. */
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
    const at = this.textLength;
    this.text.push(bytes);
    this.textLength = at + bytes.length + 1;
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
      writeBytes(this.bytes, at, memory.prefix);
    } else if (memory.kind === 'buffer' && typeof memory.bytes !== 'string') {
      this.bytes.set(memory.bytes, at);
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
        const native =
          this.translates && format === OPEN_FLAGS ? translateOpenFlags(Number(value), this.arch) : value;
        if (native !== 0) this.writeNumber(at, width, native);
      } else if (isSlot(value)) {
        this.homeSlot(value, at, width);
      } else {
        this.pointTo(at, value);
      }
      at += width;
    }
  }

  private writeNumber(at: number, width: number, value: number | bigint): void {
    if (typeof value === 'number' && width >= 4 && (at & 3) === 0) {
      this.ints[at >> 2] = lowWord(value);
      if (width === 8 && (value < 0 || value > 0xffffffff)) this.ints[(at >> 2) + 1] = highWord(value);
    } else {
      writeNumber(this.data, at, width, value);
    }
  }

  private homeSlot(target: Slot, at: number, width: number): void {
    if (this.earlier?.has(target)) {
      this.openData.push([target, at, width]);
      return;
    }
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

  /** Adds the record of `call`; `child` is the index of the child's first record. What is usual takes no call. */
  record(call: Call, child: number): void {
    const { name, args, tolerate, result } = call;
    const { words, slots, earlier } = this;
    if (args.length > 6) throw new Error(`${name} has more arguments than a record holds`);
    const first = this.recorded + ARGUMENT_WORD;
    this.recorded += RECORD_WORDS;
    words[first - 4] = this.numbers[name] ?? this.number(name);
    const fixed = this.translates ? undefined : call.fixed;
    if (fixed !== undefined) {
      for (let i = 0; i < fixed.length; i += 2) words[first + (fixed[i] as number)] = fixed[i + 1] as number;
      return;
    }
    if (tolerate !== undefined) words[first - 1] = packErrnos(tolerate);
    let kinds = call.retry === true ? WIRE.FLAG_RETRY << 16 : 0;
    if (result === undefined) {
      words[first - 2] = -1;
    } else {
      words[first - 2] = slots.get(result) ?? this.slotOffset(result);
      if (result.width === 4) kinds |= WIRE.FLAG_DEST32 << 16;
    }
    for (let i = 0, at = first; i < args.length; i++, at += 2) {
      const arg = args[i] as Arg;
      const { kind } = arg;
      if (kind === 'number') {
        const { value } = arg;
        if (typeof value === 'number' && value >= 0 && value <= INT_MAX && !this.translates)
          words[at] = value;
        else this.immediate(at, value, arg.format);
      } else if (kind === 'memory') {
        const { memory } = arg;
        if (memory.kind === 'string') {
          words[at] = this.strings.get(memory.bytes) ?? this.addText(memory.bytes);
          this.wordsIntoText.push(at);
        } else {
          this.pointer(at, memory);
        }
        kinds |= WIRE.KIND_PTR << (2 * i);
      } else {
        if (earlier?.has(arg)) {
          this.openWords.push([arg, at]);
        } else {
          words[at] = slots.get(arg) ?? this.slotOffset(arg);
          kinds |= (arg.width === 4 ? WIRE.KIND_LOAD32 : WIRE.KIND_LOAD64) << (2 * i);
        }
      }
    }
    if (name === 'FORK') words[first + 4] = child;
    if (name === 'DEC') {
      this.decimal(first, args[1]);
      kinds &= ~0x3c;
    }
    words[first - 3] = kinds;
  }

  private number(name: Call['name']): number {
    const nr = (PSEUDO[name] ?? syscallNumber(this.arch, name as SyscallName)) | 0;
    this.numbers[name] = nr;
    return nr;
  }

  private pointer(at: number, memory: Memory): void {
    const offset = this.place(memory);
    if (offset < 0) this.wordsIntoText.push(at);
    this.words[at] = offset < 0 ? ~offset : offset;
  }

  private immediate(at: number, given: number | bigint, format: NumberFormat): void {
    const { words } = this;
    const open = this.translates && format === OPEN_FLAGS;
    const value = open ? translateOpenFlags(Number(given), this.arch) : given;
    if (typeof value === 'bigint') {
      words[at] = Number(BigInt.asIntN(32, value));
      words[at + 1] = Number(BigInt.asIntN(32, value >> 32n));
    } else {
      words[at] = lowWord(value);
      if (value < 0 || value > 0xffffffff) words[at + 1] = highWord(value);
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
    const scratchAt = align8(textAt + this.textLength);
    const placed = (at: number) => at + (at < SCRATCH ? textAt : scratchAt - SCRATCH);
    for (const at of this.wordsIntoText) words[at] = placed(words[at] as number);
    for (const at of this.pointersIntoText) data.setUint32(at, placed(data.getUint32(at, true)), true);
    for (const [buffer, at] of this.buffers) if (at < 0) this.buffers.set(buffer, placed(~at));
    const length = scratchAt + this.scratchLength;
    this.wholeLength = length;
    const relocsAt = HEADER_SIZE + 4 * words.length;
    const start = relocsAt + align8(4 * relocs.length) + FRAME_SIZE;
    const bytes = new Uint8Array(start + length);
    const count = words.length / RECORD_WORDS;
    // Both architectures, and every host that caisson runs on, are little-endian like the wire.
    const target = new Int32Array(bytes.buffer, 0, relocsAt / 4 + relocs.length);
    target.set([WIRE.MAGIC_BATCH, count, relocs.length, length, replyLength, trace]);
    target.set(words, HEADER_SIZE / 4);
    target.set(relocs, relocsAt / 4);
    bytes.set(this.bytes.subarray(0, this.length), start);
    write(bytes, start + textAt, this.text.join('\0'));
    return bytes;
  }
}

/** Encodes `steps` for `arch`. Throws Error where a plan is malformed, which is a defect of the compiler. */
export function encode(steps: readonly Step[], arch: Arch, options: EncodeOptions = {}): Batch {
  const { calls, child, notifier } = callsInOrder(steps);
  const encoder = new Encoder(arch, calls.length, options.after?.slots);
  const structures = encoder.reserveReplies(calls);
  const traceOffset = options.trace ? encoder.reserve(8 * calls.length) : -1;
  if (encoder.dataLength === options.unlike) encoder.reserve(8);
  const marked = encoder.dataLength;
  for (const memory of structures) encoder.place(memory);
  // The launcher forks the notifier where there is one, and that the child; else it forks the child itself.
  for (let i = 0; i < calls.length; i++) encoder.record(calls[i] as Call, i < child ? notifier : child);
  const replyLength = options.replies === 'all' ? encoder.dataLength : marked;
  const bytes = encoder.finish(replyLength, traceOffset, options.writeBytes);
  const { slots, buffers, openWords, openData } = encoder;
  const dataAt = bytes.length - encoder.wholeLength;
  const open = [
    ...openWords.map(([slot, at]) => ({ slot, at: HEADER_SIZE + 4 * at, width: 8 })),
    ...openData.map(([slot, at, width]) => ({ slot, at: dataAt + at, width })),
  ];
  return new Encoded({ steps, bytes, replyLength, traceOffset, slots, buffers, open });
}

export {
  type Answer,
  type AnswerKind,
  bufferBytes,
  continueBytes,
  decodeAnswer,
  frameLength,
  type KnownSlots,
  knownSlots,
  slotValue,
} from './answer.ts';
export { type Batch, supply } from './batch.ts';
