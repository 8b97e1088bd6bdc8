// Decodes the answers of the launcher to a batch: frames, and the values that the batch asked for.
import { type Bytes, fromArray } from '../linux/bytes.ts';
import type { Batch } from './batch.ts';
import type { OutBuffer, Slot } from './call.ts';
import { FRAME_SIZE, HEADER_SIZE, WIRE } from './wire.ts';

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
  if (view.getUint32(0, true) !== WIRE.MAGIC_ANSWER)
    throw new Error('the launcher sent something that is no answer');
  return view.getUint32(20, true);
}

/** A frame alone, as bytes: what kind of answer, and how much data follows. Undefined when it is none. */
export function frameOf(
  bytes: Bytes,
): { readonly kind: AnswerKind; readonly errno: number; readonly length: number } | undefined {
  const word = (at: number) => [3, 2, 1, 0].reduce((sum, byte) => sum * 256 + bytes.charCodeAt(at + byte), 0);
  const kind = KINDS[word(4)];
  if (bytes.length < FRAME_SIZE || word(0) !== WIRE.MAGIC_ANSWER || kind === undefined) return undefined;
  return { kind, errno: word(12), length: word(20) };
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
  return slot.width === 4 ? view.getInt32(at, true) : longAt(view, at);
}

/** 64 signed bits; results of calls are descriptors, lengths and negative errnos, far from 2^53. */
function longAt(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

/** The numbers behind slots of an earlier batch; undefined for other slots. */
export type KnownSlots = (slot: Slot) => number | undefined;

/** All slots of a batch that was encoded with `replies: 'all'`, from its answer. */
export function knownSlots(batch: Batch, answer: Answer): KnownSlots {
  const view = new DataView(answer.data.buffer, answer.data.byteOffset, answer.data.byteLength);
  return (slot) => {
    const at = batch.slots.get(slot);
    if (at === undefined || at + slot.width > view.byteLength) return undefined;
    return slot.width === 4 ? view.getInt32(at, true) : longAt(view, at);
  };
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
