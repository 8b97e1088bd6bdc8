// Stages on `host`, this machine's own files: allowed by name only, without cache, and no image.
//
// The files are no layers and have no digests, so that nothing that is made of them can be found again by a key, and an
// image on top of them would be one for this machine alone. What such a stage is for is what others copy out of it.

import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { errorIn, type LogicalLine } from '../dockerfile/source.ts';
import { openHostView } from '../tree/host-view.ts';
import { openView, openWritable, type View } from '../tree/view.ts';
import type { TreeWorker } from '../tree/worker.ts';
import type { BuildEnvironment } from './environment.ts';
import type { Input } from './inputs.ts';
import { uniqueKey } from './instruction.ts';
import { hostLayerOf, type ResultLayer, type StageResult, stackOf } from './result.ts';

/** `--allow` */
export const HOST_FILES = 'host.files';

/**
 * The files of this machine, and `directory`, an empty one of the build, for what a stage changes of them. Throws
 * CaissonError `EPERMISSION` where nobody has allowed it: a Dockerfile could read what it likes (T45).
 */
export function hostStage({ port, allowed }: BuildEnvironment, directory: Bytes | undefined): Input {
  if (!allowed(HOST_FILES))
    throw new CaissonError('host stands for the files of this machine, which a Dockerfile may not read', {
      code: 'EPERMISSION',
      exitCode: 1,
      details: [`if it is your own, allow it: --allow ${HOST_FILES}`],
    });
  if (port.uid !== 0)
    throw new CaissonError(
      "host needs root: in a user's namespace this machine's root cannot be looked at whole",
      {
        code: 'EPERMISSION',
        exitCode: 1,
      },
    );
  return { layers: [{ kind: 'host', directory }], key: `host ${uniqueKey(port)}` };
}

/** Throws CaissonError EDOCKERFILE for a stage on `host`: its changes are in one place, which goes on changing. */
export function refuseOnHost(result: StageResult, line: LogicalLine, offset: number): StageResult {
  if (hostLayerOf(result.layers) === undefined) return result;
  throw errorIn(
    line,
    offset,
    'a stage on host cannot be the base of another one: COPY --from it what is needed',
  );
}

/** Opens what a stage, an image or this machine has, for reading. */
export async function openLayers(
  { session, root, release }: BuildEnvironment,
  worker: TreeWorker,
  layers: readonly ResultLayer[],
): Promise<View> {
  const host = hostLayerOf(layers);
  if (host !== undefined) return await openHostView(worker, host.directory, false);
  return await openView(worker, {
    stack: stackOf(root, layers),
    kernel: release,
    directory: session.room('view'),
  });
}

/** Opens a stage for changes, which go into `directory`. */
export async function openStage(
  { root, release }: BuildEnvironment,
  worker: TreeWorker,
  layers: readonly ResultLayer[],
  directory: Bytes,
): Promise<View> {
  const host = hostLayerOf(layers);
  if (host !== undefined) return await openHostView(worker, host.directory, true);
  return await openWritable(worker, { stack: stackOf(root, layers), kernel: release, directory });
}
