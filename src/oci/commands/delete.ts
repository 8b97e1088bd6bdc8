// `delete`: what a container has left is taken away (runtime-spec runtime.md, Delete).

import { boolean } from '../../frontends/flag.ts';
import { deleteContainer } from '../../runtime/delete.ts';
import type { OciCommand } from '../command.ts';
import { notifyDirectory } from '../inherited.ts';

export const command: OciCommand = {
  name: 'delete',
  summary: 'Delete what a container has left',
  usage: '<container-id>',
  flags: [boolean('force', 'Kill the container first when it still runs (SIGKILL)', { short: 'f' })],
  arguments: [1, 1],
  run: async ({ port, parsed, target, log }) => {
    const container = target();
    await deleteContainer(port, container, parsed.on('force'), (message) => log.warn(message));
    const directory = notifyDirectory(container);
    if (port.stat(directory) !== undefined) port.remove(directory);
    return 0;
  },
};
