// The caller's terminal and timers, for the Node and Bun hosts.
import type { Bytes } from '../linux/bytes.ts';
import type { CallerTerminal } from './port.ts';

export function after(milliseconds: number, handler: () => void): () => void {
  const timer = setTimeout(handler, milliseconds);
  return () => {
    clearTimeout(timer);
  };
}

export function callerTerminal(): CallerTerminal | undefined {
  const { stdin, stdout } = process;
  if (!stdin.isTTY) return undefined;
  return {
    size: () => ({ rows: stdout.rows ?? 24, columns: stdout.columns ?? 80 }),
    capture(handler: (bytes: Bytes) => void) {
      const listener = (chunk: Buffer): void => {
        handler(chunk.toString('latin1'));
      };
      stdin.setRawMode(true);
      stdin.on('data', listener);
      return () => {
        stdin.off('data', listener);
        stdin.setRawMode(false);
        stdin.pause();
      };
    },
  };
}
