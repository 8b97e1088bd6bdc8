// Pumps bytes between the caller's terminal and the container's, and passes window sizes on.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { TIOCSWINSZ } from '../linux/constants/terminal.ts';
import { ERRNO } from '../linux/errno.ts';
import { SIGNALS } from '../linux/signals.ts';
import { type Call, slot, struct } from '../plan/call.ts';
import * as sys from '../plan/syscalls.ts';
import type { Spec } from '../spec/runtime-spec.ts';
import type { Running } from './start.ts';

/** A terminal in canonical mode takes 4,095 bytes a line. */
const PIECE = 1024;
/** When a terminal that is full is tried again, in milliseconds. */
const RETRY = 5;

function resize(running: Running, { rows, columns }: { rows: number; columns: number }): Call {
  const winsize = struct(
    { name: 'ws_row', width: 2, value: rows },
    { name: 'ws_col', width: 2, value: columns },
    { name: 'ws_xpixel', width: 2, value: 0 },
    { name: 'ws_ypixel', width: 2, value: 0 },
  );
  return sys.ioctl(running.terminal, TIOCSWINSZ, winsize);
}

/** Major numbers of terminals: consoles and serial lines 4, /dev/tty and /dev/console 5, pseudo-terminals from 136. */
const TERMINAL_MAJORS = [4, 5, 136, 137, 138, 139, 140, 141, 142, 143];

export function isTerminal(port: Port, fd: number): boolean {
  const stat = port.stat(`/proc/self/fd/${fd}`);
  return stat?.type === 'character' && TERMINAL_MAJORS.includes((stat.rdev >>> 8) & 0xfff);
}

/** What is copied into a file or a pipe, or shown by a terminal that is not raw, has its line feeds as they are. */
export function plainLineFeeds(port: Port): boolean {
  return port.terminal === undefined || !isTerminal(port, 1);
}

/** A terminal has the size of the caller's from the first moment, unless the specification says another. */
export function withConsoleSize(port: Port, spec: Spec): Spec {
  const { process } = spec;
  if (process?.terminal !== true || process.consoleSize !== undefined) return spec;
  const size = port.terminal?.size();
  if (size === undefined) return spec;
  return { ...spec, process: { ...process, consoleSize: { height: size.rows, width: size.columns } } };
}

/** Passes keys on, one piece after the other: a program that does not read yet makes them wait, and loses none. */
function keyQueue(port: Port, running: Running): (bytes: Bytes) => void {
  let waiting: Bytes = '';
  let busy = false;
  const pass = (): void => {
    const piece = waiting.slice(0, PIECE);
    busy = piece !== '';
    if (!busy) return;
    const written = slot('written', { reply: true });
    const write = sys.write(running.terminal, piece, {
      tolerate: [ERRNO.EAGAIN, ERRNO.EIO],
      result: written,
    });
    void running.interrupt('input', 'pass input on', [write], (value) => {
      const count = value(written);
      // Nobody has the other end open (EIO): what was meant for it is nobody's.
      waiting = count === -ERRNO.EIO ? '' : waiting.slice(Math.max(count, 0));
      if (count === piece.length) pass();
      else port.after(RETRY, pass);
    });
  };
  return (bytes) => {
    waiting += bytes;
    if (!busy) pass();
  };
}

/** Connects the two, keys only where `interactive`; the result puts the caller's terminal back. */
export function pumpTerminal(port: Port, running: Running, interactive: boolean): () => void {
  running.onOutput = (bytes) => {
    port.write(1, bytes);
  };
  const { terminal } = port;
  if (terminal === undefined) return () => undefined;
  const passSize = (): void => {
    void running.interrupt('resize', 'pass the window size on', [resize(running, terminal.size())]);
  };
  passSize();
  const release = interactive ? terminal.capture(keyQueue(port, running)) : () => undefined;
  const quiet = port.onSignals([SIGNALS.SIGWINCH], passSize);
  return () => {
    quiet();
    release();
  };
}
