// The caller's terminal and timers, for the Node and Bun hosts.
import { isatty } from 'node:tty';
import type { Bytes } from '../linux/bytes.ts';
import type { CallerTerminal } from './port.ts';

export function after(milliseconds: number, handler: () => void): () => void {
  const timer = setTimeout(handler, milliseconds);
  return () => {
    clearTimeout(timer);
  };
}

/**
 * Raw mode of JavaScript engines still makes a line feed two characters (libuv's UV_TTY_MODE_RAW), which garbles
 * full-screen programs: `leaveOutput` empties c_oflag of termios(3) as well, where the host can.
 */
export function callerTerminal(leaveOutput: () => void = () => undefined): CallerTerminal | undefined {
  // Not by process.stdin and process.stdout: to make the two streams takes Bun 6 ms.
  if (!isatty(0)) return undefined;
  const { stdin, stdout } = process;
  return {
    size: () => ({ rows: stdout.rows ?? 24, columns: stdout.columns ?? 80 }),
    raw() {
      stdin.setRawMode(true);
      leaveOutput();
      return () => {
        stdin.setRawMode(false);
        stdin.pause();
      };
    },
    capture(handler: (bytes: Bytes) => void) {
      const listener = (chunk: Buffer): void => {
        handler(chunk.toString('latin1'));
      };
      stdin.setRawMode(true);
      leaveOutput();
      stdin.on('data', listener);
      return () => {
        stdin.off('data', listener);
        stdin.setRawMode(false);
        stdin.pause();
      };
    },
  };
}
