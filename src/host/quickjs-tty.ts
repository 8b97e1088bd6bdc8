// The same as tty.ts for the QuickJS host.
import { TCGETS, TIOCGWINSZ } from '../linux/constants/terminal.ts';
import { call } from './quickjs-native.ts';

/** struct termios of <asm-generic/termbits.h>. */
const TERMIOS_SIZE = 36;

export function isTerminal(descriptor: number): boolean {
  return call('ioctl', descriptor, TCGETS, new Uint8Array(TERMIOS_SIZE)) === 0;
}

export function sizeOfTerminal(
  descriptor: 1 | 2,
): { readonly columns: number; readonly rows: number } | undefined {
  if (!isTerminal(descriptor)) return undefined;
  // struct winsize: rows, then columns.
  const window = new Uint16Array(4);
  call('ioctl', descriptor, TIOCGWINSZ, new Uint8Array(window.buffer));
  return { columns: window[1] || 80, rows: window[0] || 24 };
}
