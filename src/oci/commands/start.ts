// `start`: the program of a created container (runtime-spec runtime.md, Start).

import { startContainer } from '../../runtime/start-created.ts';
import type { OciCommand } from '../command.ts';
import { untilReady } from '../readiness.ts';

export const command: OciCommand = {
  name: 'start',
  summary: 'Start the program of a created container',
  usage: '<container-id>',
  flags: [],
  arguments: [1, 1],
  run: async ({ port, target, log }) => {
    const container = target();
    await untilReady(port, container, () => startContainer(port, container, (message) => log.warn(message)));
    return 0;
  },
};
