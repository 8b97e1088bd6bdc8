// Writes batches of file system calls straight into the wire format: trees have tens of thousands of files, and the
// plan's own encoder (src/plan/encode.ts), made for printable steps, takes several times as long for each.
//
// Data of a batch = slots | out-buffers | text and structures | content. Slots and out-buffers are the answer. Content
// is sent from where it lies, never copied here: a batch refers to pieces of the chunks that an archive came in.
import { type Arch, openFlags, type SyscallName, syscallName, syscallNumber } from '../../linux/abi/index.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { FRAME_SIZE, HEADER_SIZE, RECORD, RECORD_SIZE, WIRE } from '../../plan/wire.ts';
import { highWord, lowWord, packErrnos } from '../../plan/words.ts';

/** A descriptor: a number of the launcher's, AT_FDCWD, or `~slot`, the result of an earlier call of the batch. */
export type Place = number;

/** Slots of 8 bytes in front of the data. */
export const SLOTS = 64;
const SLOT_BYTES = 8 * SLOTS;
const RECORD_WORDS = RECORD_SIZE / 4;
const ARGUMENT = RECORD.arg / 4;
const FIRST_RECORDS = 1024;
const FIRST_TEXT = 32 << 10;
const RETRY = WIRE.FLAG_RETRY << 16;

/** A batch that is ready: its bytes are `head` and then `parts`, and stay as they are until the writer is reset. */
export interface ReadyBatch {
  readonly head: Uint8Array;
  readonly parts: readonly Uint8Array[];
  readonly records: number;
}

/** What a call may do beside succeeding. */
export interface Allowance {
  /** Errnos after which the batch goes on (packErrnos). */
  readonly tolerate?: number;
  readonly retry?: boolean;
  /** The slot of the result. */
  readonly result?: number;
}

const NOTHING: Allowance = {};

/** Errnos for `Allowance.tolerate`. */
export function tolerating(...errnos: readonly number[]): number {
  return packErrnos(errnos);
}

function align8(length: number): number {
  return (length + 7) & ~7;
}

export class BatchWriter {
  readonly arch: Arch;
  readonly open: ReturnType<typeof openFlags>;
  private words = new Int32Array(FIRST_RECORDS * RECORD_WORDS);
  private count = 0;
  /** Where in `words` the arguments of the current record begin. */
  private at = 0;
  private kinds = 0;
  private text = new Uint8Array(FIRST_TEXT);
  /** The same memory, little-endian as both processors are. */
  private textWords = new Int32Array(this.text.buffer);
  private textLength = 0;
  private outLength = 0;
  /** Words that hold offsets into text, and into content: their places are known when the batch is finished. */
  private readonly intoText: number[] = [];
  private readonly intoContent: number[] = [];
  private readonly slots = new Uint8Array(SLOT_BYTES);
  private readonly numbers = new Map<SyscallName, number>();
  /** What a range of records is about, for errors: index of its first record and a path. */
  private readonly marks: number[] = [];
  private readonly subjects: Bytes[] = [];
  private head = new Uint8Array(0);

  constructor(arch: Arch) {
    this.arch = arch;
    this.open = openFlags(arch);
  }

  get records(): number {
    return this.count;
  }

  /** Bytes of the batch without its content. */
  get length(): number {
    return this.count * RECORD_SIZE + this.outLength + this.textLength + SLOT_BYTES + FRAME_SIZE;
  }

  reset(): void {
    this.words.fill(0, 0, this.count * RECORD_WORDS);
    this.count = 0;
    this.textLength = 0;
    this.outLength = 0;
    this.intoText.length = 0;
    this.intoContent.length = 0;
    this.marks.length = 0;
    this.subjects.length = 0;
  }

  /** The records that follow are about `subject`. */
  about(subject: Bytes): void {
    this.marks.push(this.count);
    this.subjects.push(subject);
  }

