// Carries out WORKDIR where its directory is not there yet.
import type { Bytes } from '../../linux/bytes.ts';
import { utf8ToBytes } from '../../linux/bytes.ts';
import type { DirectoryOperation } from '../graph/operations.ts';
import { makeDirectories } from '../tree/directories.ts';
import { removeWork } from '../tree/view.ts';
import type { TreeWorker } from '../tree/worker.ts';
import type { BuildEnvironment } from './environment.ts';
import { openStage } from './host-stage.ts';
import type { ResultLayer } from './result.ts';
import { resolveOwner } from './users.ts';

export async function directoryStep(
  environment: BuildEnvironment,
  worker: TreeWorker,
  { path, owner }: DirectoryOperation,
  layers: readonly ResultLayer[],
  directory: Bytes,
): Promise<void> {
  const view = await openStage(environment, worker, layers, directory);
  try {
    const ids = await resolveOwner(worker, view.root, owner);
    await worker.shut(await makeDirectories(worker, view.root, utf8ToBytes(path), 0o755, ids));
  } finally {
    await view.close();
    await removeWork(worker, directory);
  }
}
