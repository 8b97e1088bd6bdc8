// `caisson pause`.
import { pauseByName } from '../../engine/containers/freeze.ts';
import type { Command } from '../command.ts';
import { containerEngine, eachContainer } from '../container-engine.ts';

export const command: Command = {
  name: 'pause',
  summary: 'Pause all processes within one or more containers',
  usage: 'CONTAINER [CONTAINER...]',
  description: '',
  examples: ['caisson pause web'],
  flags: [],
  arguments: [1, Number.POSITIVE_INFINITY],
  run: async (parsed, context) => {
    const engine = await containerEngine(context);
    return await eachContainer(context, parsed.positionals, async (name) => {
      await pauseByName(engine, name);
      return name;
    });
  },
};
