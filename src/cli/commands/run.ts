// `caisson run`.

import { dockerRun } from '../../engine/docker-run.ts';
import { type Command, flagOn, type Parsed } from '../command.ts';
import type { Context } from '../context.ts';
import { outcome } from '../outcome.ts';
import { stateRoot } from '../state-root.ts';
import { CONTAINER_FLAGS, dockerRunOf } from './run-shape.ts';

export const command: Command = {
  name: 'run',
  summary: 'Create and run a new container from an image',
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  description:
    'The built-in image host is this machine: its files, copy-on-write. With --rootfs DIR or --rootfs-tar FILE\n' +
    'there is no image, and COMMAND follows the options. With --rm, and without --detach, the container lives and\n' +
    'dies with this command; any other stays until it is removed.',
  examples: [
    'caisson run --rm -it host sh',
    'caisson run -d --name web --restart always nginx',
    'caisson run --rootfs ./rootfs --memory 64m --pids-limit 20 /bin/true',
    'caisson run --namespaces mnt,pid host ps',
    'caisson run --rm --trace host true',
  ],
  flags: CONTAINER_FLAGS,
  arguments: [0, Number.POSITIVE_INFINITY],
  stopsAtPositional: true,
  completes: ['host'],
  run: async (parsed, context) => {
    const bound = flagOn(parsed, 'rm') && !flagOn(parsed, 'detach');
    if (bound || flagOn(parsed, 'trace')) return await runBound(parsed, context);
    return await (await import('../kept-run.ts')).runKept(parsed, context);
  },
};

/** The container lives and dies with this command: nothing of it is left. */
async function runBound(parsed: Parsed, context: Context): Promise<number> {
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
}
