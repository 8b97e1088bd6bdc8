// The layers of an image for an ordinary user's container with another map of ids than the user's usual one (keep-id).
//
// A user may not map the ids of a mount on a file system of the machine's (mount_setattr(2)), so that such layers are
// unpacked once more, by a launcher with that map, and shared by all containers that have it. They are layers of the store
// like others, upon a parent that is no layer: the digest of the map.
import { chainIds } from '../../image/store/chain.ts';
import { digestBytes } from '../../image/store/durable.ts';
import type { LayerFacts, LayerPath } from '../../image/store/layers.ts';
import type { Pin } from '../../image/store/pins.ts';
import type { Store } from '../../image/store/store.ts';
import { openFileLauncher } from '../../image/user-namespace.ts';
import { toArray } from '../../linux/bytes.ts';
import { formatIdMap } from '../../linux/idmap.ts';
import type { Digest } from '../../spec/digest.ts';
import type { ContainerIds } from './changes-view.ts';
import type { Shop } from './shop.ts';
import { eachAtOnce, type LayerOf, shortId } from './unpack.ts';

/** Layers that are unpacked at the same time. */
const AT_ONCE = 2;

/** The digest that stands below the layers of a map. */
function rootOfMap({ uids, gids }: ContainerIds): Digest {
  return digestBytes(toArray(`caisson id map\n${formatIdMap(uids)}\n${formatIdMap(gids)}`));
}

/**
 * The layers, unpacked for the maps. Their blobs must be in the store. Throws CaissonError EIDMAP where newuidmap(1)
 * refuses the map, and what applyLayer throws.
 */
export async function unpackMapped(
  shop: Shop,
  layers: readonly LayerOf[],
  ids: ContainerIds,
): Promise<LayerPath[]> {
  const { port, store, reporter } = shop;
  const [root = rootOfMap(ids), ...chains] = chainsUpon(
    rootOfMap(ids),
    layers.map(({ diffId }) => diffId),
  );
  return await eachAtOnce([...layers.entries()], AT_ONCE, async ([at, { descriptor }]) => {
    const chain = chains[at] as Digest;
    const parent = at === 0 ? root : (chains[at - 1] as Digest);
    const there = store.layers.get(chain);
    if (there !== undefined) return there;
    const { applyLayer } = await import('../../image/layer/apply.ts');
    return await store.layers.create(chain, parent, async (target): Promise<LayerFacts> => {
      reporter.part({ id: shortId(descriptor.digest), status: 'Extracting' });
      const cause = `layer ${descriptor.digest}`;
      const applied = await applyLayer(port, store.blobs.stream(descriptor), descriptor.mediaType, target, {
        cause,
        form: 'overlay',
        launcher: () => openFileLauncher(port, cause, ids),
      });
      return {
        diffId: applied.diffId,
        size: applied.fileBytes,
        members: applied.members,
        owners: 'keep',
        xattrs: 'user',
        ...(applied.opaqueRoot ? { opaqueRoot: true } : {}),
        ...(applied.namesRoot ? { namesRoot: true } : {}),
      };
    });
  });
}

/** `root`, and the chain ID of each layer above it. */
function chainsUpon(root: Digest, diffIds: readonly Digest[]): Digest[] {
  return chainIds([root, ...diffIds]);
}

/**
 * What a collection leaves of them: those whose usual layer is there. They go with the collection after that which takes
 * the usual ones.
 */
export function mappedPins({ layers }: Pick<Store, 'layers'>): Pin[] {
  const kept = layers.list().filter((chain) => {
    const diffIds: Digest[] = [];
    let next = layers.get(chain);
    let below: Digest | undefined;
    for (; next !== undefined; next = below === undefined ? undefined : layers.get(below)) {
      diffIds.unshift(next.facts.diffId);
      below = next.parent;
    }
    const usual = below === undefined ? undefined : chainIds(diffIds).at(-1);
    return usual !== undefined && layers.get(usual) !== undefined;
  });
  return kept.length === 0 ? [] : [{ layers: kept }];
}
