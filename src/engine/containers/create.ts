// `create`: a container that has a file, a name and a root, and has never run.

import type { CompiledRun } from '../../frontends/docker/compile-run.ts';
import type { ImageConfig } from '../../frontends/docker/facts.ts';
import { unusualMaps } from '../../frontends/docker/id-maps.ts';
import { namespaceModes } from '../../frontends/docker/namespaces.ts';
import { Recorder } from '../../frontends/docker/recorder.ts';
import type { RunFlags } from '../../frontends/docker/run-flags.ts';
import type { Channel } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { Player } from '../../runtime/player.ts';
import { checkStateRoot } from '../../runtime/state.ts';
import type { LayerStack } from '../../snapshot/layer-stack.ts';
import { CaissonError } from '../../spec/error.ts';
import { resolveCdi } from '../cdi.ts';
import { type CompiledDockerRun, compileDockerRun } from '../docker-run.ts';
import { tellContainer } from '../events/tell.ts';
import { type HostPart, hostPart, secretsOf } from '../host-part.ts';
import { MAKER, noteMaker } from '../images/container-place.ts';
import type { RunImageOptions } from '../images/run-image.ts';
import { mountsOfOthers, removeAnonymousVolumes } from '../volumes/of-containers.ts';
import type { RunVolumes } from '../volumes/run-volumes.ts';
import {
  CONTAINER_VERSION,
  type ContainerFile,
  type ContainerMount,
  containerText,
} from './container-file.ts';
import { durableFile, renamed, syncedDirectory } from './durable.ts';
import { containersOf, type Engine, namesOf, placeOf } from './engine.ts';
import { HOST_IMAGE, keptRun, NO_CONFIG, type RunSource, referredVariables, rootKind } from './kept-run.ts';
import { randomName, releaseName, takeName, tookName } from './names.ts';

/** What a container is created from. */
export interface CreateRequest {
  readonly flags: RunFlags;
  /** After the image; empty: the image's own. */
  readonly command: readonly Bytes[];
  /** As typed; undefined with `--rootfs` and `--rootfs-tar`. */
  readonly image: Bytes | undefined;
  /** Tells how a pull goes. */
  readonly reporter: RunImageOptions['reporter'];
}

/** An image that was found for it. */
interface Found {
  readonly config: ImageConfig;
  readonly imageId: Bytes;
  readonly stack?: LayerStack;
  /** Writes what a garbage collection reads. */
  readonly own?: (fresh: Bytes, name: Bytes, created: Bytes) => void;
}

const CAUSE = 'default: a container is on the disk before it is named';

/**
 * Creates a container. Throws CaissonError where flags, image or root cannot be had, `ECONFLICT` for a name that is
 * taken; nothing is left then.
 */
export async function createContainer(engine: Engine, asked: CreateRequest): Promise<ContainerFile> {
  const { port } = engine;
  const request = { ...asked, flags: await resolveCdi(port, asked.flags) };
  const facts = factsOf(engine, request.flags);
  const root = rootKind(request.flags, request.image);
  if (root !== 'image') return await keep(engine, request, facts, { config: NO_CONFIG, imageId: '' });
  const { withImageForContainer, pullPolicy } = await import('../images/run-image.ts');
  const { containerIds } = await import('../images/changes-view.ts');
  const { writeOwner } = await import('../images/container-place.ts');
  const given = { ...facts, rootfs: '', stateDirectory: '' };
  const maps = unusualMaps(request.flags, namespaceModes(request.flags, given, new Recorder()), given);
  const options: RunImageOptions = {
    image: request.image ?? HOST_IMAGE,
    dataRoot: engine.dataRoot,
    platform: request.flags.platform,
    pull: pullPolicy(request.flags.pull),
    name: request.flags.name,
    userns: request.flags.userns,
    ids: maps === undefined ? undefined : containerIds(maps),
    reporter: request.reporter,
  };
  return await withImageForContainer(port, options, engine.warn, async ({ config, stack, owner }) => {
    const own = (fresh: Bytes, name: Bytes, created: Bytes): void => {
      const changes = request.flags.upper ?? placeOf(engine, facts.id);
      writeOwner(port, fresh, { ...owner, id: facts.id, name, changes, created, volumes: [], kept: true });
    };
    return await keep(engine, request, facts, { config, imageId: owner.imageId, stack, own });
  });
}

/** Secrets are read at each start and not before: a pipe (`src=<(...)`) has its content once. */
function factsOf(engine: Engine, { secret = [], ...flags }: RunFlags): HostPart {
  const { port } = engine;
  const there = (path: Bytes): Bytes | undefined => (port.stat(path) === undefined ? undefined : '');
  return {
    ...hostPart(port, flags),
    containers: mountsOfOthers(engine, flags),
    secrets: secretsOf(port, { secret }, port.cwd, there),
  };
}

async function keep(
  engine: Engine,
  request: CreateRequest,
  facts: HostPart,
  found: Found,
): Promise<ContainerFile> {
  const { port } = engine;
  const { id } = facts;
  const fresh = placeOf(engine, `.new-${id}`);
  const channel = await begun(engine, fresh);
  let name: Bytes | undefined;
  let anonymous: readonly Bytes[] = [];
  try {
    const player = new Player(port, channel);
    const source = sourceOf(request, facts, found);
    const { compiled, volumes } = await checked(engine, channel, source, facts, fresh);
    anonymous = volumes?.anonymous ?? [];
    name = await named(engine, player, request.flags.name, id);
    const file = fileOf(source, compiled, found, {
      name,
      mounts: mountsOf(compiled, volumes),
      volumes: volumes?.names ?? [],
      anonymousVolumes: anonymous,
    });
    found.own?.(fresh, name, file.created);
    await appear(engine, player, fresh, file);
    await volumes?.create(player, id);
    tellContainer(engine, 'create', file);
    return file;
  } catch (error) {
    if (name !== undefined) releaseName(engine, name, id);
    await removeFresh(engine, fresh);
    await removeFresh(engine, placeOf(engine, id));
    await removeAnonymousVolumes(engine, anonymous);
    throw error;
  } finally {
    await channel.close();
  }
}

