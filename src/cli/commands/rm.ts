// `caisson rm`.
import { removeContainer } from '../../engine/containers/remove.ts';
import { boolean, flagValues } from '../../frontends/flag.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Command } from '../command.ts';
import { containerEngine, eachContainer } from '../container-engine.ts';

const FLAGS = [
  boolean('force', 'Force the removal of a running container (uses SIGKILL)', { short: 'f' }),
  boolean('volumes', 'Remove anonymous volumes associated with the container', { short: 'v' }),
] as const;

export const command: Command = {
  name: 'rm',
  summary: 'Remove one or more containers',
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  description: '',
  examples: ['caisson rm web', 'caisson rm -f $(caisson ps -aq)'],
  flags: FLAGS,
  arguments: [1, Number.POSITIVE_INFINITY],
  run: async (parsed, context) => {
    const { force = false, volumes = false } = flagValues(FLAGS, parsed.flags);
    const engine = await containerEngine(context);
    return await eachContainer(context, parsed.positionals, async (name) => {
      try {
        await removeContainer(engine, name, { force, volumes });
      } catch (error) {
        // docker rm -f of what is not there says nothing.
        if (!(force && error instanceof CaissonError && error.code === 'ENOTFOUND')) throw error;
      }
      return name;
    });
  },
};
