// Images of the store as users know them: an ID, names, a configuration.

import type { Blobs } from '../../image/store/blobs.ts';
import { type Closure, closureOf, type ImageOf } from '../../image/store/closure.ts';
import type { NamedImage } from '../../image/store/names.ts';
import { fromArray } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import type { ImageConfig } from '../../spec/image-config.ts';
import type { ImageManifest } from '../../spec/image-manifest.ts';
import { type NamedPlatform, normalise, platformName, platformRank } from '../../spec/platform-match.ts';
import {
  canonical,
  familiar,
  parseNamed,
  parseReference,
  type Reference,
  withTarget,
} from '../../spec/reference.ts';

/** An image that can run, for one platform. */
export interface StoredImage {
  /** Of its configuration, as docker and podman count. */
  readonly id: Digest;
  /** What its names lead to: an index or its manifest. */
  readonly top: Descriptor;
  readonly descriptor: Descriptor;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  /** Chain IDs of its layers, lowest first. */
  readonly chains: readonly Digest[];
  /** In the order in which they were given; empty for an image that has lost them. */
  readonly names: readonly Reference[];
  /** When it was named last, RFC 3339. */
  readonly namedAt: string | undefined;
}

/** The part of a store that images are read from. */
export interface ImageShelf {
  readonly blobs: Blobs;
  readonly names: { list(): readonly NamedImage[] };
}

/** All images, in the order in which they were named. Of several platforms the one for `wanted` is taken, or the first. */
export async function storedImages(shelf: ImageShelf, wanted: NamedPlatform): Promise<StoredImage[]> {
  const groups = new Map<Digest, NamedImage[]>();
  for (const entry of shelf.names.list()) {
    const { digest } = entry.descriptor;
    groups.set(digest, [...(groups.get(digest) ?? []), entry]);
  }
  const images: StoredImage[] = [];
  for (const entries of groups.values()) {
    const image = await storedImage(shelf, entries, wanted);
    if (image !== undefined) images.push(image);
  }
  return images;
}

async function storedImage(
  shelf: ImageShelf,
  entries: readonly NamedImage[],
  wanted: NamedPlatform,
): Promise<StoredImage | undefined> {
  const top = (entries[0] as NamedImage).descriptor;
  const closure = await closureOf(shelf.blobs, top);
  const chosen = choose(closure, wanted)?.image ?? runnable(closure)[0];
  if (chosen === undefined) return undefined;
  const names = entries.flatMap(({ name }) => (name === undefined ? [] : parseKept(name)));
  const times = entries.flatMap(({ namedAt }) => namedAt ?? []).sort();
  return { ...asStored(chosen, top), names, namedAt: times.at(-1) };
}

type Runnable = ImageOf & { readonly config: ImageConfig };

function runnable(closure: Closure): Runnable[] {
  return closure.images.filter((image): image is Runnable => image.config !== undefined);
}

function choose(
  closure: Closure,
  wanted: NamedPlatform,
): { readonly image: Runnable; readonly rank: number } | undefined {
  let best: { readonly image: Runnable; readonly rank: number } | undefined;
  for (const image of runnable(closure)) {
    const rank = platformRank(wanted, image.config);
    if (rank !== undefined && (best === undefined || rank < best.rank)) best = { image, rank };
  }
  return best;
}

function asStored({ descriptor, manifest, config, chains }: Runnable, top: Descriptor) {
  return { id: manifest.config.digest, top, descriptor, manifest, config, chains };
}

/** A name that a store of another time has taken and that is none today is not shown. */
function parseKept(name: string): Reference[] {
  try {
    return [parseNamed(name)];
  } catch (error) {
    if (error instanceof CaissonError) return [];
    throw error;
  }
}

/** As much of an ID as docker takes, with or without the algorithm. */
const ID = /^(?:sha256:)?([0-9a-f]{1,64})$/;

/** An image that was asked for, and the name that was meant; without one by its ID. */
export interface FoundImage {
  readonly image: StoredImage;
  readonly reference: Reference | undefined;
}

/**
 * The image that a person means: a name, with a tag or digest, or the beginning of an ID. undefined when there is none.
 * Throws CaissonError `EREFERENCE` for what is neither, `EAMBIGUOUS` for a beginning of several IDs.
 */
