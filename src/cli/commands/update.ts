// `caisson update`.
import { updateByName } from '../../engine/containers/update.ts';
import { RUN_FLAGS } from '../../frontends/docker/run-flags.ts';
import type { Command, Parsed } from '../command.ts';
import { containerEngine, eachContainer } from '../container-engine.ts';
import { usageError } from '../grammar.ts';
import { runFlags } from './run-shape.ts';

/** Those of `run` that can be changed afterwards. */
const CHANGEABLE = [
  'blkio-weight',
  'cpu-period',
  'cpu-quota',
  'cpu-shares',
  'cpu-units',
  'cpus',
  'cpuset-cpus',
  'cpuset-mems',
  'memory',
  'memory-reservation',
  'memory-swap',
  'pids-limit',
  'restart',
];

export const command: Command = {
  name: 'update',
  summary: 'Update configuration of one or more containers',
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  description: 'A container that runs has its limits at once; one that does not, when it starts.',
  examples: ['caisson update --memory 1g --memory-swap 1g db', 'caisson update --restart always web'],
  flags: RUN_FLAGS.filter(({ name }) => CHANGEABLE.includes(name)).map(({ group: _, ...flag }) => flag),
  arguments: [1, Number.POSITIVE_INFINITY],
  run: async (parsed: Parsed, context) => {
    if (parsed.flags.size === 0)
      throw usageError('update', 'you must provide one or more flags when using this command');
    const engine = await containerEngine(context);
    return await eachContainer(context, parsed.positionals, async (name) => {
      for (const warning of await updateByName(engine, name, runFlags(parsed))) context.warn(warning);
      return name;
    });
  },
};
