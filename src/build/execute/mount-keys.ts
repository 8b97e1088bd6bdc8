// What the mounts of a RUN add to its key: the content of what is bound, and nothing of caches, secrets and agents.
import { contentKey, keyOf } from '../cache/key.ts';
import { errorIn } from '../dockerfile/source.ts';
import type { RunOperation } from '../graph/operations.ts';
import { hashFiles } from '../tree/content.ts';
import { select } from '../tree/select.ts';
import type { TreeWorker } from '../tree/worker.ts';
import { type BuildEnvironment, contextOf } from './environment.ts';
import type { Inputs } from './inputs.ts';

/** One key for each mount. Throws CaissonError EDOCKERFILE for a source that is not there. */
export async function mountKeys(
  environment: BuildEnvironment,
  worker: () => Promise<TreeWorker>,
  operation: RunOperation,
  inputs: Inputs,
): Promise<string[]> {
  const keys: string[] = [];
  for (const { mount, origin } of operation.mounts) {
    if (mount.type !== 'bind') keys.push('');
    else if (origin.kind !== 'context') keys.push(`all of ${(await inputs.of(origin)).key}`);
    else {
      const found = await contextKey(environment, await worker(), origin.name, mount.source);
      if (found === undefined)
        throw errorIn(
          operation.line,
          mount.word.offset,
          `--mount: ${mount.source}: not found in the build context`,
        );
      keys.push(found);
    }
  }
  return keys;
}

async function contextKey(
  environment: BuildEnvironment,
  worker: TreeWorker,
  name: string | undefined,
  source: string,
): Promise<string | undefined> {
  const context = contextOf(environment, name);
  const top = await worker.openDirectory(context.directory ?? environment.session.room('empty'));
  try {
    const { found } = await select(worker, top, source.replace(/[*?[\\]/g, '\\$&'), {
      ignore: context.ignore,
      exclude: [],
    });
    const [selected] = found;
    if (selected === undefined) return undefined;
    const digests = await hashFiles(worker, selected.directory, selected.entries);
    await worker.shut(selected.directory);
    return keyOf('bind', { kind: selected.kind, content: contentKey(selected.entries, digests, 'none') });
  } finally {
    await worker.shut(top);
  }
}
