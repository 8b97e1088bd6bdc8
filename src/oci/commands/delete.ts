// `delete`: what a container has left is taken away (runtime-spec runtime.md, Delete).

import { boolean } from '../../frontends/flag.ts';
import { deleteContainer } from '../../runtime/delete.ts';
import type { OciCommand } from '../command.ts';

export const command: OciCommand = {
  name: 'delete',
  summary: 'Delete what a container has left',
  usage: '<container-id>',
  flags: [boolean('force', 'Kill the container first when it still runs (SIGKILL)', { short: 'f' })],
  arguments: [1, 1],
  run: async ({ port, parsed, target, log }) => {
    await deleteContainer(port, target(), parsed.on('force'), (message) => log.warn(message));
    return 0;
  },
};
