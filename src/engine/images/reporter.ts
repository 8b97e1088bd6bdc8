// What a long command tells while it works; the command line shows it as bars or lines, a program may do without.

/** Where a part of the work is: a layer, by its short digest. */
export interface PartStatus {
  readonly id: string;
  /** docker's words: `Downloading`, `Pull complete`. */
  readonly status: string;
  /** Bytes, while they are counted. */
  readonly current?: number;
  readonly total?: number;
}

export interface Reporter {
  /** A line of its own. */
  line(text: string): void;
  part(status: PartStatus): void;
  /** Something that went wrong and does not end the work. */
  warn(text: string): void;
}

/** Tells nobody. */
export const SILENT: Reporter = { line: () => undefined, part: () => undefined, warn: () => undefined };
