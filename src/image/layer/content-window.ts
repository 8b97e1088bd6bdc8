// Which bytes of the chunks of an archive a batch refers to: its content is sent from where it lies.

export class ContentWindow {
  private readonly limit: number;
  private chunk: Uint8Array = new Uint8Array(0);
  /** Pieces of earlier chunks that the batch takes, and their length. */
  private pieces: Uint8Array[] = [];
  private kept = 0;
  /** The stretch of this chunk that the batch takes. */
  private start = -1;
  private end = -1;

  /** `limit` is in bytes. */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** A chunk begins; what the batch takes of it may be used until the batch has been played. */
  enter(chunk: Uint8Array): void {
    this.leave();
    this.chunk = chunk;
  }

  private leave(): void {
    if (this.start < 0) return;
    this.pieces.push(this.chunk.subarray(this.start, this.end));
    this.kept += this.end - this.start;
    this.start = -1;
    this.end = -1;
  }

  /** Bytes of `piece`, a view of this chunk, that still have room; 0 when the batch must end first. */
  room(piece: Uint8Array): number {
    const gap = this.start < 0 ? 0 : this.at(piece) - this.end;
    return Math.max(0, Math.min(piece.length, this.limit - this.length - gap));
  }

  get length(): number {
    return this.kept + (this.start < 0 ? 0 : this.end - this.start);
  }

  /** Takes `piece`; its offset in the content of the batch. */
  take(piece: Uint8Array): number {
    const at = this.at(piece);
    if (this.start < 0) this.start = at;
    this.end = at + piece.length;
    return this.kept + at - this.start;
  }

  private at(piece: Uint8Array): number {
    return piece.byteOffset - this.chunk.byteOffset;
  }

  /** The content of the batch, which ends here. */
  cut(): Uint8Array[] {
    this.leave();
    const { pieces } = this;
    this.pieces = [];
    this.kept = 0;
    return pieces;
  }
}
