// `resume`: the processes of a paused container go on.

import { resumeContainer } from '../../runtime/pause.ts';
import type { OciCommand } from '../command.ts';

export const command: OciCommand = {
  name: 'resume',
  summary: 'Let the processes of a suspended container go on',
  usage: '<container-id>',
  flags: [],
  arguments: [1, 1],
  run: async ({ port, target }) => {
    await resumeContainer(port, target());
    return 0;
  },
};
