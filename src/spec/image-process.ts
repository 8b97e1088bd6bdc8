// The `config` part of an image configuration: what a container of the image runs unless it is told otherwise.

import type { Bytes } from '../linux/bytes.ts';
import { type Fields, isObject } from './check.ts';
import type { Annotations } from './descriptor.ts';
import type { Reader } from './image-config.ts';
import { refuseLookAlikes } from './image-document.ts';
import { escapePointer } from './pointer.ts';

/** Docker's health check; durations are in nanoseconds, 0 for the default. */
export interface HealthCheck {
  /** `NONE`, or `CMD` and arguments, or `CMD-SHELL` and a line; empty: the base image's. */
  readonly test: readonly Bytes[];
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

/** image-spec 1.1, config.md, "config"; `Shell`, `Healthcheck`, `OnBuild` are Docker's. */
export interface ImageProcess {
  readonly user: Bytes;
  /** `80/tcp` */
  readonly exposedPorts: readonly Bytes[];
  readonly env: readonly Bytes[];
  /** Absent is not the same as empty for a build that inherits it. */
  readonly entrypoint?: readonly Bytes[];
  readonly cmd?: readonly Bytes[];
  /** Arguments that are already quoted for the shell (Docker on Windows). */
  readonly argsEscaped: boolean;
  readonly volumes: readonly Bytes[];
  readonly workingDir: Bytes;
  readonly labels: Annotations;
  readonly stopSignal: Bytes;
  /** Seconds; -1 waits for ever. */
  readonly stopTimeout?: number;
  readonly shell?: readonly Bytes[];
  readonly healthcheck?: HealthCheck;
  readonly onBuild: readonly Bytes[];
}

const WHERE = '/config';

const FIELDS: ReadonlySet<string> = new Set([
  ...['User', 'ExposedPorts', 'Env', 'Entrypoint', 'Cmd', 'ArgsEscaped', 'Volumes', 'WorkingDir', 'Labels'],
  ...['StopSignal', 'StopTimeout', 'Shell', 'Healthcheck', 'OnBuild'],
]);

/** Takes the part from a parsed document. Throws CaissonError `EDOCUMENT`. */
export function parseProcess(read: Reader, value: unknown): ImageProcess {
  const fields: Fields =
    value == null ? {} : isObject(value) ? value : read.wrong(WHERE, 'expected an object');
  refuseLookAlikes(fields, FIELDS, read.what, WHERE);
  const list = (name: string) => read.texts(fields, name, WHERE);
  const [entrypoint, cmd, shell] = [list('Entrypoint'), list('Cmd'), list('Shell')];
  const stopTimeout = count(read, fields, 'StopTimeout', WHERE, -1);
  const healthcheck = parseHealthCheck(read, fields.Healthcheck);
  return {
    user: read.text(fields, 'User', WHERE) ?? '',
    exposedPorts: names(read, fields, 'ExposedPorts'),
    env: environment(read, list('Env') ?? []),
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(cmd === undefined ? {} : { cmd }),
    argsEscaped: read.flag(fields, 'ArgsEscaped', WHERE) ?? false,
    volumes: names(read, fields, 'Volumes'),
    workingDir: read.text(fields, 'WorkingDir', WHERE) ?? '',
    labels: parseLabels(read, fields.Labels),
    stopSignal: read.text(fields, 'StopSignal', WHERE) ?? '',
    ...(stopTimeout === undefined ? {} : { stopTimeout }),
    ...(shell === undefined ? {} : { shell }),
    ...(healthcheck === undefined ? {} : { healthcheck }),
    onBuild: list('OnBuild') ?? [],
  };
}

/** A set, which Go writes as an object with empty values. */
function names(read: Reader, fields: Fields, name: string): Bytes[] {
  const value = fields[name];
  if (value == null) return [];
  if (!isObject(value)) return read.wrong(`${WHERE}/${name}`, 'expected an object');
  return Object.keys(value).map((key) => read.plain(key, `${WHERE}/${name}/${escapePointer(key)}`));
}

/** `NAME=value`; images of old tools have names alone, which docker passes over. */
function environment(read: Reader, entries: readonly Bytes[]): Bytes[] {
  entries.forEach((entry, index) => {
    if (entry.startsWith('=')) read.wrong(`${WHERE}/Env/${index}`, 'a variable without a name');
  });
  return entries.filter((entry) => entry.includes('='));
}

function parseLabels(read: Reader, value: unknown): Annotations {
  // Without a prototype: the names are anybody's, `__proto__` too.
  const labels: Record<Bytes, Bytes> = Object.create(null);
  if (value == null) return labels;
  if (!isObject(value)) return read.wrong(`${WHERE}/Labels`, 'expected an object of strings');
  for (const [name, text] of Object.entries(value)) {
    const where = `${WHERE}/Labels/${escapePointer(name)}`;
    labels[read.plain(name, where)] = read.plain(text, where);
  }
  return labels;
}

function count(read: Reader, fields: Fields, name: string, where: string, least = 0): number | undefined {
  const value = fields[name];
  if (value == null) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
  return read.wrong(`${where}/${name}`, `expected an integer, ${least} or more`);
}

function parseHealthCheck(read: Reader, value: unknown): HealthCheck | undefined {
  if (value == null) return undefined;
  const where = `${WHERE}/Healthcheck`;
  if (!isObject(value)) return read.wrong(where, 'expected an object');
  const number = (name: string) => count(read, value, name, where) ?? 0;
  return {
    test: read.texts(value, 'Test', where) ?? [],
    interval: number('Interval'),
    timeout: number('Timeout'),
    startPeriod: number('StartPeriod'),
    startInterval: number('StartInterval'),
    retries: number('Retries'),
  };
}
