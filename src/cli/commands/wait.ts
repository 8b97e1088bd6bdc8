// `caisson wait`.

import { UNKNOWN_CODE } from '../../engine/containers/run-record.ts';
import { waitContainer } from '../../engine/containers/stop.ts';
import type { Command } from '../command.ts';
import { containerEngine, eachContainer } from '../container-engine.ts';

export const command: Command = {
  name: 'wait',
  summary: 'Block until one or more containers stop, then print their exit codes',
  usage: 'CONTAINER [CONTAINER...]',
  description: `${UNKNOWN_CODE} is printed where nobody saw the end of a container.`,
  examples: ['caisson wait job'],
  flags: [],
  arguments: [1, Number.POSITIVE_INFINITY],
  run: async (parsed, context) => {
    const engine = await containerEngine(context);
    return await eachContainer(context, parsed.positionals, async (name) =>
      String((await waitContainer(engine, name)).code),
    );
  },
};
