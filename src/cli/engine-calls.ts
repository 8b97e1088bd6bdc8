// The calls of the commands into src/engine, each loaded when it is made.

import { CaissonError } from '../spec/error.ts';
import type { EngineCalls } from './context.ts';

export const engineCalls: EngineCalls = {
  planScript: () => missing('plan --sh'),
  ociDelete: () => missing('oci delete'),
  doctor: () => missing('doctor'),
  cgroupList: () => missing('cgroup ls'),
  cgroupMove: () => missing('cgroup move'),
  cgroupInspect: () => missing('cgroup inspect'),
  repair: () => missing('system repair'),
};

function missing(what: string): never {
  throw new CaissonError(`caisson ${what} is not connected to the engine yet`, { code: 'ELATER' });
}
