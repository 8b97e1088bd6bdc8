// `caisson attach`.
import { attachContainer } from '../../engine/containers/attach.ts';
import { findContainer } from '../../engine/containers/find.ts';
import { boolean, flagValues, value } from '../../frontends/flag.ts';
import type { Command } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import { detachKeysOf, ending, proxySignals } from '../kept-run.ts';

const FLAGS = [
  value('detach-keys', 'Override the key sequence for detaching a container'),
  boolean('no-stdin', 'Do not attach STDIN'),
  boolean('sig-proxy', 'Proxy all received signals to the process', { fallback: 'true' }),
] as const;

export const command: Command = {
  name: 'attach',
  summary: 'Attach local standard input, output, and error streams to a running container',
  usage: '[OPTIONS] CONTAINER',
  description: 'The keys ctrl-p ctrl-q detach from a container with a terminal.',
  examples: ['caisson attach shell'],
  flags: FLAGS,
  arguments: [1, 1],
  run: async (parsed, context) => {
    const flags = flagValues(FLAGS, parsed.flags);
    const engine = await containerEngine(context);
    const { file } = findContainer(engine, parsed.positionals[0] ?? '');
    const input = flags.noStdin !== true && file.openStdin;
    const restore = file.tty && input ? context.port.terminal?.raw?.() : undefined;
    const end = proxySignals(engine, file.id, flags.sigProxy !== false && !file.tty);
    try {
      const how = await attachContainer(engine, file.id, {
        // What is piped in is data, whatever bytes it has.
        keys: file.tty ? detachKeysOf(flags.detachKeys) : [],
        descriptors: input ? [0, 1, 2] : [1, 2],
      });
      restore?.();
      return await ending(context, engine, file, how);
    } finally {
      end();
      restore?.();
    }
  },
};
