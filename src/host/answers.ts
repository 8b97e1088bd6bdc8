// Cuts the stream of a channel into answers: a frame, then as many bytes as it says.
import { frameLength } from '../plan/encode.ts';
import { FRAME_SIZE } from '../plan/wire.ts';
import type { RawAnswer } from './port.ts';

export class AnswerReader {
  private chunks: Uint8Array[] = [];
  private length = 0;
  /** Bytes of the answer that is coming, as far as its frame has told. */
  private wanted = FRAME_SIZE;

  push(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.length += chunk.length;
  }

  /** The next whole answer, undefined while bytes are missing. */
  next(): RawAnswer | undefined {
    // Joined twice at most: a large answer comes in many pieces.
    if (this.length < this.wanted) return undefined;
    const bytes = this.joined();
    const frame = bytes.subarray(0, FRAME_SIZE);
    const end = FRAME_SIZE + frameLength(frame);
    this.wanted = end;
    if (bytes.length < end) return undefined;
    this.wanted = FRAME_SIZE;
    this.chunks = bytes.length > end ? [bytes.subarray(end)] : [];
    this.length = bytes.length - end;
    return { frame, data: bytes.subarray(FRAME_SIZE, end) };
  }

  private joined(): Uint8Array {
    const [first] = this.chunks;
    if (this.chunks.length === 1 && first !== undefined) return first;
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    this.chunks = [all];
    return all;
  }
}