  /** What record `index` is about. */
  subjectOf(index: number): Bytes {
    let found = '';
    for (let i = 0; i < this.marks.length && (this.marks[i] as number) <= index; i++)
      found = this.subjects[i] as Bytes;
    return found;
  }

  /** The system call of record `index`, undefined for a CHECK. */
  callOf(index: number): SyscallName | undefined {
    return syscallName(this.arch, this.words[index * RECORD_WORDS] as number);
  }

  /** Begins a record; its arguments follow, in their order. */
  begin(name: SyscallName, { tolerate = 0, retry = false, result }: Allowance = NOTHING): void {
    let nr = this.numbers.get(name);
    if (nr === undefined) {
      nr = syscallNumber(this.arch, name);
      this.numbers.set(name, nr);
    }
    this.beginRecord(nr, result, tolerate, retry);
  }

  private beginRecord(nr: number, result: number | undefined, tolerate: number, retry: boolean): void {
    const first = this.count * RECORD_WORDS;
    if (first + RECORD_WORDS > this.words.length) {
      const larger = new Int32Array(2 * this.words.length);
      larger.set(this.words);
      this.words = larger;
    }
    this.count++;
    const { words } = this;
    words[first] = nr;
    words[first + 1] = retry ? RETRY : 0;
    words[first + 2] = result === undefined ? -1 : 8 * result;
    words[first + 3] = tolerate;
    this.at = first + ARGUMENT;
    this.kinds = first + 1;
  }

  private kind(kind: number): void {
    const index = (this.at - this.kinds - 3) >> 1;
    this.words[this.kinds] = (this.words[this.kinds] as number) | (kind << (2 * index));
  }

  /** A number; negative ones are 64 bits wide. */
  number(value: number): this {
    const { words, at } = this;
    words[at] = lowWord(value);
    if (value < 0 || value > 0xffffffff) words[at + 1] = highWord(value);
    this.at = at + 2;
    return this;
  }

  /** 64 bits as two words, the low one first. */
  wide(low: number, high: number): this {
    this.words[this.at] = low;
    this.words[this.at + 1] = high;
    this.at += 2;
    return this;
  }

  place(from: Place): this {
    if (from >= 0 || ~from >= SLOTS) return this.number(from);
    this.kind(WIRE.KIND_LOAD64);
    this.words[this.at] = 8 * ~from;
    this.at += 2;
    return this;
  }

  /** A NUL-terminated string. */
  string(bytes: Bytes): this {
    return this.textPointer(this.addText(bytes, true));
  }

  /** Bytes, and their length as the next argument. */
  counted(bytes: Bytes): this {
    this.textPointer(this.addText(bytes, false));
    return this.number(bytes.length);
  }

  /** The address of a structure made by `structure`. */
  textPointer(offset: number): this {
    this.kind(WIRE.KIND_PTR);
    this.intoText.push(this.at);
    this.words[this.at] = offset;
    this.at += 2;
    return this;
  }

  /** The address of `offset` in the content. */
  contentPointer(offset: number): this {
    this.kind(WIRE.KIND_PTR);
    this.intoContent.push(this.at);
    this.words[this.at] = offset;
    this.at += 2;
    return this;
  }

  /** The address of an out-buffer made by `reserve`. */
  outPointer(offset: number): this {
    this.kind(WIRE.KIND_PTR);
    this.words[this.at] = offset;
    this.at += 2;
    return this;
  }

  /** Room for what the kernel writes; its offset in the answer's data. */
  reserve(length: number): number {
    const at = SLOT_BYTES + this.outLength;
    this.outLength += align8(length);
    return at;
  }

  /** 64-bit fields, for `textPointer`. */
  structure(...fields: readonly number[]): number {
    const at = align8(this.textLength);
    this.room(at + 8 * fields.length);
    const { textWords } = this;
    for (let i = 0, word = at >> 2; i < fields.length; i++, word += 2) {
      textWords[word] = lowWord(fields[i] as number);
      textWords[word + 1] = highWord(fields[i] as number);
    }
    this.textLength = at + 8 * fields.length;
    return at;
  }

