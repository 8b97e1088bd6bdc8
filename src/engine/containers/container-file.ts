// A container on disk: what it was created from, `containers/<id>/container.json`. `rename` and `update` replace it.
//
// The flags are kept as they were given, with what they refer to on the caller's side (directory, variables, files):
// each start compiles them again, so that a container is always what its flags mean on the host as it is now.
import type { HealthCheck, LogChoice, RestartPolicy } from '../../frontends/docker/engine-settings.ts';
import type { ImageConfig } from '../../frontends/docker/facts.ts';
import type { RunFlags } from '../../frontends/docker/run-flags.ts';
import type { ContainerMount as OtherMount } from '../../frontends/docker/volumes-from.ts';
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { LayerStack } from '../../snapshot/layer-stack.ts';
import { isObject } from '../../spec/check.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseOwnJson, stringifyJson } from '../../spec/json.ts';
import { type Engine, placeOf } from './engine.ts';

/** The version of the format; a newer one is refused before anything is written. */
export const CONTAINER_VERSION = 1;

/** A mount of the container, as `inspect` shows it and `--volumes-from` takes it. */
export interface ContainerMount {
  readonly type: 'bind' | 'volume' | 'tmpfs';
  /** Of a volume. */
  readonly name?: Bytes;
  /** Of a volume: the directory in it that is mounted, all of it without. */
  readonly subpath?: Bytes;
  readonly source: Bytes;
  readonly destination: Bytes;
  readonly writable: boolean;
  readonly options: readonly Bytes[];
}

export interface ContainerFile {
  readonly version: number;
  /** 64 hexadecimal digits. */
  readonly id: Bytes;
  readonly name: Bytes;
  /** RFC 3339, UTC. */
  readonly created: Bytes;
  /** As it was asked for; `host`; empty for a root of the host. */
  readonly image: Bytes;
  /** Of the image's configuration, empty where there is none. */
  readonly imageId: Bytes;
  readonly root: 'image' | 'host' | 'directory' | 'archive';
  readonly flags: RunFlags;
  /** After the image; empty: the image's own. */
  readonly command: readonly Bytes[];
  /** The caller's directory, for relative paths in flags. */
  readonly cwd: Bytes;
  /** `NAME=value` of the caller that flags refer to. */
  readonly environment: readonly Bytes[];
  /** Contents of the caller's files that flags refer to, by their paths as typed. */
  readonly files: readonly (readonly [Bytes, Bytes])[];
  /** The configuration of the image. */
  readonly config: ImageConfig;
  /** Program and arguments as compiled. */
  readonly args: readonly Bytes[];
  readonly labels: Readonly<Record<Bytes, Bytes>>;
  readonly mounts: readonly ContainerMount[];
  /** Names of the volumes that it uses. */
  readonly volumes: readonly Bytes[];
  /** Those of them that were made for it and have no name: removed with it. */
  readonly anonymousVolumes: readonly Bytes[];
  /** Signal number. */
  readonly stopSignal: number;
  /** Milliseconds that `stop` waits before it kills. */
  readonly stopTimeout: number;
  /** Removed when it has ended. */
  readonly autoRemove: boolean;
  readonly restart: RestartPolicy;
  readonly log: LogChoice;
  readonly health?: HealthCheck;
  readonly tty: boolean;
  readonly openStdin: boolean;
  /** What `--volumes-from` stood for when it was created, by the words of the flag. */
  readonly from?: readonly (readonly [Bytes, readonly OtherMount[]])[];
  /** The layers of its image, where it has one. */
  readonly stack?: LayerStack;
}

/** docker's limit of what is read into memory for a JSON document is of this order (security.md T41). */
const LIMIT = 4 << 20;

function path(engine: Pick<Engine, 'dataRoot'>, id: Bytes): Bytes {
  return `${placeOf(engine, id)}/container.json`;
}

/** The text of a container file; written by `durableFile` steps, so that it is whole or not there. */
export function containerText(file: ContainerFile): Bytes {
  return stringifyJson(file);
}

/** undefined when there is no such container. Throws CaissonError ESTATE for a damaged or newer file. */
export function readContainerFile(
  { port, dataRoot }: { readonly port: Pick<Port, 'readFile'>; readonly dataRoot: Bytes },
  id: Bytes,
): ContainerFile | undefined {
  const at = path({ dataRoot }, id);
  const text = readable(port, at);
  if (text === undefined) return undefined;
  const value = parseOwnJson(text, at);
  if (!isObject(value) || typeof value.version !== 'number') throw damaged(at, 'it has no version');
  if (value.version > CONTAINER_VERSION) {
    throw new CaissonError(
      `${at} was written by a newer caisson (format ${value.version}, this one knows ${CONTAINER_VERSION})`,
      { code: 'ESTATE' },
    );
  }
  if (!isContainerFile(value)) throw damaged(at, 'a field is missing, or not what it should be');
  if (value.id !== id) throw damaged(at, `it is the file of container ${value.id}`);
  return value;
}

/** Replaces the file; the caller holds the lock of the container. */
export function replaceContainerFile(engine: Engine, file: ContainerFile): void {
  engine.port.replaceFile(path(engine, file.id), containerText(file), 0o600);
}

/** What is no file, or another user's, is damaged as well: the other containers are nobody's concern. */
function readable(port: Pick<Port, 'readFile'>, at: Bytes): Bytes | undefined {
  try {
    return port.readFile(at, LIMIT);
  } catch (error) {
    throw damaged(at, error instanceof Error ? error.message : String(error));
  }
}

function damaged(at: Bytes, why: string): CaissonError {
  return new CaissonError(`${at} is damaged: ${why}`, { code: 'ESTATE' });
}

const TEXTS = ['id', 'name', 'created', 'image', 'imageId', 'root', 'cwd'] as const;
const LISTS = ['command', 'environment', 'files', 'args', 'mounts', 'volumes', 'anonymousVolumes'] as const;
const OBJECTS = ['flags', 'config', 'labels', 'restart', 'log'] as const;
const NUMBERS = ['stopSignal', 'stopTimeout'] as const;

const TEXT_LISTS = ['command', 'environment', 'args', 'volumes', 'anonymousVolumes'] as const;

function isContainerFile(value: Record<string, unknown>): value is Record<string, unknown> & ContainerFile {
  return (
    TEXTS.every((name) => typeof value[name] === 'string') &&
    LISTS.every((name) => Array.isArray(value[name])) &&
    OBJECTS.every((name) => isObject(value[name])) &&
    NUMBERS.every((name) => typeof value[name] === 'number') &&
    TEXT_LISTS.every((name) => isTexts(value[name])) &&
    areParts(value)
  );
}

/** The parts that lists of containers look into. */
function areParts({ restart, log, labels, mounts, files, health, stack }: Record<string, unknown>): boolean {
  return (
    isObject(restart) &&
    typeof restart.name === 'string' &&
    isObject(log) &&
    typeof log.driver === 'string' &&
    isObject(log.options) &&
    isObject(labels) &&
    isTexts(Object.values(labels)) &&
    Array.isArray(mounts) &&
    mounts.every(isMount) &&
    Array.isArray(files) &&
    files.every(isTexts) &&
    (health === undefined || (isObject(health) && isTexts(health.test))) &&
    (stack === undefined || (isObject(stack) && isTexts(stack.layers)))
  );
}

function isMount(value: unknown): boolean {
  if (!isObject(value)) return false;
  return (
    [value.source, value.destination].every((each) => typeof each === 'string') && isTexts(value.options)
  );
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
