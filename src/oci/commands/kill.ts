// `kill`: a signal for the container's first process, or for all (runtime-spec runtime.md, Kill).

import { boolean } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { parseSignal } from '../../linux/signals.ts';
import { killContainer } from '../../runtime/kill.ts';
import { CaissonError } from '../../spec/error.ts';
import type { OciCommand } from '../command.ts';
import { goQuote } from '../go-quote.ts';

export const command: OciCommand = {
  name: 'kill',
  summary: "Send a signal to the container's first process",
  usage: '<container-id> [signal]',
  description: 'The signal is a number or a name, with or without "SIG"; without one it is SIGTERM.',
  flags: [boolean('all', 'Send the signal to all processes of the container', { short: 'a' })],
  arguments: [1, 2],
  stopsAtArgument: true,
  run: async ({ port, parsed, target }) => {
    const container = target();
    const all = parsed.on('all');
    try {
      await killContainer(port, container, signalNumber(parsed.words[1] ?? ''), all);
    } catch (error) {
      // With --all there is nothing left to do when the container has ended.
      if (!(all && error instanceof CaissonError && error.code === 'ENOTRUNNING')) throw error;
    }
    return 0;
  },
};

/** 0 asks whether the process is there (kill(2)). Throws CaissonError EUSAGE in runc's words. */
function signalNumber(text: Bytes): number {
  if (text === '0') return 0;
  const signal = parseSignal(text === '' ? 'TERM' : text);
  if (signal !== undefined) return signal;
  throw new CaissonError(`unknown signal ${goQuote(text)}`, { code: 'EUSAGE' });
}
