// The calls of the commands into src/engine, each loaded when it is made.

import type { Bytes } from '../linux/bytes.ts';
import type { Context, EngineCalls } from './context.ts';
import { stateRoot } from './state-root.ts';

export const engineCalls: EngineCalls = {
  doctor: async (json, context) =>
    (await import('../engine/doctor.ts')).doctor(context.port, {
      stateRoot: stateRoot(context),
      json,
      width: context.width,
    }),
  cgroupList: async (all, context) =>
    (await import('../engine/cgroup-list.ts')).cgroupList(context.port, stateRoot(context), all),
  cgroupMove: async (pid, target, context) =>
    (await import('../engine/cgroup-move.ts')).cgroupMove(context.port, stateRoot(context), pid, target),
  cgroupInspect: async (target, asJson, context) =>
    (await import('../engine/cgroup-inspect.ts')).cgroupInspect(
      context.port,
      stateRoot(context),
      target,
      asJson,
    ),
  repair: async (dryRun, context) => {
    const { repair } = await import('../engine/repair.ts');
    const lines = await repair(context.port, { stateRoot: stateRoot(context), dryRun });
    const contained = await repairKept(dryRun, context);
    const places = await repairPlaces(dryRun, context);
    return [
      ...lines,
      ...contained,
      ...places.map((place) => `${dryRun ? 'would remove' : 'removed'} ${place}`),
    ].join('\n');
  },
};

/** What is left of containers that stay. */
async function repairKept(dryRun: boolean, context: Context): Promise<readonly Bytes[]> {
  const { port, globals } = context;
  const { homeOf } = await import('../image/store/location.ts');
  if (port.uid !== 0 && globals.dataRoot === undefined && homeOf(port) === undefined) return [];
  const [{ repairContainers }, { containerEngine }] = await Promise.all([
    import('../engine/containers/repair.ts'),
    import('./container-engine.ts'),
  ]);
  return await repairContainers(await containerEngine(context), dryRun);
}

/** What containers of images have left. Who has no home has no images either. */
async function repairPlaces(dryRun: boolean, { port, globals }: Context): Promise<readonly Bytes[]> {
  const [{ removeAbandoned }, { homeOf, storeLocation }] = await Promise.all([
    import('../engine/images/prune.ts'),
    import('../image/store/location.ts'),
  ]);
  if (port.uid !== 0 && globals.dataRoot === undefined && homeOf(port) === undefined) return [];
  const { root } = await storeLocation(port, globals.dataRoot);
  return await removeAbandoned(port, root, dryRun);
}
