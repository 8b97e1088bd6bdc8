// `caisson oci delete`, runc's command of the same name.

import { boolean } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type Command, flagOn } from '../command.ts';

export const command: Command = {
  name: 'oci delete',
  summary: 'Delete what a container has left',
  usage: '[OPTIONS] CONTAINER',
  flags: [boolean('force', 'Kill the container first when it still runs', { short: 'f' })],
  arguments: [1, 1],
  singleDash: true,
  run: async (parsed, context) => {
    const [id] = parsed.positionals as [Bytes];
    await (await context.engine()).ociDelete(id, flagOn(parsed, 'force'), context);
    return 0;
  },
};