export function findImage(images: readonly StoredImage[], text: string): FoundImage | undefined {
  const id = ID.exec(text)?.[1];
  const whole = text.startsWith('sha256:') || id?.length === 64;
  if (!whole) {
    const found = byName(images, text, id !== undefined);
    if (found !== undefined) return found;
  }
  if (id === undefined) return undefined;
  const matching = images.filter(
    (image) => image.id.startsWith(`sha256:${id}`) || isDigestOf(image, `sha256:${id}`),
  );
  const ids = new Set(matching.map((image) => image.id));
  if (ids.size > 1) {
    throw new CaissonError(`${text} is the beginning of several image IDs: ${[...ids].join(', ')}`, {
      code: 'EAMBIGUOUS',
    });
  }
  // The same configuration may have several manifests: the one with a name comes first.
  const image = matching.find(({ names }) => names.length > 0) ?? matching[0];
  return image === undefined ? undefined : { image, reference: undefined };
}

function isDigestOf({ top, descriptor }: StoredImage, digest: string): boolean {
  return top.digest === digest || descriptor.digest === digest;
}

function byName(images: readonly StoredImage[], text: string, mayBeId: boolean): FoundImage | undefined {
  let wanted: Reference;
  try {
    wanted = parseReference(text);
  } catch (error) {
    if (mayBeId) return undefined;
    throw error;
  }
  for (const image of images) {
    const reference = image.names.find((name) => means(name, wanted, image));
    if (reference !== undefined) return { image, reference };
  }
  return undefined;
}

/** Whether a name of an image is the one that was asked for: a digest is any of the image's in that repository. */
function means(name: Reference, wanted: Reference, image: StoredImage): boolean {
  if (name.domain !== wanted.domain || name.path !== wanted.path) return false;
  if (wanted.digest === undefined) return name.tag === wanted.tag && name.digest === undefined;
  const digests: (string | undefined)[] = [name.digest, image.top.digest, image.descriptor.digest];
  return digests.includes(wanted.digest);
}

/**
 * As findImage among all images; a name with a tag is looked up without reading the others, which may be many.
 * Throws as findImage.
 */
export async function lookUpImage(
  shelf: ImageShelf,
  text: string,
  wanted: NamedPlatform,
): Promise<FoundImage | undefined> {
  const name = exactName(text);
  const entries = shelf.names.list();
  const entry = name === undefined ? undefined : entries.find((each) => each.name === name);
  if (entry !== undefined) {
    const { digest } = entry.descriptor;
    const group = entries.filter(({ descriptor }) => descriptor.digest === digest);
    const image = await storedImage(shelf, group, wanted);
    const found = image === undefined ? undefined : findImage([image], text);
    if (found !== undefined) return found;
  }
  return findImage(await storedImages(shelf, wanted), text);
}

/** The name in full that a text is; undefined for what may be something else. */
function exactName(text: string): string | undefined {
  try {
    return canonical(parseReference(text));
  } catch (error) {
    if (error instanceof CaissonError) return undefined;
    throw error;
  }
}

/** Throws CaissonError `ENOTFOUND`, in docker's words, where there is no such image. */
export function requireImage(images: readonly StoredImage[], text: string): FoundImage {
  const found = findImage(images, text);
  if (found !== undefined) return found;
  throw noSuchImage(text);
}

export function noSuchImage(text: string): CaissonError {
  const shown = ID.test(text) ? text : familiar(parseReference(text));
  return new CaissonError(`No such image: ${shown}`, { code: 'ENOTFOUND', exitCode: 1 });
}

/** `repository@digest`, once for each repository that the image is named in. */
export function repoDigests({ names, top }: StoredImage): Reference[] {
  const found = new Map<string, Reference>();
  for (const name of names) {
    const reference = withTarget(name, { digest: name.digest ?? top.digest });
    found.set(familiar(reference), reference);
  }
  return [...found.values()];
}

/** The image for another platform of the same index. Throws CaissonError `EPLATFORM` where it is not in the store. */
export async function forPlatform(
  shelf: ImageShelf,
  image: StoredImage,
  wanted: NamedPlatform,
): Promise<StoredImage | undefined> {
  if (platformRank(wanted, image.config) !== undefined) return image;
  const chosen = choose(await closureOf(shelf.blobs, image.top), wanted);
  return chosen === undefined ? undefined : { ...image, ...asStored(chosen.image, image.top) };
}

/** `linux/arm64`, in one spelling. */
export function imagePlatform({ config }: StoredImage): string {
  return platformName(normalise(config));
}

/** The document of the configuration, for what only prints it. */
export async function configText(shelf: ImageShelf, { manifest }: StoredImage): Promise<string> {
  return fromArray(await shelf.blobs.read(manifest.config, manifest.config.size));
}
