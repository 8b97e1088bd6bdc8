// A container's file -> a run: what `create` checks and `start` plays is compiled from the same flags, each time anew.
import { compileRun } from '../../frontends/docker/compile-run.ts';
import type { ImageConfig } from '../../frontends/docker/facts.ts';
import { rootChoice } from '../../frontends/docker/filesystem.ts';
import { namespaceModes } from '../../frontends/docker/namespaces.ts';
import { Recorder } from '../../frontends/docker/recorder.ts';
import type { RunFlags } from '../../frontends/docker/run-flags.ts';
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { LayerStack } from '../../snapshot/layer-stack.ts';
import type { DockerRun } from '../docker-run.ts';
import { type HostPart, hostPart, secretsOf } from '../host-part.ts';
import type { OpenImage } from '../opened-image.ts';
import { volumesOf } from '../volumes/of-run.ts';
import type { ContainerFile } from './container-file.ts';
import type { Engine } from './engine.ts';

/** The parts of a container's file that a run is made from. */
export type RunSource = Pick<
  ContainerFile,
  | 'id'
  | 'root'
  | 'flags'
  | 'command'
  | 'cwd'
  | 'environment'
  | 'files'
  | 'config'
  | 'image'
  | 'stack'
  | 'from'
> &
  Partial<Pick<ContainerFile, 'mounts'>>;

/** Facts about the host as it is now, with what the caller of `create` had. */
export function keptFacts(port: Port, source: RunSource): HostPart {
  const { id, cwd, environment, files, from = [] } = source;
  const facts = hostPart(port, withoutFiles(source.flags));
  return {
    ...facts,
    id,
    cwd,
    environment,
    files: new Map(files),
    containers: new Map(from),
    secrets: secretsOf(port, source.flags, cwd),
  };
}

/** The files of the caller are in the container's file: those that are there now may be others. */
function withoutFiles({ envFile: _, labelFile: __, secret: ___, ...flags }: RunFlags): RunFlags {
  const { securityOpt, ...rest } = flags;
  return securityOpt === undefined
    ? rest
    : { ...rest, securityOpt: securityOpt.filter((option) => !option.startsWith('seccomp=')) };
}

/** The run of a container whose directory is `place`. */
export function keptRun(
  { port, dataRoot }: Pick<Engine, 'port' | 'dataRoot'>,
  source: RunSource,
  facts: HostPart,
  place: Bytes,
): DockerRun {
  const { flags, root } = source;
  const modes = namespaceModes(flags, { ...facts, rootfs: '', stateDirectory: '' }, new Recorder());
  const unpacked = root === 'archive' && port.stat(`${place}/rootfs`) !== undefined;
  return {
    id: facts.id,
    imageName: source.image,
    ...(source.stack === undefined ? {} : { image: storedRoot(source, source.stack, place) }),
    choice: unpacked ? { kind: 'directory', path: `${place}/rootfs` } : rootChoice(flags, modes, facts.cwd),
    upper: flags.upper ?? (root === 'host' ? `${place}/changes` : undefined),
    interactive: flags.interactive === true,
    volumes: (config) =>
      volumesOf(port, dataRoot, flags, config, facts, { kept: true, names: names(source) }),
    compile: ({ rootfs, users, image, volumes, autoIds }, stateDirectory) => {
      const read = {
        ...(autoIds === undefined ? {} : { autoIds }),
        ...(users === undefined ? {} : { users }),
        ...(volumes === undefined ? {} : { volumes }),
      };
      const found = { rootfs, stateDirectory, ...read };
      return compileRun(flags, source.command, root === 'image' ? source.config : image, {
        ...facts,
        ...found,
      });
    },
  };
}

/** The volumes that it has had since it was created, by their destinations. */
function names({ mounts = [] }: RunSource): ReadonlyMap<Bytes, Bytes> {
  return new Map(
    mounts.flatMap(({ name, destination }) => (name === undefined ? [] : [[destination, name] as const])),
  );
}

/** Layers that were unpacked when the container was created; nothing of the store is needed to mount them. */
function storedRoot(source: RunSource, stack: LayerStack, place: Bytes): OpenImage {
  return async ({ port, channel, upper, volumes }) => {
    await volumes?.(source.config);
    const [{ isMapped, rootOf, usersOf, viewOf }, { reserveIds }, { explainOverlay }] = await Promise.all([
      import('../images/run-image.ts'),
      import('../images/auto-ids.ts'),
      import('../images/overlay-place.ts'),
    ]);
    const cause = `image ${source.image}`;
    const users = await usersOf(port, stack, place, channel);
    // <data root>/containers/<id>
    const dataRoot = place.split('/').slice(0, -2).join('/');
    const autoIds = await reserveIds(port, dataRoot, place, source.flags.userns, users);
    return {
      config: source.config,
      rootfs: `${place}/merged`,
      users,
      ...(autoIds === undefined ? {} : { autoIds }),
      needsIdMap: (spec) => isMapped(port, spec),
      root: (spec, mapper) => rootOf(port, spec, { stack, place, upper, cause, mapper, kept: true }),
      view: async (player) =>
        stack.layers.length === 0 ? undefined : await viewOf(player, port, stack, place),
      explain: (error) => explainOverlay(port, error, upper ?? place),
      close: async () => undefined,
    };
  };
}

/** The entries of the caller's environment that flags refer to by name alone. */
export function referredVariables(
  flags: RunFlags,
  files: ReadonlyMap<Bytes, Bytes>,
  environment: readonly Bytes[],
): Bytes[] {
  const lines = (flags.envFile ?? []).flatMap((path) => (files.get(path) ?? '').split('\n'));
  const names = new Set(
    [...(flags.env ?? []), ...lines].filter((text) => !text.includes('=')).map((text) => text.trim()),
  );
  return environment.filter((entry) => names.has(entry.slice(0, entry.indexOf('='))));
}

/** Which kind of root the flags and the name of an image ask for. */
export function rootKind(flags: RunFlags, image: Bytes | undefined): ContainerFile['root'] {
  if (flags.rootfsTar !== undefined) return 'archive';
  if (flags.rootfs !== undefined) return 'directory';
  return image === undefined || image === HOST_IMAGE ? 'host' : 'image';
}

/** The built-in image: this machine's own files. */
export const HOST_IMAGE = 'host';

/** A configuration that says nothing. */
export const NO_CONFIG: ImageConfig = {};
