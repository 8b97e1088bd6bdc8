// The configuration of an image under construction, and its history, in the words that BuildKit writes.

import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import type { ImageConfig } from '../../spec/image-config.ts';
import type { NamedPlatform } from '../../spec/platform-match.ts';
import type { HealthCheck } from '../dockerfile/instructions.ts';

/** The part of an image configuration that containers start with; names as in the document. */
export interface DraftConfig {
  User?: string;
  ExposedPorts?: Record<string, object>;
  Env: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  Volumes?: Record<string, object>;
  WorkingDir?: string;
  Labels?: Record<string, string>;
  StopSignal?: string;
  ArgsEscaped?: boolean;
  Healthcheck?: HealthCheck;
  OnBuild?: string[];
  Shell?: string[];
}

export interface DraftHistory {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: true;
}

/** Everything but the layers. */
export interface ImageDraft {
  author: string;
  architecture: string;
  os: string;
  variant: string;
  config: DraftConfig;
  history: DraftHistory[];
}

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const COMMENT = 'buildkit.dockerfile.v0';

/** FROM scratch. */
export function emptyDraft({ os, architecture, variant }: NamedPlatform): ImageDraft {
  const config = { Env: [`PATH=${DEFAULT_PATH}`], WorkingDir: '/' };
  return { author: '', architecture, os, variant: variant ?? '', config, history: [] };
}

/** FROM an image. */
export function draftOf(image: ImageConfig): ImageDraft {
  const { config } = image;
  const texts = (list: readonly Bytes[]) => list.map(bytesToUtf8);
  const health = config.healthcheck;
  const draft: DraftConfig = {
    Env: texts(config.env),
    ...(config.user === '' ? {} : { User: bytesToUtf8(config.user) }),
    ...(config.exposedPorts.length === 0 ? {} : { ExposedPorts: setOf(texts(config.exposedPorts)) }),
    ...(config.entrypoint === undefined ? {} : { Entrypoint: texts(config.entrypoint) }),
    ...(config.cmd === undefined ? {} : { Cmd: texts(config.cmd) }),
    ...(config.volumes.length === 0 ? {} : { Volumes: setOf(texts(config.volumes)) }),
    ...(config.workingDir === '' ? {} : { WorkingDir: bytesToUtf8(config.workingDir) }),
    ...(Object.keys(config.labels).length === 0 ? {} : { Labels: labelsOf(config.labels) }),
    ...(config.stopSignal === '' ? {} : { StopSignal: bytesToUtf8(config.stopSignal) }),
    ...(config.argsEscaped ? { ArgsEscaped: true } : {}),
    ...(config.onBuild.length === 0 ? {} : { OnBuild: texts(config.onBuild) }),
    ...(config.shell === undefined ? {} : { Shell: texts(config.shell) }),
  };
  if (health !== undefined)
    draft.Healthcheck = {
      Test: texts(health.test),
      Interval: health.interval,
      Timeout: health.timeout,
      StartPeriod: health.startPeriod,
      StartInterval: health.startInterval,
      Retries: health.retries,
    };
  return {
    author: bytesToUtf8(image.author ?? ''),
    architecture: bytesToUtf8(image.architecture),
    os: bytesToUtf8(image.os),
    variant: bytesToUtf8(image.variant ?? ''),
    config: draft,
    history: image.history.map(historyOf),
  };
}

function historyOf(entry: ImageConfig['history'][number]): DraftHistory {
  const text = (value: Bytes | undefined) => (value === undefined ? undefined : bytesToUtf8(value));
  const made: DraftHistory = {};
  for (const name of ['created', 'created_by', 'author', 'comment'] as const) {
    const value = text(entry[name]);
    if (value !== undefined) made[name] = value;
  }
  if (entry.empty_layer === true) made.empty_layer = true;
  return made;
}

function labelsOf(labels: Readonly<Record<Bytes, Bytes>>): Record<string, string> {
  const found: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(labels)) found[bytesToUtf8(name)] = bytesToUtf8(value);
  return found;
}

/** A set as Go writes it: an object with empty values. */
export function setOf(names: readonly string[]): Record<string, object> {
  const set: Record<string, object> = Object.create(null);
  for (const name of names) set[name] = {};
  return set;
}

/** An independent copy, for a stage that is built on this one. */
export function cloneDraft(draft: ImageDraft): ImageDraft {
  return structuredClone(draft);
}

/** Adds a line to the history; `layer`: the instruction made one. */
export function record(draft: ImageDraft, text: string, layer: boolean): void {
  draft.history.push({ created_by: text, comment: COMMENT, ...(layer ? {} : { empty_layer: true }) });
}

/** Sets a variable in place, or adds it at the end. */
export function setVariable(list: string[], name: string, value: string): void {
  const index = list.findIndex((line) => line.startsWith(`${name}=`));
  const line = `${name}=${value}`;
  if (index < 0) list.push(line);
  else list[index] = line;
}

/** The fields of the document in Go's order; empty ones are left out. */
const CONFIG_ORDER = [
  ...['User', 'ExposedPorts', 'Env', 'Entrypoint', 'Cmd', 'Volumes', 'WorkingDir', 'Labels', 'StopSignal'],
  ...['ArgsEscaped', 'Healthcheck', 'OnBuild', 'Shell'],
] as const;

/** What stands in the document beside the draft. */
export interface Finishing {
  readonly diffIds: readonly string[];
  /** When a layer or line of history was made, RFC 3339; for lines that have none. */
  readonly created: string;
  readonly labels: ReadonlyMap<string, string>;
}

/** The image configuration's document, its fields sorted as BuildKit's exporter writes them. */
export function configDocument(draft: ImageDraft, { diffIds, created, labels }: Finishing): Bytes {
  const config: DraftConfig = { ...draft.config };
  if (labels.size > 0) {
    const all: Record<string, string> = Object.create(null);
    config.Labels = Object.assign(all, config.Labels, Object.fromEntries(labels));
  }
  const ordered: Record<string, unknown> = {};
  for (const name of CONFIG_ORDER) {
    const value = config[name as keyof DraftConfig];
    if (isPresent(value)) ordered[name] = sortedSet(name, value);
  }
  const history = draft.history.map(({ created: when = created, ...rest }) => ({ created: when, ...rest }));
  const document = {
    architecture: draft.architecture,
    ...(draft.author === '' ? {} : { author: draft.author }),
    config: ordered,
    created,
    history,
    os: draft.os,
    rootfs: { type: 'layers', diff_ids: diffIds },
    ...(draft.variant === '' ? {} : { variant: draft.variant }),
  };
  return utf8ToBytes(JSON.stringify(document));
}

function isPresent(value: unknown): boolean {
  if (value === undefined || value === '' || value === false) return false;
  // An empty command is not the same as none; other empty lists and sets are.
  return typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length > 0;
}

/** Go writes maps sorted by key. */
function sortedSet(name: string, value: unknown): unknown {
  if (name !== 'ExposedPorts' && name !== 'Volumes' && name !== 'Labels') return value;
  const entries = Object.entries(value as Record<string, unknown>);
  const sorted: Record<string, unknown> = Object.create(null);
  for (const [key, item] of entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) sorted[key] = item;
  return sorted;
}
