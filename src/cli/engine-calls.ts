// The calls of the commands into src/engine, each loaded when it is made.

import type { EngineCalls } from './context.ts';
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
  repair: async (dryRun, context) =>
    (
      await (
        await import('../engine/repair.ts')
      ).repair(context.port, { stateRoot: stateRoot(context), dryRun })
    ).join('\n'),
};
