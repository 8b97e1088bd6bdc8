// Progress as lines, each with the number of its piece of work, as `docker build --progress plain` has them.
import { type Bytes, utf8ToBytes } from '../../linux/bytes.ts';
import type { Progress, Vertex } from './progress.ts';

export interface PlainOptions {
  readonly write: (bytes: Bytes) => void;
  /** Milliseconds, from any moment on. */
  readonly now: () => number;
}

/** A line without an end is kept back until it comes, up to this many bytes. */
const LONGEST = 4096;

export function plainProgress({ write, now }: PlainOptions): Progress {
  let count = 0;
  return {
    begin: (title) => {
      count++;
      write(`#${count} ${utf8ToBytes(title)}\n`);
      return new PlainVertex(count, write, now);
    },
    warn: (message) => {
      write(`caisson: warning: ${utf8ToBytes(message)}\n`);
    },
    close: () => undefined,
  };
}

class PlainVertex implements Vertex {
  private readonly number: number;
  private readonly write: (bytes: Bytes) => void;
  private readonly now: () => number;
  private readonly begun: number;
  private readonly rest: Record<1 | 2, Bytes> = { 1: '', 2: '' };

  constructor(number: number, write: (bytes: Bytes) => void, now: () => number) {
    this.number = number;
    this.write = write;
    this.now = now;
    this.begun = now();
  }

  private seconds(digits: number): string {
    return ((this.now() - this.begun) / 1000).toFixed(digits);
  }

  output(stream: 1 | 2, bytes: Bytes): void {
    const lines = (this.rest[stream] + bytes).split('\n');
    const last = lines.pop() ?? '';
    for (const line of lines) this.line(line);
    this.rest[stream] = last;
    if (last.length < LONGEST) return;
    this.line(last);
    this.rest[stream] = '';
  }

  private line(line: Bytes): void {
    this.write(`#${this.number} ${this.seconds(3)} ${line.replace(/\r$/, '')}\n`);
  }

  note(text: string): void {
    this.write(`#${this.number} ${utf8ToBytes(text)}\n`);
  }

  private finish(word: string): void {
    for (const stream of [1, 2] as const) if (this.rest[stream] !== '') this.line(this.rest[stream]);
    this.write(`#${this.number} ${word}\n\n`);
  }

  done(): void {
    this.finish(`DONE ${this.seconds(1)}s`);
  }

  cached(): void {
    this.finish('CACHED');
  }

  failed(): void {
    this.finish('ERROR');
  }
}
