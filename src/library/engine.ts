// `Engine`: containers that stay, images, volumes and events, for programs. There is no daemon: it holds nothing but paths.
import type { Capacity } from '../engine/capacity/capacity.ts';
import { type Engine as OpenedEngine, openEngine } from '../engine/containers/engine.ts';
import type { ContainerSummary } from '../engine/containers/summary.ts';
import type { EngineEvent } from '../engine/events/read.ts';
import { bytesOf } from '../engine/library-run.ts';
import type { PlacedVolume } from '../engine/volumes/volume.ts';
import type { RunFlags } from '../frontends/docker/run-flags.ts';
import { bytesToUtf8, utf8ToBytes } from '../linux/bytes.ts';
import { Container } from './container.ts';
import { Images, type ProgressOptions } from './images.ts';
import { openPort } from './open-port.ts';
import { decoded, encoded } from './text.ts';

/** What `Engine.open` takes. */
export interface EngineOpenOptions {
  /** Where images, containers and volumes are; default as for the command line. Absolute. */
  readonly dataRoot?: string;
  /** Where records of what runs are; default `/run/caisson` for root. Absolute. */
  readonly stateRoot?: string;
  /** Called with what a person should know and is no error. */
  readonly onWarning?: (message: string) => void;
}

/** What a container is created from. */
export interface ContainerOptions extends Pick<ProgressOptions, 'onProgress'> {
  /** A name or ID of an image, pulled when it is not there; `host` is this machine's own files. Default: `host`. */
  readonly image?: string;
  /** Program and arguments; the image's own when absent. */
  readonly command?: readonly string[];
  readonly name?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Further flags of `caisson run`, in camel case: `{ memory: '64m', volume: ['data:/data'] }`. */
  readonly flags?: RunFlags;
}

/** The containers of an engine. */
export class Containers {
  private readonly engine: OpenedEngine;

  /** @internal */
  constructor(engine: OpenedEngine) {
    this.engine = engine;
  }

  /** Creates a container, which does not run yet. Throws CaissonError, `ECONFLICT` for a name that is taken; nothing is left then. */
  async create({
    image,
    command = [],
    name,
    env = {},
    labels = {},
    flags = {},
    onProgress,
  }: ContainerOptions): Promise<Container> {
    const { createContainer } = await import('../engine/containers/create.ts');
    const list = (given: readonly string[] | undefined, more: Readonly<Record<string, string>>) => [
      ...(given ?? []),
      ...Object.entries(more).map(([key, value]) => `${key}=${value}`),
    ];
    const rooted = (flags.rootfs ?? flags.rootfsTar) !== undefined;
    const { id } = await createContainer(this.engine, {
      flags: bytesOf({
        ...flags,
        env: list(flags.env, env),
        label: list(flags.label, labels),
        ...(name === undefined ? {} : { name }),
      }),
      command: command.map(utf8ToBytes),
      image: rooted ? encoded(image) : utf8ToBytes(image ?? 'host'),
      reporter: {
        line: () => undefined,
        part: (part) => onProgress?.(part),
        warn: this.engine.warn,
      },
    });
    return new Container(this.engine, id);
  }

  /** Creates a container and starts it; it runs on when the program of the caller ends. Throws as `create` and `start`. */
  async run(options: ContainerOptions): Promise<Container> {
    const container = await this.create(options);
    await container.start();
    return container;
  }

  /** By name, id, or the beginning of one. Throws CaissonError `ENOTFOUND`, `EAMBIGUOUS`. */
  async get(name: string): Promise<Container> {
    const { findId } = await import('../engine/containers/find.ts');
    return new Container(this.engine, findId(this.engine, utf8ToBytes(name)));
  }

  /** Containers that run, newest first, or with `all` every one; `filters` are docker's (`label=a=b`). */
  async list({
    all = false,
    filters = [],
  }: {
    readonly all?: boolean;
    readonly filters?: readonly string[];
  } = {}): Promise<ContainerSummary[]> {
    const { containerSummaries } = await import('../engine/containers/list.ts');
    return decoded(await containerSummaries(this.engine, { all, filters: filters.map(utf8ToBytes) }));
  }

