// `caisson system repair`.

import { boolean } from '../../frontends/flag.ts';
import { type Command, flagOn } from '../command.ts';

export const command: Command = {
  name: 'system repair',
  summary: 'Take away what interrupted runs have left',
  usage: '[OPTIONS]',
  description:
    'Cgroups, mounts and files of containers whose keeper died. Running containers are not touched; any command\n' +
    'may run at the same time.',
  flags: [boolean('dry-run', 'Only say what would be done', { short: 'n' })],
  arguments: [0, 0],
  run: async (parsed, context) => {
    const text = await (await context.engine()).repair(flagOn(parsed, 'dry-run'), context);
    if (text !== '') context.out(text.replace(/\n$/, ''));
    return 0;
  },
};
