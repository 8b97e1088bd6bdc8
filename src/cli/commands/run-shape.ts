// What `run` and `plan` have in common: the flags of a container, and what they ask of the engine.

import { resolveCdi } from '../../engine/cdi.ts';
import type { DockerRun } from '../../engine/docker-run.ts';
import { hostPart } from '../../engine/host-part.ts';
import type { OpenImage } from '../../engine/opened-image.ts';
import { volumesOf, withOthers } from '../../engine/volumes/of-run.ts';
import { compileRun } from '../../frontends/docker/compile-run.ts';
import type { IdMaps } from '../../frontends/docker/facts.ts';
import { rootChoice } from '../../frontends/docker/filesystem.ts';
import { unusualMaps } from '../../frontends/docker/id-maps.ts';
import { LATER_RUN_FLAGS } from '../../frontends/docker/later-flags.ts';
import { namespaceModes } from '../../frontends/docker/namespaces.ts';
import { Recorder } from '../../frontends/docker/recorder.ts';
import { RUN_FLAGS, type RunFlags } from '../../frontends/docker/run-flags.ts';
import { type Flag, flagValues } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Parsed } from '../command.ts';
import type { Context } from '../context.ts';
import { usageError } from '../grammar.ts';
import { stateRoot } from '../state-root.ts';

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
 * What images need is loaded for one of the store only. Throws CaissonError `EUSAGE` without an image.
 */
export async function dockerRunOf(name: string, parsed: Parsed, context: Context): Promise<DockerRun> {
  const flags = await resolveCdi(context.port, runFlags(parsed));
  // A program that has no archives finds that out before it has made anything.
  if (flags.rootfsTar !== undefined) await import('../../engine/rootfs-import.ts');
  const withImage = flags.rootfs === undefined && flags.rootfsTar === undefined;
  const [image, ...rest] = parsed.positionals;
  if (withImage && image === undefined) {
    throw usageError(
      name,
      `'caisson ${name}' requires at least 1 argument: an image (the built-in one is host)`,
    );
  }
  const roots = { dataRoot: context.globals.dataRoot, stateRoot: stateRoot(context) };
  const facts = await withOthers(context.port, hostPart(context.port, flags), roots, flags);
  const given = { ...facts, rootfs: '', stateDirectory: '' };
  const modes = namespaceModes(flags, given, new Recorder());
  const command = withImage ? rest : parsed.positionals;
  const stored = withImage && image !== undefined && image !== HOST_IMAGE ? image : undefined;
  return {
    id: facts.id,
    imageName: withImage ? (image ?? '') : '',
    network: flags.network,
    ...(stored === undefined
      ? {}
      : { image: await storedImage(stored, flags, context, unusualMaps(flags, modes, given)) }),
    choice: rootChoice(flags, modes, facts.cwd),
    upper: flags.upper,
    interactive: flags.interactive === true,
    volumes: (config) =>
      volumesOf(context.port, context.globals.dataRoot, flags, config, facts, {
        unrecorded: stored === undefined,
      }),
    compile: ({ rootfs, users, image: config, volumes, autoIds }, stateDirectory) => {
      const found = {
        ...(autoIds === undefined ? {} : { autoIds }),
        ...(users === undefined ? {} : { users }),
        ...(volumes === undefined ? {} : { volumes }),
      };
      const place = { rootfs, stateDirectory, ...found };
      return compileRun(flags, command, config, { ...facts, ...place });
    },
  };
}

async function storedImage(
  image: Bytes,
  flags: RunFlags,
  context: Context,
  maps: IdMaps | undefined,
): Promise<OpenImage> {
  const [{ imageOpener, pullPolicy }, { containerIds }, { errorReporter }] = await Promise.all([
    import('../../engine/images/run-image.ts'),
    import('../../engine/images/changes-view.ts'),
    import('../image-shop.ts'),
  ]);
  return imageOpener({
    image,
    dataRoot: context.globals.dataRoot,
    platform: flags.platform,
    pull: pullPolicy(flags.pull),
    name: flags.name,
    userns: flags.userns,
    ids: maps === undefined ? undefined : containerIds(maps),
    reporter: errorReporter(context, flags.quiet === true),
  });
}
