// Whether somebody sits at the other end.
import { isatty } from 'node:tty';

/** Of standard output. */
export function isOutputTerminal(): boolean {
  return isatty(1);
}

/** Of standard input. */
export function isInputTerminal(): boolean {
  return isatty(0);
}
