// `run`: a container from its creation to its end.

import { boolean } from '../../frontends/flag.ts';
import { runContainer } from '../../runtime/oci-run.ts';
import type { OciCommand } from '../command.ts';
import { CREATE_FLAGS, createOptions } from '../create-options.ts';

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
  run: (invocation) => {
    const { port, parsed } = invocation;
    const detach = parsed.on('detach');
    return runContainer(port, { ...createOptions(invocation), detach, keep: parsed.on('keep') });
  },
};
