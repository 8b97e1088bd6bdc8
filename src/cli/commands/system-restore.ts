// `caisson system restore`.
import { restoreContainers } from '../../engine/containers/repair.ts';
import type { Command } from '../command.ts';
import { containerEngine } from '../container-engine.ts';

export const command: Command = {
  name: 'system restore',
  summary: 'After the machine has started, start containers whose restart policy says so',
  usage: '',
  description:
    'Once for each start of the machine: containers that run, or were started since, are left alone. Their names are\n' +
    'printed. packaging/caisson-restore.service runs it where systemd does.',
  examples: ['caisson system restore'],
  flags: [],
  arguments: [0, 0],
  run: async (_, context) => {
    for (const name of await restoreContainers(await containerEngine(context))) context.out(name);
    return 0;
  },
};
