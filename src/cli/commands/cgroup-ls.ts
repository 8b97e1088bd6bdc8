// `caisson cgroup ls`.

import { boolean } from '../../frontends/flag.ts';
import { type Command, flagOn } from '../command.ts';

export const command: Command = {
  name: 'cgroup ls',
  summary: 'List cgroups with their processes and limits',
  usage: '[OPTIONS]',
  flags: [boolean('all', "Also those that are not caisson's", { short: 'a' })],
  arguments: [0, 0],
  run: async (parsed, context) => {
    context.out(
      (await (await context.engine()).cgroupList(flagOn(parsed, 'all'), context)).replace(/\n$/, ''),
    );
    return 0;
  },
};
