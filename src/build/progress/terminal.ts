// Progress on a terminal: one line for each piece of work, drawn again as they go on, with the last lines of what runs.
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import type { Progress, Vertex } from './progress.ts';

export interface TerminalOptions {
  readonly write: (bytes: Bytes) => void;
  readonly columns: number;
  readonly rows: number;
  /** Milliseconds. */
  readonly now: () => number;
  /** Calls again and again after so many milliseconds, until the result is called. */
  readonly every: (milliseconds: number, work: () => void) => () => void;
}

const INTERVAL = 100;
/** Lines of output below a piece of work that runs. */
const SHOWN = 6;

interface Row {
  readonly title: string;
  readonly begun: number;
  state: 'running' | 'done' | 'cached' | 'failed';
  ended: number;
  text: string;
}

/** Draws what is on its way below what has ended; the latter scrolls away as ordinary lines. */
export function terminalProgress(options: TerminalOptions): Progress {
  return new Screen(options);
}

class Screen implements Progress {
  private readonly options: TerminalOptions;
  private rows: Row[] = [];
  private drawn = 0;
  private readonly stop: () => void;

  constructor(options: TerminalOptions) {
    this.options = options;
    this.stop = options.every(INTERVAL, () => this.draw());
  }

  begin(title: string): Vertex {
    const row: Row = { title, begun: this.options.now(), state: 'running', ended: 0, text: '' };
    this.rows.push(row);
    this.draw();
    const end = (state: Row['state']) => () => {
      row.state = state;
      row.ended = this.options.now();
      this.draw();
    };
    return {
      output: (_, bytes) => {
        row.text = (row.text + cleaned(bytesToUtf8(bytes))).slice(-8192);
      },
      note: (text) => {
        row.text += `${text}\n`;
      },
      done: end('done'),
      cached: end('cached'),
      failed: end('failed'),
    };
  }

  warn(message: string): void {
    this.clear();
    this.options.write(`caisson: warning: ${utf8ToBytes(message)}\n`);
    this.draw();
  }

  close(): void {
    this.stop();
    this.draw();
  }

  private clear(): void {
    if (this.drawn > 0) this.options.write(`\x1b[${this.drawn}A\x1b[J`);
    this.drawn = 0;
  }

  private draw(): void {
    this.clear();
    // In the order in which they began: what has ended and has nothing running above it is left on the screen for good.
    while (this.rows[0] !== undefined && this.rows[0].state !== 'running')
      this.options.write(`${utf8ToBytes(this.line(this.rows.shift() as Row))}\n`);
    const lines = this.rows.flatMap((row) => [this.line(row), ...this.output(row)]);
    const shown = lines.slice(-Math.max(1, this.options.rows - 1));
    for (const line of shown) this.options.write(`${utf8ToBytes(line)}\n`);
    this.drawn = shown.length;
  }

  private line({ title, begun, state, ended }: Row): string {
    const { columns, now } = this.options;
    const seconds = (((state === 'running' ? now() : ended) - begun) / 1000).toFixed(1);
    const word = state === 'cached' ? 'CACHED ' : state === 'failed' ? 'ERROR ' : '';
    const time = `${seconds}s`;
    const room = columns - time.length - 5;
    const text = ` => ${word}${title}`.slice(0, room);
    return `${text.padEnd(room)} ${time}`;
  }

  private output({ state, text }: Row): string[] {
    if (state !== 'running') return [];
    const lines = text.trimEnd().split('\n').slice(-SHOWN);
    return lines
      .filter((line) => line !== '')
      .map((line) => ` => => # ${line}`.slice(0, this.options.columns - 1));
  }
}

/** Without what would move the cursor or change colours. */
function cleaned(text: string): string {
  return text.replace(/\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[@-Z\\-_])/g, '').replace(/[^\n\x20-\uffff]/g, '');
}