/** The directory with its maker noted, and a launcher; nothing of it is left when there is no room or no process for that. */
async function begun(engine: Engine, fresh: Bytes): Promise<Channel> {
  const { port } = engine;
  port.makeDirectory(containersOf(engine));
  port.makeDirectory(fresh);
  try {
    noteMaker(port, fresh);
    checkStateRoot(port, containersOf(engine));
    return await port.openChannel({ noInput: true });
  } catch (error) {
    port.remove(fresh);
    throw error;
  }
}

/** Unpacked files may belong to subordinate users; everything else is the caller's own. */
async function removeFresh({ port }: Engine, fresh: Bytes): Promise<void> {
  const { removePlace } = await import('../images/container-place.ts');
  await removePlace(port, fresh);
}

function sourceOf({ flags, command, image }: CreateRequest, facts: HostPart, found: Found): RunSource {
  return {
    id: facts.id,
    root: rootKind(flags, image),
    image: image ?? '',
    flags,
    command,
    cwd: facts.cwd,
    environment: referredVariables(flags, facts.files, facts.environment),
    files: [...facts.files],
    config: found.config,
    ...(facts.containers === undefined ? {} : { from: [...facts.containers] }),
    ...(found.stack === undefined ? {} : { stack: found.stack }),
  };
}

/** Compiles the run once and plays nothing: what is wrong with it is told now, and not at the start. */
async function checked(
  engine: Engine,
  channel: Parameters<typeof compileDockerRun>[1],
  source: RunSource,
  facts: HostPart,
  fresh: Bytes,
): Promise<CompiledDockerRun> {
  const { port } = engine;
  const made = await compileDockerRun(port, channel, keptRun(engine, source, facts, fresh), fresh);
  await made.close();
  for (const warning of [...made.compiled.warnings, ...made.prepared.warnings]) engine.warn(warning);
  return made;
}

async function named(engine: Engine, player: Player, asked: Bytes | undefined, id: Bytes): Promise<Bytes> {
  if (asked !== undefined) {
    await takeName(engine, player, asked, id);
    return asked;
  }
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const name = randomName(engine.port, attempt);
    if (await tookName(engine, player, name, id)) return name;
  }
  await takeName(engine, player, id.slice(0, 12), id);
  return id.slice(0, 12);
}

const ATTEMPTS = 20;

function fileOf(
  source: RunSource,
  { spec, settings }: CompiledRun,
  { imageId }: Found,
  rest: Pick<ContainerFile, 'name' | 'mounts' | 'volumes' | 'anonymousVolumes'>,
): ContainerFile {
  return {
    version: CONTAINER_VERSION,
    created: new Date().toISOString(),
    imageId,
    ...source,
    args: spec.process?.args ?? [],
    labels: settings.labels,
    stopSignal: settings.stopSignal,
    stopTimeout: settings.stopTimeout,
    autoRemove: settings.remove,
    restart: settings.restart,
    log: settings.log,
    ...(settings.health === undefined ? {} : { health: settings.health }),
    tty: settings.terminal,
    openStdin: settings.interactive,
    ...rest,
  };
}

/**
 * What flags and image asked to be mounted; the engine's own files and the kernel's file systems are no mounts of theirs.
 */
function mountsOf(
  { spec, sources, subpaths }: CompiledRun,
  volumes: RunVolumes | undefined,
): ContainerMount[] {
  return (spec.mounts ?? []).flatMap(({ type, source = '', destination, options = [] }, index) => {
    const pointer = `/mounts/${index}`;
    const volume = volumes?.facts.get(destination);
    if (volume === undefined && !/^--(?:volume|mount|volumes-from) /.test(sources.get(pointer) ?? ''))
      return [];
    const bound = options.includes('bind') || options.includes('rbind');
    if (!bound && type !== 'tmpfs') return [];
    const kind = volume !== undefined ? ('volume' as const) : bound ? ('bind' as const) : ('tmpfs' as const);
    const subpath = subpaths.get(pointer);
    const named = {
      ...(volume === undefined ? {} : { name: volume.name }),
      ...(subpath === undefined ? {} : { subpath }),
    };
    const writable = !options.includes('ro') && !options.includes('rro');
    return [{ type: kind, ...named, source: bound ? source : '', destination, writable, options }];
  });
}

/** The directory gets its name when all that is in it is on the disk. */
async function appear(engine: Engine, player: Player, fresh: Bytes, file: ContainerFile): Promise<void> {
  const { durable, port } = engine;
  const place = placeOf(engine, file.id);
  await player.play([
    step('parent', 'container', `make ${place}`, CAUSE, [
      ...durableFile(fresh, 'container.json', containerText(file), durable),
      sys.unlinkat(sys.AT_FDCWD, `${fresh}/${MAKER}`, 0),
      renamed(fresh, place),
      ...(durable ? [...syncedDirectory(containersOf(engine)), ...syncedDirectory(namesOf(engine))] : []),
    ]),
  ]);
  if (port.stat(place) === undefined) throw new CaissonError(`${place} could not be made`, { code: 'EDISK' });
}
