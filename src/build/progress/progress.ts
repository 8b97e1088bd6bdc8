// What a build tells about itself while it runs: pieces of work, with a beginning, output and an end.
import type { Bytes } from '../../linux/bytes.ts';

/** One piece of work. */
export interface Vertex {
  output(stream: 1 | 2, bytes: Bytes): void;
  /** A line about it. */
  note(text: string): void;
  done(): void;
  cached(): void;
  failed(): void;
}

export interface Progress {
  begin(title: string): Vertex;
  warn(message: string): void;
  /** Everything has ended. */
  close(): void;
}
