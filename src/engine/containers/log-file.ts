// Files of a container's log: lines from a position on, lines from the end backwards; bounded memory, whatever is in them.
import type { Disk, DiskFile } from '../../host/disk.ts';
import { type Bytes, fromArray } from '../../linux/bytes.ts';

/** Bytes of one read. */
const BLOCK = 256 << 10;
/** The longest line that is taken for one; the monitor's own end at 98,432 bytes (launcher/log.h, LOG_ENTRY). */
const LONGEST = 1 << 20;

/** Whole lines, without their line feeds, and how many longer ones were left out. */
export interface Lines {
  readonly lines: readonly Bytes[];
  readonly skipped: number;
}

/** An open file of a log. It stays the same one when it gets another name. */
export class LogFile {
  readonly ino: number;
  private readonly file: DiskFile;
  private position: number;
  private rest = '';
  private skipping = false;
  private readonly block = new Uint8Array(BLOCK);

  private constructor(file: DiskFile, ino: number, position: number) {
    this.file = file;
    this.ino = ino;
    this.position = position;
  }

  /** undefined when there is none. */
  static open(disk: Disk, path: Bytes, position = 0): LogFile | undefined {
    for (;;) {
      const before = disk.stat(path);
      const file = disk.open(path);
      if (file === undefined) return undefined;
      const after = disk.stat(path);
      if (before !== undefined && before.ino === after?.ino) return new LogFile(file, before.ino, position);
      // Rotated between the two looks: the name is another file's.
      file.close();
    }
  }

  close(): void {
    this.file.close();
  }

  /** The next lines; undefined at the end of what is there. */
  async next(): Promise<Lines | undefined> {
    if (this.file.size() < this.position) this.restart();
    const got = await this.file.read(this.block, this.position);
    if (got === 0) return undefined;
    this.position += got;
    const pieces = `${this.rest}${fromArray(this.block, 0, got)}`.split('\n');
    this.rest = pieces.pop() ?? '';
    let skipped = 0;
    if (this.skipping && pieces.length > 0) {
      pieces.shift();
      this.skipping = false;
      skipped = 1;
    }
    if (this.rest.length > LONGEST || this.skipping) {
      this.skipping = true;
      this.rest = '';
    }
    const lines = pieces.filter((line) => line !== '' && line.length <= LONGEST);
    return { lines, skipped: skipped + pieces.filter((line) => line.length > LONGEST).length };
  }

  /** A log of one file begins anew where it is full (`max-file=1`). */
  private restart(): void {
    this.position = 0;
    this.rest = '';
    this.skipping = false;
  }
}

/** A line, and the position behind its line feed. */
interface PlacedLine {
  readonly line: Bytes;
  readonly end: number;
}

/** The lines of a file, the last one first; what stands behind the last line feed is torn, or not written yet. */
async function* linesBackward(file: DiskFile): AsyncGenerator<PlacedLine> {
  const block = new Uint8Array(BLOCK);
  let start = file.size();
  /** What was read and has not been told yet: it ends with a line feed, once there has been one. */
  let text = '';
  let end = -1;
  while (start > 0) {
    const size = Math.min(block.length, start);
    const got = await file.read(block.subarray(0, size), start - size);
    if (got < size) return;
    start -= size;
    text = fromArray(block, 0, got) + text;
    if (end < 0) {
      const feed = text.lastIndexOf('\n');
      text = text.slice(0, feed + 1);
      if (feed < 0) continue;
      end = start + feed + 1;
    }
    let upTo = text.length;
    for (let feed = before(text, upTo); feed >= 0; feed = before(text, upTo)) {
      yield { line: text.slice(feed + 1, upTo - 1), end };
      end -= upTo - feed - 1;
      upTo = feed + 1;
    }
    // A line that is too long is told as an empty one: nobody takes it for an entry.
    text = upTo > LONGEST ? text.slice(upTo - 1, upTo) : text.slice(0, upTo);
  }
  if (text !== '') yield { line: text.slice(0, -1), end };
}

/** The line feed of the line before the one that ends at `upTo`. */
function before(text: Bytes, upTo: number): number {
  return upTo < 2 ? -1 : text.lastIndexOf('\n', upTo - 2);
}

/** How far a search from the end has come; it goes on in the next older file. */
export interface TailSearch {
  /** Lines that are still wanted. */
  left: number;
  /** Nothing was met yet: a piece of a line at the very end counts as one. */
  first: boolean;
}

/**
 * Where the last lines of a file begin; undefined when the search has to go on in an older file. `isWhole` says whether
 * a line of the file ends one of the container's, so that pieces of a long line count as one; undefined is a damaged one, which does not count.
 */
export async function positionFromEnd(
  file: DiskFile,
  search: TailSearch,
  isWhole: (line: Bytes) => boolean | undefined,
): Promise<number | undefined> {
  if (search.left === 0 && search.first) return file.size();
  for await (const { line, end } of linesBackward(file)) {
    const whole = isWhole(line);
    if (whole === undefined) continue;
    if (whole || search.first) {
      if (search.left === 0) return end;
      search.left--;
    }
    search.first = false;
  }
  return undefined;
}
