// `caisson system event`: for the monitors of containers.
import { handleEvent } from '../../engine/containers/event.ts';
import type { Command } from '../command.ts';
import { containerEngine } from '../container-engine.ts';

export const command: Command = {
  name: 'system event',
  summary: 'What the monitor of a container runs at an event',
  usage: 'exit|health|timeout ID',
  description: 'Monitors run this command; a person has no need to.',
  examples: [],
  flags: [],
  arguments: [2, 2],
  run: async (parsed, context) => {
    const [kind = '', id = ''] = parsed.positionals;
    return await handleEvent(await containerEngine(context), kind, id);
  },
};
