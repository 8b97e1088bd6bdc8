// `caisson cgroup inspect`.

import { boolean } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type Command, flagOn } from '../command.ts';

export const command: Command = {
  name: 'cgroup inspect',
  summary: 'Show the cgroups of a process or container, and which limit binds',
  usage: '[OPTIONS] PID|CONTAINER',
  description: 'For each controller: the cgroup, its limit, and the ancestor whose limit is the tightest.',
  flags: [boolean('json', 'Print as JSON')],
  arguments: [1, 1],
  run: async (parsed, context) => {
    const [target] = parsed.positionals as [Bytes];
    const engine = await context.engine();
    context.out((await engine.cgroupInspect(target, flagOn(parsed, 'json'), context)).replace(/\n$/, ''));
    return 0;
  },
};
