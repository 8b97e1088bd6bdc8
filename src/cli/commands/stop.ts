// `caisson stop`.
import { stopContainer } from '../../engine/containers/stop.ts';
import { flagValues, value } from '../../frontends/flag.ts';
import type { Command } from '../command.ts';
import { containerEngine, eachContainer } from '../container-engine.ts';
import { secondsFlag, signalFlag } from '../signal-flag.ts';

const FLAGS = [
  value('signal', 'Signal to send to the container', { short: 's' }),
  value('timeout', 'Seconds to wait before killing the container', { short: 't', takes: 'int' }),
] as const;

export const command: Command = {
  name: 'stop',
  summary: 'Stop one or more running containers',
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  description: 'The stop signal of the container (SIGTERM by default), then, 10 seconds later, SIGKILL.',
  examples: ['caisson stop web', 'caisson stop -t 2 web db'],
  flags: FLAGS,
  arguments: [1, Number.POSITIVE_INFINITY],
  run: async (parsed, context) => {
    const flags = flagValues(FLAGS, parsed.flags);
    const options = { timeout: secondsFlag('stop', flags.timeout), signal: signalFlag('stop', flags.signal) };
    const engine = await containerEngine(context);
    return await eachContainer(context, parsed.positionals, async (name) => {
      await stopContainer(engine, name, options);
      return name;
    });
  },
};