  private addText(bytes: Bytes, terminated: boolean): number {
    const at = this.textLength;
    const { length } = bytes;
    this.room(at + length + 1);
    const { text } = this;
    for (let i = 0; i < length; i++) text[at + i] = bytes.charCodeAt(i);
    if (terminated) text[at + length] = 0;
    this.textLength = at + length + (terminated ? 1 : 0);
    return at;
  }

  private room(length: number): void {
    if (length <= this.text.length) return;
    const larger = new Uint8Array(align8(2 * length));
    larger.set(this.text);
    this.text = larger;
    this.textWords = new Int32Array(larger.buffer);
  }

  /** Fails with `errno` unless the slot holds `value`. */
  check(slot: number, value: number, errno: number, mask = -1): void {
    this.beginRecord(WIRE.OP_CHECK | 0, undefined, 0, false);
    this.place(~slot).number(WIRE.CHECK_EQ).number(value).number(mask).number(errno);
  }

  /** Makes the last `write` and its CHECK longer: the content goes on right behind it. */
  lengthenWrite(more: number): void {
    const check = (this.count - 1) * RECORD_WORDS + ARGUMENT;
    const write = check - RECORD_WORDS;
    this.words[write + 4] = (this.words[write + 4] as number) + more;
    this.words[check + 4] = (this.words[check + 4] as number) + more;
  }

  /** Completes the batch, which refers to `content`. */
  finish(content: readonly Uint8Array[]): ReadyBatch {
    const textAt = SLOT_BYTES + this.outLength;
    const contentAt = textAt + align8(this.textLength);
    for (const at of this.intoText) this.words[at] = (this.words[at] as number) + textAt;
    for (const at of this.intoContent) this.words[at] = (this.words[at] as number) + contentAt;
    this.intoText.length = 0;
    this.intoContent.length = 0;
    const contentLength = content.reduce((sum, { length }) => sum + length, 0);
    return this.assemble(0, contentAt, contentLength, content);
  }

  /**
   * The rest of a batch that failed, from record `index` on. `slots` are the first bytes of the answer's data: what
   * earlier records found.
   */
  rest(batch: ReadyBatch, index: number, slots: Uint8Array): ReadyBatch {
    this.slots.set(slots.subarray(0, SLOT_BYTES));
    const contentAt = SLOT_BYTES + this.outLength + align8(this.textLength);
    const pad = batch.parts.length > 0 ? batch.parts.slice(0, -1) : [];
    const contentLength = pad.reduce((sum, { length }) => sum + length, 0);
    const rest = this.assemble(index, contentAt, contentLength, pad);
    this.slots.fill(0);
    return rest;
  }

  private assemble(
    first: number,
    contentAt: number,
    contentLength: number,
    content: readonly Uint8Array[],
  ): ReadyBatch {
    const records = this.count - first;
    const dataAt = HEADER_SIZE + records * RECORD_SIZE + FRAME_SIZE;
    const textAt = dataAt + SLOT_BYTES + this.outLength;
    if (this.head.length < dataAt + contentAt) this.head = new Uint8Array(2 * (dataAt + contentAt));
    const { head } = this;
    const words = new Int32Array(head.buffer, 0, dataAt >> 2);
    const data = align8(contentAt + contentLength);
    words.set([WIRE.MAGIC_BATCH, records, 0, data, SLOT_BYTES + this.outLength, -1, 0, 0]);
    words.set(this.words.subarray(first * RECORD_WORDS, this.count * RECORD_WORDS), HEADER_SIZE >> 2);
    head.fill(0, dataAt - FRAME_SIZE, textAt);
    head.set(this.slots, dataAt);
    head.set(this.text.subarray(0, this.textLength), textAt);
    const padding = new Uint8Array(data - contentAt - contentLength);
    const parts = contentLength === 0 ? [] : [...content, padding];
    return { head: head.subarray(0, dataAt + contentAt), parts, records };
  }
}
