// Collects the garbage of the store, and leaves what running containers use.
import type { GarbageOptions, GarbageReport } from '../../image/store/garbage.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Digest } from '../../spec/digest.ts';
import { containerPins, placesInUse } from './container-place.ts';
import type { Shop } from './shop.ts';

/** Throws CaissonError `ESTORE` where names or pins are damaged: then nothing is removed. */
export async function collectGarbage(
  { port, store }: Shop,
  options: Omit<GarbageOptions, 'keep'> = {},
): Promise<GarbageReport> {
  return await store.garbage({ ...options, keep: () => containerPins(port, store.root) });
}

/** By image ID: the names, or IDs, of the containers that run of it. */
export function imageUsers({ port, store }: Shop): ReadonlyMap<Digest, readonly Bytes[]> {
  const users = new Map<Digest, Bytes[]>();
  for (const { imageId, id } of placesInUse(port, store.root))
    users.set(imageId, [...(users.get(imageId) ?? []), id]);
  return users;
}
