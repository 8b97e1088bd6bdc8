// What the flags of a container mean on this host now, without its mounts and without looking into its root: who its user
// is stays open.
import { type CompiledRun, compileRun } from '../../frontends/docker/compile-run.ts';
import type { ContainerFile } from './container-file.ts';
import { type Engine, placeOf } from './engine.ts';
import { keptFacts } from './kept-run.ts';

/** Throws CaissonError as `compileRun`. */
export async function compiledFile(engine: Engine, file: ContainerFile): Promise<CompiledRun> {
  const { user: _, volume: __, mount: ___, volumesFrom: ____, ...mounted } = file.flags;
  const { secret: _____, ...flags } = mounted;
  const { User: ______, Volumes: _______, ...config } = file.config;
  const place = placeOf(engine, file.id);
  const { userns } = flags;
  const { reserveIds } = await import('../images/auto-ids.ts');
  const ids = await reserveIds(engine.port, engine.dataRoot, place, userns, { passwd: '', group: '' });
  const facts = {
    ...keptFacts(engine.port, { ...file, flags }),
    rootfs: `${place}/merged`,
    stateDirectory: place,
    ...(ids === undefined ? {} : { autoIds: ids }),
  };
  return compileRun(flags, file.args.length === 0 ? ['true'] : file.command, config, facts);
}
