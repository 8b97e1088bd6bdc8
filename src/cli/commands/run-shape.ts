// What `run` and `plan` have in common: the flags of a container, and what they ask of the engine.

import type { DockerRun } from '../../engine/docker-run.ts';
import { hostPart } from '../../engine/host-part.ts';
import { compileRun } from '../../frontends/docker/compile-run.ts';
import { rootChoice } from '../../frontends/docker/filesystem.ts';
import { comesLater } from '../../frontends/docker/flag-error.ts';
import { LATER_RUN_FLAGS } from '../../frontends/docker/later-flags.ts';
import { namespaceModes } from '../../frontends/docker/namespaces.ts';
import { Recorder } from '../../frontends/docker/recorder.ts';
import { RUN_FLAGS, type RunFlags } from '../../frontends/docker/run-flags.ts';
import { type Flag, flagValues } from '../../frontends/flag.ts';
import type { Parsed } from '../command.ts';
import type { Context } from '../context.ts';
import { usageError } from '../grammar.ts';

/** The flags of a container, those of later issues too. */
export const CONTAINER_FLAGS: readonly Flag[] = [...RUN_FLAGS, ...LATER_RUN_FLAGS];

/** The built-in image: this machine's own files. */
const HOST_IMAGE = 'host';

/** The flags of a parsed command line. */
export function runFlags(parsed: Parsed): RunFlags {
  return flagValues(RUN_FLAGS, parsed.flags);
}

/**
 * `FLAGS IMAGE [COMMAND...]`; with `--rootfs` or `--rootfs-tar` there is no image and the command follows at once.
 * Throws CaissonError `EUSAGE` without an image, `ELATER` for one that must be pulled.
 */
export function dockerRunOf(name: string, parsed: Parsed, context: Context): DockerRun {
  const flags = runFlags(parsed);
  const withImage = flags.rootfs === undefined && flags.rootfsTar === undefined;
  const [image, ...rest] = parsed.positionals;
  if (withImage && image === undefined) {
    throw usageError(
      name,
      `'caisson ${name}' requires at least 1 argument: an image (the built-in one is host)`,
    );
  }
  if (withImage && image !== HOST_IMAGE) throw comesLater(`the image ${image}`, 'images (issue 4)');
  const facts = hostPart(context.port, flags);
  const modes = namespaceModes(flags, { ...facts, rootfs: '', stateDirectory: '' }, new Recorder());
  const command = withImage ? rest : parsed.positionals;
  return {
    id: facts.id,
    choice: rootChoice(flags, modes, facts.cwd),
    upper: flags.upper,
    interactive: flags.interactive === true,
    compile: ({ rootfs, users, image: config }, stateDirectory) => {
      const place = { rootfs, stateDirectory, ...(users === undefined ? {} : { users }) };
      return compileRun(flags, command, config, { ...facts, ...place });
    },
  };
}
