// `--signal` and `--timeout` of commands that end containers.
import type { Bytes } from '../linux/bytes.ts';
import { parseSignal } from '../linux/signals.ts';
import { CaissonError } from '../spec/error.ts';

/** The number of a signal; undefined without the flag. Throws CaissonError `EUSAGE`. */
export function signalFlag(command: string, text: Bytes | undefined): number | undefined {
  if (text === undefined) return undefined;
  const signal = parseSignal(text);
  if (signal !== undefined) return signal;
  throw new CaissonError(`caisson ${command}: invalid signal: ${text}`, {
    code: 'EUSAGE',
    sources: [`--signal ${text}`],
  });
}

/** Milliseconds of a number of seconds, negative: for ever; undefined without the flag. Throws CaissonError `EUSAGE`. */
export function secondsFlag(command: string, text: Bytes | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^(?:-1|[0-9]{1,9})$/.test(text)) return text === '-1' ? -1 : Number(text) * 1000;
  throw new CaissonError(`caisson ${command}: invalid timeout: ${text}: expected a number of seconds`, {
    code: 'EUSAGE',
    sources: [`--timeout ${text}`],
  });
}
