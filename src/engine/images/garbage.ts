// Collects the garbage of the store, and leaves what running containers use.
import { BuildPlaces } from '../../build/cache/places.ts';
import { layersOfSteps } from '../../build/cache/steps.ts';
import { hostDisk } from '../../host/node-disk.ts';
import type { GarbageOptions, GarbageReport } from '../../image/store/garbage.ts';
import type { Pin } from '../../image/store/pins.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Digest } from '../../spec/digest.ts';
import { containerPins, placesInUse } from './container-place.ts';
import { mappedPins } from './mapped-layers.ts';
import type { Shop } from './shop.ts';

/** What a garbage collection must leave beside images: what running containers use, and layers of the build cache. */
export function usedPins({ port, store }: Pick<Shop, 'port' | 'store'>): Pin[] {
  const trees = layersOfSteps(hostDisk(), new BuildPlaces(store.root));
  const used = [...containerPins(port, store.root), ...mappedPins(store)];
  return [...used, ...(trees.length === 0 ? [] : [{ trees }])];
}

/** Throws CaissonError `ESTORE` where names or pins are damaged: then nothing is removed. */
export async function collectGarbage(
  shop: Shop,
  options: Omit<GarbageOptions, 'keep'> = {},
): Promise<GarbageReport> {
  return await shop.store.garbage({ ...options, keep: () => usedPins(shop) });
}

/** By image ID: the names, or IDs, of the containers that run of it. */
export function imageUsers({ port, store }: Shop): ReadonlyMap<Digest, readonly Bytes[]> {
  const users = new Map<Digest, Bytes[]>();
  for (const { imageId, id } of placesInUse(port, store.root))
    users.set(imageId, [...(users.get(imageId) ?? []), id]);
  return users;
}
