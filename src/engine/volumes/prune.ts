// `volume prune` and `system prune --volumes`: volumes that no container uses, and what killed commands have left.
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { filterSwitch, filterVolumes, splitFilter } from './filter.ts';
import { volumesInUse } from './in-use.ts';
import { volumeSizes } from './size.ts';
import type { VolumeStore } from './volume-store.ts';

export interface PruneVolumes {
  /** Named ones, too. */
  readonly all: boolean;
  /** `label`, `label!`, `all`. */
  readonly filters: readonly Bytes[];
}

/** Names of the volumes that are gone, and the bytes that they had. Throws CaissonError `EUSAGE` for a filter. */
export async function pruneVolumes(
  store: VolumeStore,
  { all, filters }: PruneVolumes,
): Promise<{ readonly deleted: readonly Bytes[]; readonly reclaimed: number }> {
  const users = volumesInUse(store.port, store.root);
  const switches = filters.map(splitFilter).filter(({ name }) => name === 'all');
  const everything = all || switches.some(({ name, value }) => filterSwitch(name, value));
  const rest = filters.filter((filter) => splitFilter(filter).name !== 'all');
  const fitting = filterVolumes(store.list(), rest, users, ['label', 'label!']);
  const chosen = fitting.filter(({ name, anonymous }) => (everything || anonymous) && !users.has(name));
  const sizes = await volumeSizes(store, chosen);
  const deleted: Bytes[] = [];
  let reclaimed = 0;
  for (const { name } of chosen) {
    try {
      await store.remove(name);
    } catch (error) {
      // A container has come for it, or another prune has been quicker.
      if (error instanceof CaissonError && (error.code === 'ECONFLICT' || error.code === 'ENOTFOUND'))
        continue;
      throw error;
    }
    deleted.push(name);
    reclaimed += sizes.get(name) ?? 0;
  }
  await store.tidy();
  return { deleted, reclaimed };
}
