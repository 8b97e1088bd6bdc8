// The figures of `system df` about volumes.
import { hostDisk } from '../../host/node-disk.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Shop } from '../images/shop.ts';
import { volumesInUse } from './in-use.ts';
import { volumeSizes } from './size.ts';
import { VolumeStore } from './volume-store.ts';

export interface VolumeUsage {
  readonly name: Bytes;
  /** Containers that use it. */
  readonly links: number;
  /** Bytes of its files; 0 for one that is a directory of the host, or of memory. */
  readonly size: number;
}

/** The volumes of a data root that is open already. */
export function volumesBeside({ port, store }: Shop): VolumeStore {
  return new VolumeStore(port, hostDisk(), store.root, true);
}

/** By name. What is damaged is left out: `volume ls` tells. */
export async function volumeUsage(store: VolumeStore): Promise<VolumeUsage[]> {
  const volumes = store.list();
  const users = volumesInUse(store.port, store.root);
  const sizes = await volumeSizes(store, volumes);
  return volumes.map(({ name }) => ({
    name,
    links: users.get(name)?.length ?? 0,
    size: sizes.get(name) ?? 0,
  }));
}
