// Image configurations: platform, defaults of the process, and the layers' digests (image-spec 1.1, config.md; Docker's).
//
// Everything in here is written by the maker of the image. Nothing of it is read as a control of the engine: labels
// stay labels (CVE-2026-53488), volumes are cleaned and opened inside the root (CVE-2022-23648), the user is looked up
// there (CVE-2016-3697).

import type { Bytes } from '../linux/bytes.ts';
import { type Fields, isObject } from './check.ts';
import type { Platform } from './descriptor.ts';
import { type Digest, isDigest } from './digest.ts';
import { CONFIG_LIMIT, parseDocument, refuseDocument, refuseLookAlikes } from './image-document.ts';
import type { ImageManifest } from './image-manifest.ts';
import { type ImageProcess, parseProcess } from './image-process.ts';

/** One step of how the image was made; an empty one made no layer. */
export interface HistoryEntry {
  readonly created?: Bytes;
  readonly created_by?: Bytes;
  readonly author?: Bytes;
  readonly comment?: Bytes;
  readonly empty_layer?: boolean;
}

export interface ImageConfig extends Platform {
  /** RFC 3339, as it was written. */
  readonly created?: Bytes;
  readonly author?: Bytes;
  readonly config: ImageProcess;
  /** Digests of the unpacked layers, lowest first. */
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
}

const FIELDS: ReadonlySet<string> = new Set([
  ...['created', 'author', 'architecture', 'os', 'os.version', 'os.features', 'variant', 'config', 'rootfs'],
  // Docker's, beside the specification's.
  ...['history', 'container', 'container_config', 'docker_version', 'parent', 'id', 'comment'],
]);

/** More cannot be mounted on each other, whatever the file system (overlayfs: 500). */
const LAYERS_LIMIT = 10_000;

/**
 * Takes an image configuration from the bytes of its document. Throws CaissonError `EDOCUMENT` with the pointer of the
 * field, or `EINVALIDJSON`.
 */
export function parseImageConfig(text: Bytes, what = 'image configuration'): ImageConfig {
  const fields = parseDocument(text, what, CONFIG_LIMIT);
  refuseLookAlikes(fields, FIELDS, what);
  const read = new Reader(what);
  return {
    architecture: read.text(fields, 'architecture') ?? '',
    os: read.text(fields, 'os') ?? '',
    ...read.optional(fields, ['variant', 'os.version', 'created', 'author']),
    ...optionalFeatures(read.texts(fields, 'os.features')),
    config: parseProcess(read, fields.config),
    diffIds: parseRootfs(read, fields.rootfs),
    history: parseHistory(read, fields.history),
  };
}

/** Reads fields and throws where one is not what it should be; `null` is absent, as in Go. */
export class Reader {
  readonly what: string;

  constructor(what: string) {
    this.what = what;
  }

  wrong(where: string, why: string): never {
    throw refuseDocument(this.what, where, why);
  }

  text(fields: Fields, name: string, below = ''): Bytes | undefined {
    const value = fields[name];
    if (value == null) return undefined;
    return this.plain(value, `${below}/${name}`);
  }

  /** A string without NUL, which no argument, path or variable can have. */
  plain(value: unknown, where: string): Bytes {
    if (typeof value !== 'string') this.wrong(where, 'expected a string');
    if (value.includes('\0')) this.wrong(where, 'contains a NUL byte');
    return value;
  }

  texts(fields: Fields, name: string, below = ''): Bytes[] | undefined {
    const value = fields[name];
    if (value == null) return undefined;
    if (!Array.isArray(value)) this.wrong(`${below}/${name}`, 'expected an array of strings');
    return value.map((item: unknown, index) => this.plain(item, `${below}/${name}/${index}`));
  }

  flag(fields: Fields, name: string, below = ''): boolean | undefined {
    const value = fields[name];
    if (value == null) return undefined;
    if (typeof value !== 'boolean') this.wrong(`${below}/${name}`, 'expected true or false');
    return value;
  }

  optional<K extends string>(fields: Fields, names: readonly K[], below = ''): { [P in K]?: Bytes } {
    const found: { [P in K]?: Bytes } = {};
    for (const name of names) {
      const text = this.text(fields, name, below);
      if (text !== undefined) found[name] = text;
    }
    return found;
  }
}

function optionalFeatures(features: Bytes[] | undefined): Pick<Platform, 'os.features'> {
  return features === undefined ? {} : { 'os.features': features };
}

function parseRootfs(read: Reader, value: unknown): Digest[] {
  if (value == null) return [];
  if (!isObject(value)) read.wrong('/rootfs', 'expected an object');
  refuseLookAlikes(value, new Set(['type', 'diff_ids']), read.what, '/rootfs');
  const type = read.text(value, 'type', '/rootfs');
  if (type !== undefined && type !== 'layers') read.wrong('/rootfs/type', 'expected "layers"');
  const ids = read.texts(value, 'diff_ids', '/rootfs') ?? [];
  if (ids.length > LAYERS_LIMIT) read.wrong('/rootfs/diff_ids', `more than ${LAYERS_LIMIT} layers`);
  return ids.map((id, index) => {
    if (isDigest(id)) return id;
    return read.wrong(`/rootfs/diff_ids/${index}`, 'is not a digest of sha256 or sha512 in lower case');
  });
}

function parseHistory(read: Reader, value: unknown): HistoryEntry[] {
  if (value == null) return [];
  if (!Array.isArray(value)) read.wrong('/history', 'expected an array of objects');
  return value.map((entry: unknown, index) => {
    const where = `/history/${index}`;
    if (!isObject(entry)) read.wrong(where, 'expected an object');
    const empty = read.flag(entry, 'empty_layer', where);
    return {
      ...read.optional(entry, ['created', 'created_by', 'author', 'comment'], where),
      ...(empty === undefined ? {} : { empty_layer: empty }),
    };
  });
}

/**
 * Checks that configuration and manifest describe the same layers. Throws CaissonError `EDOCUMENT` when they differ in
 * number: what would be unpacked is then not what the configuration's digests vouch for.
 */
export function checkLayerCount(manifest: ImageManifest, config: ImageConfig, what: string): void {
  if (manifest.layers.length === config.diffIds.length) return;
  throw refuseDocument(
    what,
    '/rootfs/diff_ids',
    `the manifest has ${manifest.layers.length} layers, and the configuration ${config.diffIds.length}`,
  );
}
