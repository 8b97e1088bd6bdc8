// Opens the tree that files are copied from: the context, or what the layers of a stage or an image show together.
import type { CopyOperation } from '../graph/operations.ts';
import type { View } from '../tree/view.ts';
import type { TreeWorker } from '../tree/worker.ts';
import { type BuildEnvironment, contextOf } from './environment.ts';
import { openLayers } from './host-stage.ts';
import type { Inputs } from './inputs.ts';

export async function openOrigin(
  environment: BuildEnvironment,
  worker: TreeWorker,
  { origin }: CopyOperation,
  inputs: Inputs,
): Promise<View> {
  if (origin.kind !== 'context')
    return await openLayers(environment, worker, (await inputs.of(origin)).layers);
  const { directory } = contextOf(environment, origin.name);
  // A build without context has an empty one.
  const root = await worker.openDirectory(directory ?? environment.session.room('empty'));
  return { root, close: () => worker.shut(root) };
}
