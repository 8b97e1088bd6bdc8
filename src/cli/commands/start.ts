// `caisson start`.
import { findContainer } from '../../engine/containers/find.ts';
import { startContainer } from '../../engine/containers/start.ts';
import { boolean, flagValues, value } from '../../frontends/flag.ts';
import type { Command } from '../command.ts';
import { containerEngine, eachContainer } from '../container-engine.ts';
import { usageError } from '../grammar.ts';
import { startAttached } from '../kept-run.ts';

const FLAGS = [
  boolean('attach', 'Attach STDOUT/STDERR and forward signals', { short: 'a' }),
  boolean('interactive', "Attach container's STDIN", { short: 'i' }),
  value('detach-keys', 'Override the key sequence for detaching a container'),
] as const;

export const command: Command = {
  name: 'start',
  summary: 'Start one or more stopped containers',
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  description: '',
  examples: ['caisson start web', 'caisson start -ai shell'],
  flags: FLAGS,
  arguments: [1, Number.POSITIVE_INFINITY],
  run: async (parsed, context) => {
    const flags = flagValues(FLAGS, parsed.flags);
    const engine = await containerEngine(context);
    if (flags.attach !== true && flags.interactive !== true) {
      return await eachContainer(context, parsed.positionals, async (name) => {
        await startContainer(engine, findContainer(engine, name).file.id);
        return name;
      });
    }
    const [name, more] = parsed.positionals;
    if (name === undefined || more !== undefined)
      throw usageError('start', 'you cannot start and attach multiple containers at once');
    const { file } = findContainer(engine, name);
    const input = flags.interactive === true && file.openStdin;
    return await startAttached(context, engine, file, input ? [0, 1, 2] : [1, 2], {
      sigProxy: true,
      ...(flags.detachKeys === undefined ? {} : { detachKeys: flags.detachKeys }),
    });
  },
};
