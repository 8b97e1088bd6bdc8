// `rmi`: takes names away, and with the last one the image.

import type { NameChanges, NamedImage } from '../../image/store/names.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Digest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { canonical, familiar, familiarName, parseReference, type Reference } from '../../spec/reference.ts';
import { findImage, noSuchImage, repoDigests, type StoredImage } from './stored-image.ts';

/** What was done: names that are gone, images and layers that nothing needs any more. */
export interface Removed {
  readonly untagged: readonly string[];
  readonly deleted: readonly Digest[];
}

export interface RemoveOptions {
  /** Also an image with names in several repositories by its ID, and one that a container uses. */
  readonly force: boolean;
  /** By image ID: containers that use it. */
  readonly users: ReadonlyMap<Digest, readonly Bytes[]>;
}

interface NameBook {
  readonly names: {
    list(): readonly NamedImage[];
    change(changes: NameChanges): Promise<boolean>;
  };
}

/**
 * Removes the image that `text` names, or the name alone while the image has others. Throws CaissonError `ENOTFOUND`, and
 * `ECONFLICT` in docker's words where it must be forced.
 */
export async function removeImage(
  store: NameBook,
  images: readonly StoredImage[],
  text: string,
  options: RemoveOptions,
): Promise<Removed> {
  const found = findImage(images, text);
  if (found === undefined) return await removeBrokenName(store, text);
  const { image, reference } = found;
  const gone = reference === undefined ? image.names : namesMeant(image, reference);
  const short = image.id.slice(7, 19);
  if (reference === undefined) refuseSeveral(image, short, options.force);
  const last = gone.length === image.names.length;
  const [user] = options.users.get(image.id) ?? [];
  if (last && user !== undefined && !options.force) {
    throw conflict(
      `unable to remove repository reference "${text}" (must force) - container ${user.slice(0, 12)} is using its referenced image ${short}`,
    );
  }
  await store.names.change({ remove: gone, ...(gone.length === 0 ? { forget: [image.top.digest] } : {}) });
  const untagged = [...gone.map(familiar), ...lostDigests(image, gone)];
  return { untagged, deleted: last ? deletedOf(images, image) : [] };
}

/** A name of which nothing but the name is left can go as well. Throws CaissonError `ENOTFOUND`. */
async function removeBrokenName(store: NameBook, text: string): Promise<Removed> {
  const error = noSuchImage(text);
  if (!store.names.list().some(({ name }) => name !== undefined && name === nameOf(text))) throw error;
  const reference = parseReference(text);
  await store.names.change({ remove: [reference] });
  return { untagged: [familiar(reference)], deleted: [] };
}

function nameOf(text: string): string | undefined {
  return /^(?:sha256:)?[0-9a-f]{64}$/.test(text) ? undefined : canonical(parseReference(text));
}

/** A name with a digest means all names of the repository that lead there. */
function namesMeant(image: StoredImage, reference: Reference): readonly Reference[] {
  if (reference.tag !== undefined) return [reference];
  return image.names.filter((name) => name.domain === reference.domain && name.path === reference.path);
}

function refuseSeveral({ names }: StoredImage, short: string, force: boolean): void {
  const repositories = new Set(names.map(familiarName));
  if (force || repositories.size < 2) return;
  throw conflict(`unable to delete ${short} (must be forced) - image is referenced in multiple repositories`);
}

/** docker names the digest as well, when the last tag of its repository goes. */
function lostDigests(image: StoredImage, gone: readonly Reference[]): string[] {
  const left = image.names.filter((name) => !gone.includes(name)).map(familiarName);
  return repoDigests(image)
    .filter((name) => gone.some(({ tag }) => tag !== undefined) && !left.includes(familiarName(name)))
    .map(familiar);
}

/** The image's ID and the layers that no other image has, the uppermost first. */
function deletedOf(images: readonly StoredImage[], image: StoredImage): Digest[] {
  const others = images.filter((other) => other !== image);
  if (others.some(({ id }) => id === image.id)) return [];
  const kept = new Set(others.flatMap(({ chains }) => chains));
  return [image.id, ...image.chains.filter((chain) => !kept.has(chain)).reverse()];
}

function conflict(message: string): CaissonError {
  return new CaissonError(`conflict: ${message}`, { code: 'ECONFLICT', exitCode: 1 });
}
