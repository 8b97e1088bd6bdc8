// Takes a result from a cache elsewhere: its layer is fetched, checked, unpacked, and becomes a result of this cache.
import { CaissonError } from '../../spec/error.ts';
import type { RemoteResult } from '../cache/remote.ts';
import { type KeptStep, writeBlob } from '../cache/steps.ts';
import type { BuildEnvironment } from './environment.ts';

/** undefined where it cannot be had: the step is then made here. */
export async function remoteStep(
  environment: BuildEnvironment,
  key: string,
  { record, descriptor, fetch }: RemoteResult,
): Promise<KeptStep | undefined> {
  const { port, kernel, session, progress } = environment;
  const { applyLayer } = await import('../../image/layer/apply.ts');
  const directory = session.stepRoom();
  try {
    await fetch();
    await kernel.makeTree(`${directory}/upper`);
    const { diffId } = await applyLayer(
      port,
      environment.blob(descriptor),
      descriptor.mediaType,
      `${directory}/upper`,
      { cause: `cache of ${record.title}`, form: 'overlay' },
    );
    if (diffId !== record.diffId)
      throw new CaissonError(`layer ${descriptor.digest} is another than the cache says`, {
        code: 'EDIGEST',
      });
    const { mediaType, digest, size } = descriptor;
    writeBlob(port, directory, 'gzip', { mediaType, digest, size, diffId });
    const step = { key, directory, created: record.created, title: record.title };
    await session.add(step);
    return step;
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
    progress.warn(`a cached result cannot be had: ${error.message}`);
    return undefined;
  }
}
