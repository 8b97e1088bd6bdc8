// `pause`: all processes of a container are suspended.

import { pauseContainer } from '../../runtime/pause.ts';
import type { OciCommand } from '../command.ts';

export const command: OciCommand = {
  name: 'pause',
  summary: 'Suspend all processes of a container',
  usage: '<container-id>',
  flags: [],
  arguments: [1, 1],
  run: async ({ port, target }) => {
    await pauseContainer(port, target());
    return 0;
  },
};
