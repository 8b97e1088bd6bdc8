// Results that are kept: a directory each, with the changed files (`upper`) and a record, which is written last.
import type { Disk } from '../../host/disk.ts';
import type { Port } from '../../host/port.ts';
import { readText } from '../../image/store/durable.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type Digest, isDigest } from '../../spec/digest.ts';
import { parseJson, stringifyJson } from '../../spec/json.ts';
import type { BuildPlaces } from './places.ts';

/** A result. */
export interface KeptStep {
  readonly key: string;
  /** Absolute; `upper` below it holds the changes as an overlay has them. */
  readonly directory: Bytes;
  /** When it was made, milliseconds since 1970. */
  readonly created: number;
  /** For people. */
  readonly title: string;
  /** Its changes are the files of this unpacked layer of the store: `upper` is a link there. */
  readonly layer?: Digest;
}

/** A layer made of a result: the same changes in another compression, or with other times, are another. */
export interface KeptBlob {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly diffId: Digest;
}

const RECORD_LIMIT = 64 << 10;
const NAME = /^[0-9a-f-]{1,100}$/;

/** The result of a key; undefined when there is none, or a damaged one. */
export function findStep(disk: Disk, places: BuildPlaces, key: string): KeptStep | undefined {
  const name = readText(disk, `${places.keys}/${key}`, 128)?.trim() ?? '';
  return NAME.test(name) ? readStep(disk, `${places.steps}/${name}`) : undefined;
}

/** The result in a directory; undefined where it is not complete. */
export function readStep(disk: Disk, directory: Bytes): KeptStep | undefined {
  const text = readText(disk, `${directory}/step.json`, RECORD_LIMIT);
  if (text === undefined || disk.stat(treeOf({ directory }))?.type !== 'directory') return undefined;
  const { key, created, title, layer } = objectOf(text);
  if (typeof key !== 'string' || typeof created !== 'number') return undefined;
  return {
    key,
    directory,
    created,
    title: typeof title === 'string' ? title : '',
    ...(typeof layer === 'string' && isDigest(layer) ? { layer } : {}),
  };
}

/** The directory of the changes: with the dot at its end a link to it is followed, whoever opens it. */
export function treeOf({ directory }: Pick<KeptStep, 'directory'>): Bytes {
  return `${directory}/upper/.`;
}

/** Unpacked layers that are the changes of results. */
export function layersOfSteps(disk: Disk, places: BuildPlaces): Digest[] {
  const names = disk.list(places.steps) ?? [];
  return names.flatMap(({ name }) => readStep(disk, `${places.steps}/${name}`)?.layer ?? []);
}

function objectOf(text: Bytes): Readonly<Record<string, unknown>> {
  try {
    const value = parseJson(text, 'a record of the build cache');
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}

/**
 * Writes the record. The files must be on the disk before; the record need not be: after a power cut it is there, or
 * absent, or empty and so of no effect.
 */
export function writeStep(port: Port, { key, directory, created, title, layer }: KeptStep): void {
  const record = { key, created, title, ...(layer === undefined ? {} : { layer }) };
  port.replaceFile(`${directory}/step.json`, stringifyJson(record), 0o600);
}

export function writeKey(port: Port, places: BuildPlaces, key: string, directory: Bytes): void {
  const name = directory.slice(directory.lastIndexOf('/') + 1);
  port.replaceFile(`${places.keys}/${key}`, `${name}\n`, 0o600);
}

/** The layer that was made of a result before; whether the blob is still there is for the caller to see. */
export function readBlob(disk: Disk, directory: Bytes, variant: string): KeptBlob | undefined {
  const text = readText(disk, `${directory}/blob-${variant}.json`, RECORD_LIMIT);
  const { mediaType, digest, size, diffId } = objectOf(text ?? '{}');
  if (typeof mediaType !== 'string' || typeof size !== 'number') return undefined;
  if (typeof digest !== 'string' || !isDigest(digest)) return undefined;
  if (typeof diffId !== 'string' || !isDigest(diffId)) return undefined;
  return { mediaType, digest, size, diffId };
}

export function writeBlob(port: Port, directory: Bytes, variant: string, blob: KeptBlob): void {
  const { mediaType, digest, size, diffId } = blob;
  port.replaceFile(
    `${directory}/blob-${variant}.json`,
    stringifyJson({ mediaType, digest, size, diffId }),
    0o600,
  );
}
