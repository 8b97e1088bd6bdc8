// The cache as others may have it: an OCI image manifest whose layers are results, and a document that gives them keys.
//
// Whoever may write to such a reference decides what a build with `--cache-from` takes for the result of its steps, as
// with every cache of this kind. The bytes are checked against their digests, and unpacked as any layer is.

import type { Bytes } from '../../linux/bytes.ts';
import { isObject } from '../../spec/check.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { type Digest, isDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseJson, stringifyJson } from '../../spec/json.ts';

export const CACHE_CONFIG = 'application/vnd.caisson.build-cache.v1+json';

/** A result in the document. */
export interface CacheRecord {
  /** All keys of it: of its content, and of whole stages. */
  readonly keys: readonly string[];
  /** The digest of its layer in the manifest. */
  readonly layer: Digest;
  readonly diffId: Digest;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly title: string;
}

/** Results that a reference offers, by key. */
export interface RemoteCache {
  find(key: string): RemoteResult | undefined;
}

export interface RemoteResult {
  readonly record: CacheRecord;
  readonly descriptor: Descriptor;
  /** Brings the layer into the store, checked. Throws CaissonError. */
  fetch(): Promise<void>;
}

const KEY = /^[0-9a-f]{64}$/;
const MOST_RECORDS = 100_000;

export function cacheDocument(records: readonly CacheRecord[]): Bytes {
  return stringifyJson({
    version: 1,
    records: records.map(({ keys, layer, diffId, created, title }) => ({
      keys,
      layer,
      diffId,
      created,
      title,
    })),
  });
}

/** Throws CaissonError `ECACHE` for a document that is none. */
export function parseCacheDocument(text: Bytes): CacheRecord[] {
  const wrong = (why: string) => new CaissonError(`the build cache is damaged: ${why}`, { code: 'ECACHE' });
  const document = parseJson(text, 'build cache');
  if (!isObject(document) || document.version !== 1 || !Array.isArray(document.records))
    throw wrong('expected version 1 and records');
  if (document.records.length > MOST_RECORDS) throw wrong(`more than ${MOST_RECORDS} records`);
  return document.records.map((record: unknown) => {
    if (!isObject(record)) throw wrong('a record is no object');
    const { keys, layer, diffId, created, title } = record;
    if (!Array.isArray(keys) || !keys.every((key): key is string => typeof key === 'string' && KEY.test(key)))
      throw wrong('a key is none');
    if (typeof layer !== 'string' || !isDigest(layer) || typeof diffId !== 'string' || !isDigest(diffId))
      throw wrong('a digest is none');
    if (typeof created !== 'number' || !(created >= 0 && created < 8e15)) throw wrong('a time is none');
    return { keys, layer, diffId, created, title: typeof title === 'string' ? title.slice(0, 200) : '' };
  });
}
