// The root of a container before it is compiled: an image, a directory, an archive or the machine itself, and what the
// front end must know of it.

import type { CompiledRun } from '../frontends/docker/compile-run.ts';
import type { IdMaps, ImageConfig, UserDatabase } from '../frontends/docker/facts.ts';
import type { VolumeFact } from '../frontends/docker/volume-request.ts';
import type { Channel, Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import type { HeldSignals } from '../runtime/held-signals.ts';
import type { PrepareOptions } from '../runtime/prepare.ts';
import type { Spec } from '../spec/runtime-spec.ts';
import type { CompileRunOptions, DockerRun } from './docker-run.ts';
import { interruptible } from './interruptible.ts';
import type { OpenedImage, OpenImage } from './opened-image.ts';
import { directoryImageRoot, hostImageRoot } from './roots.ts';
import { readUsers } from './user-database.ts';
import { directorySource } from './volumes/directory-source.ts';
import type { CopySource, RunVolumes } from './volumes/run-volumes.ts';

/** What was found in the root, for the front end. */
export interface RootFacts {
  /** The directory that the specification names as root.path. */
  readonly rootfs: Bytes;
  readonly users: UserDatabase | undefined;
  readonly image: ImageConfig;
  /** What `--userns auto` has found. */
  readonly autoIds?: IdMaps;
  /** Where the volumes of the container are, by their destinations. */
  readonly volumes: ReadonlyMap<Bytes, VolumeFact> | undefined;
}

/** The built-in image: this machine's own files, its PATH, and a shell. */
const HOST_IMAGE: ImageConfig = {
  Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  Cmd: ['/bin/sh'],
};

/** A directory or an archive has no configuration but the usual PATH. */
const BARE_IMAGE: ImageConfig = { Env: HOST_IMAGE.Env ?? [] };

/** The directory whose passwd is read, and which the specification names as root. */
async function rootDirectory(
  port: Port,
  { choice }: DockerRun,
  stateDirectory: Bytes,
  signals: HeldSignals | undefined,
): Promise<Bytes> {
  if (choice.kind === 'directory') return choice.path;
  if (choice.kind !== 'archive') return '/';
  const target = `${stateDirectory}/rootfs`;
  port.makeDirectory(target);
  // Only an archive needs what unpacks one.
  const { importTar } = await import('./rootfs-import.ts');
  await importTar(port, choice.path, target, signals);
  return target;
}

/** A root that has been found, and what the front end reads of it. */
export interface FoundRoot {
  readonly facts: RootFacts;
  readonly root: (
    settings: CompiledRun['settings'],
    spec: Spec,
    mapper: number | undefined,
  ) => PrepareOptions['root'];
  readonly image: OpenedImage | undefined;
  readonly volumes: RunVolumes | undefined;
  /** The files that new volumes begin with. */
  readonly source: CopySource | undefined;
}

/** Finds it, and names the volumes of the container. Throws CaissonError. */
export async function findRoot(
  port: Port,
  channel: Channel,
  run: DockerRun,
  stateDirectory: Bytes,
  options: CompileRunOptions,
): Promise<FoundRoot> {
  if (run.image !== undefined) return await findImage(port, channel, run.image, run, stateDirectory, options);
  const own = run.choice.kind === 'image' || run.choice.kind === 'inherited';
  const rootfs = await rootDirectory(port, run, stateDirectory, options.signals);
  const directory = own ? undefined : directoryImageRoot(port, rootfs);
  const users = await readUsers(port, channel, rootfs);
  const image = own ? HOST_IMAGE : BARE_IMAGE;
  const volumes = await run.volumes?.(image);
  return {
    facts: { rootfs, users, image, volumes: volumes?.facts },
    root: ({ upper }, spec) => directory ?? hostImageRoot(port, spec, upper ?? run.upper),
    image: undefined,
    volumes,
    // The machine's own files are no image's: a volume does not begin with a copy of them.
    source: own ? undefined : directorySource(rootfs),
  };
}

async function findImage(
  port: Port,
  channel: Channel,
  open: OpenImage,
  { id, upper, volumes: find }: DockerRun,
  stateDirectory: Bytes,
  options: CompileRunOptions,
): Promise<FoundRoot> {
  const stateRoot = stateDirectory.slice(0, stateDirectory.lastIndexOf('/'));
  const use = { port, channel, id, upper, stateRoot, warn: options.warn ?? (() => undefined) };
  let volumes: RunVolumes | undefined;
  const name = async (config: ImageConfig) => {
    volumes = await find?.(config);
    return volumes?.names ?? [];
  };
  const image = await interruptible(port, options.signals, open({ ...use, volumes: name }));
  const { rootfs, users, config, view, autoIds } = image;
  return {
    facts: {
      ...{ rootfs, users, image: config, volumes: volumes?.facts },
      ...(autoIds === undefined ? {} : { autoIds }),
    },
    root: (_, spec, mapper) => image.root(spec, mapper),
    image,
    volumes,
    source: view === undefined ? undefined : { view },
  };
}
