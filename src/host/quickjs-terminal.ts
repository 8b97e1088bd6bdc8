// The caller's terminal for the QuickJS host: its size, and raw mode (cfmakeraw of termios(3)).

import { POLLIN } from '../linux/constants/poll.ts';
import * as tty from '../linux/constants/terminal.ts';
import type { CallerTerminal } from './port.ts';
import { watch } from './quickjs-loop.ts';
import { call, callAgain, engine } from './quickjs-native.ts';
import { isTerminal } from './quickjs-tty.ts';

/** struct termios of <asm-generic/termbits.h>: four words of modes, c_line, then c_cc. */
const TERMIOS_SIZE = 36;
const C_CC = 17;
const READ_SIZE = 4 << 10;
const { IGNBRK, BRKINT, PARMRK, ISTRIP, INLCR, IGNCR, ICRNL, IXON } = tty;
const { ECHO, ECHONL, ICANON, ISIG, IEXTEN } = tty;
const NO_INPUT_CHANGES = ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);

function rawModes(before: Uint8Array): Uint8Array {
  const raw = before.slice();
  const modes = new Int32Array(raw.buffer, 0, 4);
  const [input = 0, , control = 0, local = 0] = modes;
  modes[0] = input & NO_INPUT_CHANGES;
  modes[1] = 0;
  modes[2] = (control & ~(tty.CSIZE | tty.PARENB)) | tty.CS8;
  modes[3] = local & ~(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  raw[C_CC + tty.VMIN] = 1;
  raw[C_CC + tty.VTIME] = 0;
  return raw;
}

/** struct winsize of the first of the descriptors that is a terminal. */
function size(): { rows: number; columns: number } {
  const window = new Uint8Array(8);
  for (const fd of [1, 0]) {
    if (call('ioctl', fd, tty.TIOCGWINSZ, window) !== 0) continue;
    const [rows = 0, columns = 0] = new Uint16Array(window.buffer);
    if (rows > 0 && columns > 0) return { rows, columns };
  }
  return { rows: 24, columns: 80 };
}

function raw(): () => void {
  const before = new Uint8Array(TERMIOS_SIZE);
  call('ioctl', 0, tty.TCGETS, before);
  call('ioctl', 0, tty.TCSETS, rawModes(before));
  return () => {
    call('ioctl', 0, tty.TCSETS, before);
  };
}

function capture(handler: (bytes: string) => void): () => void {
  const restore = raw();
  const buffer = new Uint8Array(READ_SIZE);
  const end = watch(0, POLLIN, () => {
    const got = callAgain('read', 0, buffer, READ_SIZE);
    if (got > 0) handler(engine.string(buffer, 0, got));
    else end();
  });
  return () => {
    end();
    restore();
  };
}

/** port.ts: the terminal at descriptor 0, undefined when it is none. */
export function callerTerminal(): CallerTerminal | undefined {
  return isTerminal(0) ? { size, raw, capture } : undefined;
}
