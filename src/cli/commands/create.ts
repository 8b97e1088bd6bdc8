// `caisson create`.
import type { Command } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import { createFrom } from '../kept-run.ts';
import { CONTAINER_FLAGS } from './run-shape.ts';

/** What only a command that starts something takes. */
const NOT_HERE = ['detach', 'trace', 'sig-proxy'];

export const command: Command = {
  name: 'create',
  summary: 'Create a new container',
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  description: 'The container has a name and a root, and does not run: start it with caisson start.',
  examples: ['caisson create --name web -p 8080:80 nginx', 'caisson create -it --name shell host sh'],
  flags: CONTAINER_FLAGS.filter(({ name }) => !NOT_HERE.includes(name)),
  arguments: [0, Number.POSITIVE_INFINITY],
  stopsAtPositional: true,
  completes: ['host'],
  run: async (parsed, context) => {
    const engine = await containerEngine(context);
    context.out((await createFrom('create', parsed, context, engine)).id);
    return 0;
  },
};
