// Collects what a program writes, up to a limit, and passes it on as it comes.

/** One piece of output. */
export interface OutputPiece {
  readonly stream: 'stdout' | 'stderr';
  /** UTF-8; a character that is cut by the end of a piece comes with the next one. */
  readonly text: string;
  readonly bytes: Uint8Array;
}

/** What one stream brought. */
export class Collected {
  /** More came than the limit allows. */
  truncated = false;
  private readonly limit: number;
  private readonly pieces: Uint8Array[] = [];
  private readonly decoder = new TextDecoder();
  private length = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  add(bytes: Uint8Array): void {
    const room = this.limit - this.length;
    if (bytes.length > room) this.truncated = true;
    if (room <= 0) return;
    const piece = bytes.length > room ? bytes.slice(0, room) : bytes;
    this.pieces.push(piece);
    this.length += piece.length;
  }

  /** The text of a piece, with what the last one left of a character. */
  decode(bytes: Uint8Array): string {
    return this.decoder.decode(bytes, { stream: true });
  }

  get bytes(): Uint8Array {
    const [first] = this.pieces;
    if (this.pieces.length === 1 && first !== undefined) return first;
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const piece of this.pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  get text(): string {
    return new TextDecoder().decode(this.bytes);
  }
}