  /** Removes those that do not run. */
  async prune(
    filters: readonly string[] = [],
  ): Promise<{ readonly deleted: readonly string[]; readonly reclaimed: number }> {
    const { pruneContainers } = await import('../engine/containers/prune.ts');
    return await pruneContainers(this.engine, filters.map(utf8ToBytes));
  }
}

/** The named volumes of an engine. */
export class Volumes {
  private readonly engine: OpenedEngine;

  /** @internal */
  constructor(engine: OpenedEngine) {
    this.engine = engine;
  }

  /** Makes a volume; one that is there already is kept as it is. */
  async create(
    name: string,
    {
      labels = {},
      options = {},
    }: {
      readonly labels?: Readonly<Record<string, string>>;
      readonly options?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<void> {
    const store = await this.open();
    const bytes = (given: Readonly<Record<string, string>>) =>
      Object.fromEntries(Object.entries(given).map(([key, value]) => [utf8ToBytes(key), utf8ToBytes(value)]));
    const volume = {
      name: utf8ToBytes(name),
      options: bytes(options),
      labels: bytes(labels),
      anonymous: false,
    };
    await store.create(volume);
  }

  /** All volumes. */
  async list(): Promise<PlacedVolume[]> {
    return decoded((await this.open()).list());
  }

  /** One of them, with the directory of its files. Throws CaissonError `ENOTFOUND`. */
  async inspect(name: string): Promise<PlacedVolume> {
    return decoded((await this.open()).get(utf8ToBytes(name)));
  }

  /** Removes a volume and its files. Throws CaissonError `ENOTFOUND`, and `ECONFLICT` where a container uses it. */
  async remove(name: string): Promise<void> {
    await (await this.open()).remove(utf8ToBytes(name));
  }

  private async open() {
    const { openVolumes } = await import('../engine/volumes/volume-store.ts');
    return await openVolumes(this.engine.port, this.engine.dataRoot);
  }
}

/** An engine: what `caisson` does on the command line, for programs. */
export class Engine {
  readonly containers: Containers;
  readonly images: Images;
  readonly volumes: Volumes;
  private readonly engine: OpenedEngine;

  private constructor(engine: OpenedEngine) {
    this.engine = engine;
    this.containers = new Containers(engine);
    this.images = new Images(engine);
    this.volumes = new Volumes(engine);
  }

  /** Opens an engine. Throws CaissonError `EPLATFORM` on other systems than Linux, `ECONFIG` for a wrong location. */
  static async open({ dataRoot, stateRoot, onWarning }: EngineOpenOptions = {}): Promise<Engine> {
    const opened = await openEngine(await openPort(), {
      dataRoot: encoded(dataRoot),
      stateRoot: encoded(stateRoot),
      warn: (message) => onWarning?.(bytesToUtf8(message)),
    });
    return new Engine(opened);
  }

  /** CPU units (1024 per core) and bytes of memory: how much there is, what containers have reserved, and who holds it. */
  async capacity(): Promise<Capacity> {
    const { readCapacity } = await import('../engine/capacity/holders.ts');
    return decoded(readCapacity(this.engine.port, this.engine.stateRoot));
  }

  /** What happens to containers and images, from now on or from `since` on, until `until` or until `signal` is aborted. */
  async *events({
    since,
    until,
    filters = [],
    signal,
  }: {
    readonly since?: Date;
    readonly until?: Date;
    readonly filters?: readonly string[];
    readonly signal?: AbortSignal;
  } = {}): AsyncGenerator<EngineEvent> {
    const { engineEvents } = await import('../engine/events/read.ts');
    const found = engineEvents(this.engine, {
      ...{ since: since?.getTime(), until: until?.getTime(), filters: filters.map(utf8ToBytes) },
      stop: () => signal?.aborted === true,
    });
    for await (const some of found) for (const event of some) yield decoded(event);
  }

  /** Nothing is held: containers run on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
  }
}
