// `run`: a container from its creation to its end.

import { boolean } from '../../frontends/flag.ts';
import type { Port } from '../../host/port.ts';
import { type OciRunOptions, runAttachedOci, runContainer } from '../../runtime/oci-run.ts';
import { describeOutOfMemory } from '../../runtime/oom.ts';
import { describeProcessLimit } from '../../runtime/process-limit.ts';
import type { OciCommand } from '../command.ts';
import { CREATE_FLAGS, createOptions } from '../create-options.ts';
import { besideSocket, untilReady, whileReady } from '../readiness.ts';

export const command: OciCommand = {
  name: 'run',
  summary: 'Create and run a container',
  usage: '<container-id>',
  description: `Makes the container of a bundle, runs its program, and deletes the container when that ends. The exit code is the
program's, or 128 and the number of the signal that killed it. The id is a name of your choice: letters, digits,
"_", "+", "-" and ".".`,
  flags: [
    ...CREATE_FLAGS,
    boolean('detach', 'Leave when the program has started', { short: 'd' }),
    boolean('keep', 'Do not delete the container when its program has ended'),
    boolean('no-subreaper', 'Accepted for runc; there is no subreaper'),
  ],
  arguments: [1, 1],
  failure: 'runc run failed: ',
  run: async (invocation) => {
    const { port, parsed, log } = invocation;
    const options = { ...createOptions(invocation), keep: parsed.on('keep') };
    if (parsed.on('detach')) return detached(port, options);
    const { code, oom, processes } = await whileReady(
      port,
      options,
      () => runAttachedOci(port, options),
      (message) => log.warn(message),
    );
    // What runc leaves to the reader of the exit code.
    if (oom !== undefined) log.warn(describeOutOfMemory(oom));
    if (processes !== undefined) log.warn(describeProcessLimit(processes));
    return code;
  },
};

function detached(port: Port, options: OciRunOptions): Promise<number> {
  const run = (): Promise<number> => runContainer(port, { ...options, detach: true });
  return besideSocket(port, options, () => untilReady(port, options, run));
}
