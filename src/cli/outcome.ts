// How the end of a container reaches the caller: its exit code, and a line where the kernel held it to a limit.

import { describeOutOfMemory } from '../runtime/oom.ts';
import { describeProcessLimit } from '../runtime/process-limit.ts';
import type { Exit } from '../runtime/start.ts';
import type { Context } from './context.ts';

/** The exit code of the command. */
export function outcome({ port }: Pick<Context, 'port'>, { code, oom, processes }: Exit): number {
  if (oom !== undefined) port.write(2, `caisson: ${describeOutOfMemory(oom)}\n`);
  if (processes !== undefined) port.write(2, `caisson: ${describeProcessLimit(processes)}\n`);
  return code;
}
