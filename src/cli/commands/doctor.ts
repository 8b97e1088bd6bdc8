// `caisson doctor`.

import { boolean } from '../../frontends/flag.ts';
import { type Command, flagOn } from '../command.ts';

export const command: Command = {
  name: 'doctor',
  summary: 'Show what this host can and cannot do, and what to do about it',
  usage: '[OPTIONS]',
  description: 'The exit code is 1 when something that a container needs is missing.',
  flags: [boolean('json', 'Print the report as JSON')],
  arguments: [0, 0],
  run: async (parsed, context) => {
    const { text, healthy } = await (await context.engine()).doctor(flagOn(parsed, 'json'), context);
    context.out(text.replace(/\n$/, ''));
    return healthy ? 0 : 1;
  },
};
