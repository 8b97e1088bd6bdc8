// `caisson run`.

import { dockerRun } from '../../engine/docker-run.ts';
import { type Command, flagOn } from '../command.ts';
import { outcome } from '../outcome.ts';
import { stateRoot } from '../state-root.ts';
import { CONTAINER_FLAGS, dockerRunOf } from './run-shape.ts';

export const command: Command = {
  name: 'run',
  summary: 'Create and run a new container from an image',
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  description:
    'The built-in image host is this machine: its files, copy-on-write. With --rootfs DIR or --rootfs-tar FILE\n' +
    'there is no image, and COMMAND follows the options.',
  examples: [
    'caisson run --rm -it host sh',
    'caisson run --rootfs ./rootfs --memory 64m --pids-limit 20 /bin/true',
    'caisson run --namespaces mnt,pid host ps',
    'caisson run --trace host true',
  ],
  flags: CONTAINER_FLAGS,
  arguments: [0, Number.POSITIVE_INFINITY],
  stopsAtPositional: true,
  completes: ['host'],
  run: async (parsed, context) => {
    const options = { stateRoot: stateRoot(context), warn: context.warn };
    const run = await dockerRunOf('run', parsed, context);
    if (!flagOn(parsed, 'trace')) return outcome(context, await dockerRun(context.port, run, options));
    const { waterfall } = await import('../waterfall.ts');
    const exit = await dockerRun(context.port, run, {
      ...options,
      started: ({ stamps }) => {
        context.port.write(2, `${waterfall(stamps, new Map())}\n`);
      },
    });
    return outcome(context, exit);
  },
};
