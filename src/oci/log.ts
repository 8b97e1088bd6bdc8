// Log lines as runc writes them (logrus): text, text for a terminal, and JSON; to standard error, or to a file.

import type { Port } from '../host/port.ts';
import { type Bytes, isMadeOf } from '../linux/bytes.ts';
import { isTerminal } from '../runtime/terminal.ts';
import { goJson } from './go-json.ts';
import { goQuote, printableBytes } from './go-quote.ts';

export type Level = 'debug' | 'warning' | 'error';

/** The colours of logrus on a terminal, and the four letters that it leaves of a level. */
const TERMINAL: Readonly<Record<Level, readonly [colour: number, short: string]>> = {
  debug: [37, 'DEBU'],
  warning: [33, 'WARN'],
  error: [31, 'ERRO'],
};

const TERMINAL_COLUMN = 44;

const LOG_MODE = 0o644;

/** One line with its newline. `seconds` is the time since the program began. */
export function logLine(
  style: 'text' | 'json' | 'terminal',
  { level, message, time, seconds }: { level: Level; message: Bytes; time: Bytes; seconds: number },
): Bytes {
  if (style === 'json') return `${goJson({ level, msg: message, time })}\n`;
  if (style === 'text') return `time="${time}" level=${level} msg=${quoted(message)}\n`;
  const [colour, short] = TERMINAL[level];
  const text = printableBytes(message.replace(/\n$/, '')).padEnd(TERMINAL_COLUMN);
  return `\x1b[${colour}m${short}\x1b[0m[${String(seconds).padStart(4, '0')}] ${text} \n`;
}

function quoted(message: Bytes): Bytes {
  return message === '' || isMadeOf(message, PLAIN) ? message : goQuote(message);
}

/** What needs no quotes. */
const PLAIN = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/@^+';

/** The log of one command. */
export class Log {
  debugging = false;
  private json = false;
  private file: Bytes | undefined;
  private readonly port: Port;
  private readonly began: number;

  constructor(port: Port) {
    this.port = port;
    this.began = port.monotonic();
  }

  /** Throws what the host says of a file that cannot be written. */
  open(file: Bytes | undefined, json: boolean): void {
    this.json = json;
    if (file === undefined) return;
    append(this.port, file, '');
    this.file = file;
  }

  /** Whether what is logged is seen on standard error. */
  get isVisible(): boolean {
    return this.file === undefined;
  }

  error(message: Bytes): void {
    this.write('error', message);
  }

  warn(message: Bytes): void {
    this.write('warning', message);
  }

  debug(message: Bytes): void {
    if (this.debugging) this.write('debug', message);
  }

  private write(level: Level, message: Bytes): void {
    const style = this.json
      ? 'json'
      : this.file === undefined && isTerminal(this.port, 2)
        ? 'terminal'
        : 'text';
    const time = `${new Date().toISOString().slice(0, 19)}Z`;
    const seconds = Math.floor((this.port.monotonic() - this.began) / 1e9);
    const line = logLine(style, { level, message, time, seconds });
    if (this.file === undefined) this.port.write(2, line);
    else append(this.port, this.file, line);
  }
}

/** A host that cannot append rewrites an ordinary file, and leaves any other alone. */
function append(port: Port, file: Bytes, text: Bytes): void {
  if (port.appendFile !== undefined) port.appendFile(file, text, LOG_MODE);
  else if ((port.stat(file)?.type ?? 'file') === 'file')
    port.replaceFile(file, `${port.readFile(file) ?? ''}${text}`, LOG_MODE);
}
