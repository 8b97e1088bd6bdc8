// Which volumes a run asks for; what works on volumes is loaded only where it asks for one.
import type { FrontendFacts, ImageConfig } from '../../frontends/docker/facts.ts';
import { requestedVolumes } from '../../frontends/docker/filesystem.ts';
import type { RunFlags } from '../../frontends/docker/run-flags.ts';
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { ForContainer, RunVolumes } from './run-volumes.ts';

/** undefined where flags and image ask for none. Throws as compileRun and planVolumes. */
export async function volumesOf(
  port: Port,
  dataRoot: Bytes | undefined,
  flags: RunFlags,
  image: ImageConfig,
  facts: Pick<FrontendFacts, 'cwd' | 'containers'>,
  container: ForContainer,
): Promise<RunVolumes | undefined> {
  const requests = requestedVolumes(flags, image, facts);
  if (requests.length === 0) return undefined;
  const { planVolumes } = await import('./run-volumes.ts');
  return await planVolumes(port, dataRoot, requests, container);
}

/** Facts with the mounts of the containers that `--volumes-from` names. Throws CaissonError `ENOTFOUND`. */
export async function withOthers<F extends Pick<FrontendFacts, 'containers'>>(
  port: Port,
  facts: F,
  roots: { readonly dataRoot: Bytes | undefined; readonly stateRoot: Bytes },
  flags: RunFlags,
): Promise<F> {
  if (flags.volumesFrom === undefined) return facts;
  const { mountsForRun } = await import('./of-containers.ts');
  return { ...facts, containers: await mountsForRun(port, roots, flags) };
}
