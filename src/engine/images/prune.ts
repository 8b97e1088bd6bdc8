// `image prune` and `system prune`: images that nobody needs, what containers have left, and then the garbage.

import { hostDisk } from '../../host/node-disk.ts';
import type { Port } from '../../host/port.ts';
import { pruneImages } from '../../image/store/prune.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Digest } from '../../spec/digest.ts';
import { familiar } from '../../spec/reference.ts';
import { tellRemoved } from '../events/images.ts';
import { abandonedPlaces, removePlace, volumesOfPlaces } from './container-place.ts';
import { filterImages } from './filter.ts';
import { usedPins } from './garbage.ts';
import { imagesOf, type Shop } from './shop.ts';
import type { StoredImage } from './stored-image.ts';

export interface PruneOptions {
  /** Every image that no container uses, not only those without names. */
  readonly all: boolean;
  /** `label`, `label!`, `until`. */
  readonly filters: readonly Bytes[];
}

/** What has gone. */
export interface Pruned {
  readonly untagged: readonly string[];
  readonly deleted: readonly Digest[];
  /** Bytes that are free now. */
  readonly reclaimed: number;
  /** Others use the store: what is garbage stays for the next time. */
  readonly busy: boolean;
}

/** Throws CaissonError `ESTORE` where names or pins are damaged: then nothing is removed. */
export async function prune(shop: Shop, { all, filters }: PruneOptions): Promise<Pruned> {
  const images = await imagesOf(shop);
  const chosen = new Set(filterImages(images, filters, Date.now()).map(({ top }) => top.digest));
  const { removed, garbage } = await pruneImages(shop.store, {
    all,
    keep: () => usedPins(shop),
    select: ({ descriptor }) => chosen.has(descriptor.digest),
    partialAge: 0,
  });
  const gone = new Set(removed.map(({ descriptor }) => descriptor.digest));
  const left = new Set(shop.store.names.list().map(({ descriptor }) => descriptor.digest));
  const lost = images.filter(({ top }) => gone.has(top.digest) && !left.has(top.digest));
  for (const { id, names } of lost) tellRemoved(shop, { untagged: names.map(familiar), deleted: [id] });
  return {
    untagged: lost.flatMap(({ names }) => names.map(familiar)),
    deleted: deletedOf(images, lost),
    reclaimed: garbage.bytes,
    busy: garbage.busy,
  };
}

/** IDs of the images, and layers that no other image has. */
function deletedOf(images: readonly StoredImage[], lost: readonly StoredImage[]): Digest[] {
  const kept = images.filter((image) => !lost.includes(image));
  const layers = new Set(kept.flatMap(({ chains }) => chains));
  const ids = new Set(kept.map(({ id }) => id));
  const found = lost.flatMap(({ id, chains }) => [
    ...(ids.has(id) ? [] : [id]),
    ...chains.filter((chain) => !layers.has(chain)).reverse(),
  ]);
  return [...new Set(found)];
}

/** Takes away the directories of containers whose command was killed. The directories. */
export async function removeAbandoned(port: Port, root: Bytes, dryRun = false): Promise<Bytes[]> {
  const places = abandonedPlaces(port, hostDisk(), root);
  if (dryRun) return places;
  const volumes = volumesOfPlaces(port, places);
  for (const place of places) await removePlace(port, place);
  if (port.stat(`${root}/volumes`) !== undefined) {
    // Volumes that nobody has named go with their containers.
    const { VolumeStore } = await import('../volumes/volume-store.ts');
    const store = new VolumeStore(port, hostDisk(), root, false);
    await store.removeAnonymous(volumes);
    await store.tidy();
  }
  return places;
}
