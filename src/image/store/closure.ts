// What belongs to an image: the documents and layers that its descriptor leads to, as far as they are in the store.
import { fromArray } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { type ImageConfig, parseImageConfig } from '../../spec/image-config.ts';
import { CONFIG_LIMIT, MANIFEST_LIMIT } from '../../spec/image-document.ts';
import { type ImageManifest, isImage, parseManifest } from '../../spec/image-manifest.ts';
import { isForeignLayer, isIndexType, isManifestType } from '../../spec/media-types.ts';
import type { Blobs } from './blobs.ts';
import { chainIds } from './chain.ts';

/** Indexes in indexes: more is no image but a trap. */
const NESTING = 8;

/** One image of a closure. */
export interface ImageOf {
  readonly descriptor: Descriptor;
  readonly manifest: ImageManifest;
  /** Of an image that can run; undefined for artifacts, and when it is not there. */
  readonly config: ImageConfig | undefined;
  readonly chains: readonly Digest[];
}

/** Everything below a descriptor. */
export interface Closure {
  /** Blobs that belong to it, by digest, with the sizes that their descriptors say; there or not. */
  readonly blobs: Map<Digest, number>;
  /** Chain IDs of its layers. */
  readonly chains: Set<Digest>;
  readonly images: ImageOf[];
  /** Type and digest of what has been looked at. */
  readonly followed: Set<string>;
  /** What is missing or cannot be read, one line each. */
  readonly problems: string[];
}

/**
 * Follows a descriptor. Of an index those images count that are there: a pull fetches one platform. What is missing of
 * an image that is there is a problem.
 */
export async function closureOf(blobs: Blobs, descriptor: Descriptor): Promise<Closure> {
  const closure: Closure = {
    blobs: new Map(),
    chains: new Set(),
    images: [],
    followed: new Set(),
    problems: [],
  };
  await follow(blobs, descriptor, closure, 0);
  return closure;
}

async function follow(blobs: Blobs, descriptor: Descriptor, closure: Closure, depth: number): Promise<void> {
  const { digest, mediaType, size } = descriptor;
  // By type as well: a document that was first announced as something else is followed all the same.
  const key = `${mediaType} ${digest}`;
  if (closure.followed.has(key)) return;
  closure.followed.add(key);
  closure.blobs.set(digest, size);
  if (!isIndexType(mediaType) && !isManifestType(mediaType)) {
    if (!blobs.has(digest)) closure.problems.push(`${digest} (${mediaType}) is missing`);
    return;
  }
  if (depth > NESTING) {
    closure.problems.push(`${digest}: indexes are nested deeper than ${NESTING}`);
    return;
  }
  const document = await readDocument(closure, digest, async () =>
    parseManifest(fromArray(await blobs.read(descriptor, MANIFEST_LIMIT)), mediaType, digest),
  );
  if (document === undefined) return;
  if (document.kind === 'index') {
    for (const entry of document.manifests)
      if (blobs.has(entry.digest)) await follow(blobs, entry, closure, depth + 1);
    return;
  }
  await followImage(blobs, descriptor, document, closure);
}

async function followImage(
  blobs: Blobs,
  descriptor: Descriptor,
  manifest: ImageManifest,
  closure: Closure,
): Promise<void> {
  for (const part of [manifest.config, ...manifest.layers]) {
    closure.blobs.set(part.digest, part.size);
    const there = blobs.size(part.digest);
    if (there === undefined && !isForeignLayer(part.mediaType))
      closure.problems.push(`${part.digest} of ${descriptor.digest} is missing`);
    else if (there !== undefined && there !== part.size)
      closure.problems.push(`${part.digest} has ${there} bytes instead of ${part.size}`);
  }
  const config = isImage(manifest) ? await readConfig(blobs, manifest, closure) : undefined;
  const chains = config === undefined ? [] : chainIds(config.diffIds);
  for (const chain of chains) closure.chains.add(chain);
  closure.images.push({ descriptor, manifest, config, chains });
}

async function readConfig(
  blobs: Blobs,
  manifest: ImageManifest,
  closure: Closure,
): Promise<ImageConfig | undefined> {
  const { config } = manifest;
  // That it is missing has been said.
  if (!blobs.has(config.digest)) return undefined;
  return await readDocument(closure, config.digest, async () =>
    parseImageConfig(fromArray(await blobs.read(config, CONFIG_LIMIT)), config.digest),
  );
}

async function readDocument<T>(
  closure: Closure,
  digest: Digest,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
    // A disk that does not answer says nothing about the image.
    if (error.code === 'EDISK') throw error;
    closure.problems.push(
      error.code === 'ENOTFOUND' ? `${digest} is missing` : `${digest}: ${error.message}`,
    );
    return undefined;
  }
}
