// Follows the frames of a zstd file without decompressing them: whether it ends where a frame ends (RFC 8878, 3.1).
//
// Bun's streams take a file that is cut off for a whole one; Node's forget what follows the end of a frame in one write.

const FRAME = 0xfd2fb528;
/** The lowest of sixteen magic numbers; the size of the frame follows. */
const SKIPPABLE = 0x184d2a50;
const BLOCK_HEADER = 3;
const RLE = 1;
const RESERVED = 3;

type Awaited = 'magic' | 'skippable size' | 'descriptor' | 'block' | 'checksum';

const LENGTHS: Readonly<Record<Awaited, number>> = {
  magic: 4,
  'skippable size': 4,
  descriptor: 1,
  block: BLOCK_HEADER,
  checksum: 4,
};

export class ZstdFrames {
  private awaited: Awaited = 'magic';
  /** Bytes that are passed over before what is awaited. */
  private skip = 0;
  private value = 0;
  private have = 0;
  private want = LENGTHS.magic;
  private hasChecksum = false;
  private frames = 0;

  /** Takes the next bytes; the result is where in them frames end. Throws Error where they are no zstd file. */
  push(chunk: Uint8Array): number[] {
    const ends: number[] = [];
    for (let at = 0; at < chunk.length; ) {
      if (this.skip > 0) {
        const passed = Math.min(this.skip, chunk.length - at);
        this.skip -= passed;
        at += passed;
      } else {
        this.value += (chunk[at++] as number) * 2 ** (8 * this.have++);
        if (this.have === this.want) this.got(this.value);
      }
      if (this.isBetween()) ends.push(at);
    }
    return ends;
  }

  private isBetween(): boolean {
    return this.awaited === 'magic' && this.have === 0 && this.skip === 0;
  }

  /** To be called at the end. Throws Error inside a frame, and where there was none. */
  finish(): void {
    if (this.frames === 0 || !this.isBetween()) throw new Error('unexpected end of file');
  }

  private await(what: Awaited, skip = 0): void {
    this.awaited = what;
    this.skip = skip;
    this.value = 0;
    this.have = 0;
    this.want = LENGTHS[what];
  }

  private got(value: number): void {
    if (this.awaited === 'magic') this.magic(value);
    else if (this.awaited === 'skippable size') this.endFrame(value);
    else if (this.awaited === 'descriptor') this.descriptor(value);
    else if (this.awaited === 'block') this.block(value);
    else this.endFrame(0);
  }

  private magic(value: number): void {
    if (value === FRAME) this.await('descriptor');
    else if (value >= SKIPPABLE && value < SKIPPABLE + 16) this.await('skippable size');
    else throw new Error('something that is no frame of zstd');
  }

  private endFrame(skip: number): void {
    this.frames++;
    this.await('magic', skip);
  }

  /** Frame_Header_Descriptor says how long the rest of the header is (RFC 8878, 3.1.1.1.1). */
  private descriptor(value: number): void {
    const single = (value & 0x20) !== 0;
    const size = [single ? 1 : 0, 2, 4, 8][value >> 6] as number;
    const dictionary = [0, 1, 2, 4][value & 3] as number;
    this.hasChecksum = (value & 4) !== 0;
    this.await('block', (single ? 0 : 1) + dictionary + size);
  }

  private block(value: number): void {
    const type = (value >> 1) & 3;
    if (type === RESERVED) throw new Error('a block of zstd that has no type');
    const length = type === RLE ? 1 : value >> 3;
    if ((value & 1) === 0) this.await('block', length);
    else if (this.hasChecksum) this.await('checksum', length);
    else this.endFrame(length);
  }
}
