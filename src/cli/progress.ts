// Shows a pull or push as docker does: a line for each layer that is drawn again, or plain lines without a terminal.

import type { PartStatus, Reporter } from '../engine/images/reporter.ts';
import { utf8ToBytes } from '../linux/bytes.ts';
import { humanSize } from './human.ts';

/** Where it is shown. */
export interface Screen {
  write(bytes: string): void;
  /** Columns and rows; undefined where nobody sees it as it happens. */
  readonly size: { readonly columns: number; readonly rows: number } | undefined;
  warn(text: string): void;
  /** Milliseconds. */
  now(): number;
}

/** Milliseconds between two drawings of the same bar. */
const INTERVAL = 100;
const LONGEST_BAR = 50;

export function reporterFor(screen: Screen): Reporter {
  return screen.size === undefined ? new Lines(screen) : new Bars(screen, screen.size);
}

/** A line whenever the status of a part changes. */
class Lines implements Reporter {
  private readonly screen: Screen;
  private readonly statuses = new Map<string, string>();

  constructor(screen: Screen) {
    this.screen = screen;
  }

  line(text: string): void {
    this.screen.write(`${text}\n`);
  }

  part({ id, status, current }: PartStatus): void {
    // Counts say nothing in a log.
    if (current !== undefined || this.statuses.get(id) === status) return;
    this.statuses.set(id, status);
    this.screen.write(`${id}: ${status}\n`);
  }

  warn(text: string): void {
    this.screen.warn(text);
  }
}

/** Parts below each other; the cursor is always below the last one. */
class Bars implements Reporter {
  private readonly screen: Screen;
  private readonly columns: number;
  private readonly rows: number;
  /** The parts on the screen, from top to bottom; a line of text begins anew. */
  private shown: string[] = [];
  private readonly drawn = new Map<string, { readonly status: string; readonly at: number }>();

  constructor(screen: Screen, { columns, rows }: { readonly columns: number; readonly rows: number }) {
    this.screen = screen;
    this.columns = Math.max(20, columns);
    this.rows = Math.max(2, rows);
  }

  line(text: string): void {
    this.shown = [];
    this.screen.write(`${text}\n`);
  }

  warn(text: string): void {
    this.shown = [];
    this.screen.warn(text);
  }

  part(part: PartStatus): void {
    const { id, status, current, total } = part;
    const last = this.drawn.get(id);
    const now = this.screen.now();
    const unfinished = current !== undefined && current !== total;
    if (last?.status === status && unfinished && now - last.at < INTERVAL) return;
    this.drawn.set(id, { status, at: now });
    const text = cut(`${id}: ${status}${this.count(part)}`, this.columns);
    const up = this.shown.length - this.shown.indexOf(id);
    if (!this.shown.includes(id)) {
      this.shown.push(id);
      this.screen.write(`${text}\n`);
    } else if (up < this.rows) {
      // ECMA-48: cursor up, erase line, and down again.
      this.screen.write(`\x1b[${up}A\r\x1b[2K${text}\r\x1b[${up}B`);
    }
  }

  private count({ id, status, current, total }: PartStatus): string {
    if (current === undefined) return '';
    const numbers = total === undefined ? humanSize(current) : `${humanSize(current)}/${humanSize(total)}`;
    const room = this.columns - id.length - status.length - numbers.length - 8;
    if (total === undefined || total === 0 || room < 10) return ` ${numbers}`;
    const length = Math.min(LONGEST_BAR, room);
    const done = Math.min(length, Math.floor((current / total) * length));
    const head = done < length ? '>' : '';
    return ` [${'='.repeat(done)}${head}${' '.repeat(Math.max(0, length - done - head.length))}] ${numbers}`;
  }
}

/** One row of the terminal: a line that wraps could not be drawn again. */
function cut(text: string, columns: number): string {
  return utf8ToBytes(text.length < columns ? text : text.slice(0, columns - 1));
}
