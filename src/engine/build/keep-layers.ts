// Makes the unpacked layers of a new image of the trees that its build has already, so that no run unpacks them.
//
// The upper directory of a result becomes the layer's tree, and the result keeps a link to it: nothing is copied. Where
// a tree is not what its archive unpacks to, or cannot be moved, the archive is unpacked here and now.

import { type KeptStep, writeStep } from '../../build/cache/steps.ts';
import type { BuildEnvironment } from '../../build/execute/environment.ts';
import type { ResultLayer } from '../../build/execute/result.ts';
import type { ExportedLayer } from '../../build/export/layers.ts';
import { settleTrees } from '../../image/layer/settle.ts';
import { chainIds } from '../../image/store/chain.ts';
import type { FinishedTree } from '../../image/store/layers.ts';
import { splitDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Shop } from '../images/shop.ts';
import { type LayerOf, layersOf, unpackAll } from '../images/unpack.ts';

/** `epoch`: as the layers were written with. Throws CaissonError. */
export async function keepLayers(
  shop: Shop,
  environment: BuildEnvironment,
  layers: readonly ResultLayer[],
  exported: readonly ExportedLayer[],
  epoch: number | undefined,
): Promise<void> {
  const diffIds = exported.map(({ diffId }) => diffId);
  const described = layersOf(
    exported.map(({ descriptor }) => descriptor),
    diffIds,
    chainIds(diffIds),
  );
  const missing = described.flatMap((layer, at) => {
    const result = layers[at];
    const wanted = result?.kind === 'step' && shop.store.layers.get(layer.chain) === undefined;
    return wanted && result.step.layer === undefined ? [{ layer, step: result.step }] : [];
  });
  if (missing.length > 0) await adopt(shop, environment, missing, epoch);
  await unpackAll(shop, described);
}

async function adopt(
  { port, store }: Shop,
  { session, disk }: BuildEnvironment,
  missing: readonly { readonly layer: LayerOf; readonly step: KeptStep }[],
  epoch: number | undefined,
): Promise<void> {
  // Files are on the disk before they are a layer, and a result has its record before it has a link.
  await session.commit();
  const free = missing.filter(({ step: { directory } }, at) => {
    const first = missing.findIndex(({ step }) => step.directory === directory) === at;
    // Another build may have made a layer of it meanwhile.
    return first && disk.stat(`${directory}/upper`)?.type === 'directory';
  });
  const candidates = free.map(({ step }) => ({ directory: `${step.directory}/upper`, cause: step.title }));
  const settled = await settleTrees(port, candidates, epoch);
  const trees = free.flatMap(({ layer, step }, at): FinishedTree[] => {
    const tree = settled[at];
    if (tree === undefined) return [];
    const { chain, parent, diffId } = layer;
    const { members, bytes, owners, xattrs } = tree;
    writeStep(port, { ...step, layer: chain });
    const link = `../../../layers/${splitDigest(chain).hex}/tree`;
    const facts = { diffId, size: bytes, members, owners, xattrs };
    return [{ chain, parent, facts, from: `${step.directory}/upper`, link }];
  });
  try {
    await store.layers.adopt(trees);
  } catch (error) {
    // The trees stay where they were: another file system is mounted below `build`.
    if (!(error instanceof CaissonError && error.code === 'ESYSCALL')) throw error;
  }
}
