// Entrypoint, command and working directory: what the container executes.

import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { ImageConfig } from './facts.ts';
import { invalidArgument } from './flag-error.ts';
import { cleanPath } from './mount-paths.ts';
import type { Recorder } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';

/**
 * The arguments: `--entrypoint` or the image's, then `command` or the image's, which an `--entrypoint` drops.
 * Throws when nothing is left to execute.
 */
export function compileArgs(
  flags: RunFlags,
  command: readonly Bytes[],
  image: ImageConfig,
  recorder: Recorder,
): Bytes[] {
  const { entrypoint } = flags;
  // docker's: an empty --entrypoint resets the image's.
  const first = entrypoint === undefined ? (image.Entrypoint ?? []) : entrypoint === '' ? [] : [entrypoint];
  const rest = command.length > 0 || entrypoint !== undefined ? command : (image.Cmd ?? []);
  const args = [...first, ...rest];
  if (args.length === 0) {
    throw new CaissonError('no command specified: give one, or use an image that has one', {
      code: 'EUSAGE',
    });
  }
  if (args[0] === '') throw new CaissonError('the command is empty', { code: 'EUSAGE', exitCode: 127 });
  if (entrypoint !== undefined && entrypoint !== '') recorder.note('/process/args', 'entrypoint', entrypoint);
  else recorder.noteSource('/process/args', `command ${args[0]}`);
  return args;
}

/** The working directory: the flag's, the image's, `/`. Throws docker's message on a relative one. */
export function compileCwd(flags: RunFlags, image: ImageConfig, recorder: Recorder): Bytes {
  const { workdir } = flags;
  if (workdir === undefined || workdir === '') return cleanPath(image.WorkingDir ?? '/');
  if (!workdir.startsWith('/')) {
    throw invalidArgument(
      'workdir',
      workdir,
      `the working directory '${workdir}' is invalid, it needs to be an absolute path`,
    );
  }
  recorder.note('/process/cwd', 'workdir', workdir);
  return cleanPath(workdir);
}
