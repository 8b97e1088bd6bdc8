// `caisson oci run`, runc's command of the same name.

import { ociRun } from '../../engine/oci-run.ts';
import { boolean, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type Command, flagOn, flagText } from '../command.ts';
import { outcome } from '../outcome.ts';
import { stateRoot } from '../state-root.ts';

const LATER = { later: 'the OCI runtime (issue 3)' };

export const command: Command = {
  name: 'oci run',
  summary: 'Create and run a container',
  usage: '[OPTIONS] CONTAINER',
  flags: [
    value('bundle', 'Directory of the bundle', {
      short: 'b',
      takes: 'DIR',
      fallback: '.',
      completes: 'directory',
    }),
    value('pid-file', 'Write the process id to the file', { takes: 'FILE', completes: 'file' }),
    boolean('no-pivot', 'Do not use pivot_root; for a root on a ramdisk'),
    boolean('no-new-keyring', 'Keep the session keyring of the caller'),
    boolean('no-subreaper', 'Accepted for runc; there is no subreaper'),
    value('console-socket', 'Socket that gets the terminal', { takes: 'SOCKET', ...LATER }),
    boolean('detach', 'Leave when the container has started', { short: 'd', ...LATER }),
    boolean('keep', 'Keep the container after it exits', LATER),
    value('preserve-fds', 'Pass N more file descriptors', { takes: 'N', ...LATER }),
    value('pidfd-socket', 'Socket that gets a pidfd', { takes: 'SOCKET', ...LATER }),
  ],
  arguments: [1, 1],
  singleDash: true,
  run: async (parsed, context) => {
    const [id] = parsed.positionals as [Bytes];
    const pidFile = flagText(parsed, 'pid-file');
    const exit = await ociRun(context.port, {
      id,
      bundle: flagText(parsed, 'bundle') ?? '.',
      stateRoot: stateRoot(context),
      ...(pidFile === undefined ? {} : { pidFile }),
      noPivot: flagOn(parsed, 'no-pivot'),
      noNewKeyring: flagOn(parsed, 'no-new-keyring'),
      warn: (message) => {
        if (context.globals.debug) context.warn(message);
      },
    });
    return outcome(context, exit);
  },
};
