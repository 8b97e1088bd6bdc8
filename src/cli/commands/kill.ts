// `caisson kill`.
import { killByName } from '../../engine/containers/stop.ts';
import { flagValues, value } from '../../frontends/flag.ts';
import { SIGNALS } from '../../linux/signals.ts';
import type { Command } from '../command.ts';
import { containerEngine, eachContainer } from '../container-engine.ts';
import { signalFlag } from '../signal-flag.ts';

const FLAGS = [
  value('signal', 'Signal to send to the container', { short: 's', fallback: 'SIGKILL' }),
] as const;

export const command: Command = {
  name: 'kill',
  summary: 'Kill one or more running containers',
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  description: '',
  examples: ['caisson kill web', 'caisson kill -s HUP web'],
  flags: FLAGS,
  arguments: [1, Number.POSITIVE_INFINITY],
  run: async (parsed, context) => {
    const { signal } = flagValues(FLAGS, parsed.flags);
    const number = signalFlag('kill', signal) ?? SIGNALS.SIGKILL;
    const engine = await containerEngine(context);
    return await eachContainer(context, parsed.positionals, async (name) => {
      await killByName(engine, name, number);
      return name;
    });
  },
};
