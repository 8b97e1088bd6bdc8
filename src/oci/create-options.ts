// The options of `create` and `run`, and what the runtime makes of them.

import { boolean, type Flag, value } from '../frontends/flag.ts';
import type { Bytes } from '../linux/bytes.ts';
import { alreadyExists } from '../runtime/container.ts';
import { checkId } from '../runtime/state.ts';
import { CaissonError } from '../spec/error.ts';
import { absolute, type Invocation, usageError } from './command.ts';
import { amendment, listenFds } from './inherited.ts';
import { logStages } from './stages.ts';

export const BUNDLE: Flag = value('bundle', 'Directory of the bundle (default: the current one)', {
  short: 'b',
  takes: 'DIR',
  completes: 'directory',
});

/** Where descriptors and the process id go to: `create`, `run` and `exec`. */
export const HANDOVER_FLAGS: readonly Flag[] = [
  value('console-socket', "AF_UNIX socket that gets the terminal's master", {
    takes: 'SOCKET',
    completes: 'file',
  }),
  value('pidfd-socket', 'AF_UNIX socket that gets a pidfd of the process', {
    takes: 'SOCKET',
    completes: 'file',
  }),
  value('pid-file', 'Write the process id to this file', { takes: 'FILE', completes: 'file' }),
  value('preserve-fds', 'Pass N more descriptors on, from 3 (and those of $LISTEN_FDS before them)', {
    takes: 'N',
    fallback: '0',
  }),
];

export const CREATE_FLAGS: readonly Flag[] = [
  BUNDLE,
  ...HANDOVER_FLAGS,
  boolean('no-pivot', 'Do not use pivot_root; for a root on a ramdisk'),
  boolean('no-new-keyring', 'Keep the session keyring of the caller'),
];

/** What is common to all commands that start a process. */
export interface Handover {
  readonly pidFile?: Bytes;
  readonly consoleSocket?: Bytes;
  readonly pidfdSocket?: Bytes;
  readonly preserveFds?: number;
}

/** Throws CaissonError EUSAGE for a number of descriptors that is none. */
export function handover({ port, parsed }: Invocation): Handover {
  const path = (name: string): Bytes | undefined => {
    const given = parsed.text(name);
    return given === undefined ? undefined : absolute(port, given);
  };
  const pidFile = path('pid-file');
  const consoleSocket = path('console-socket');
  const pidfdSocket = path('pidfd-socket');
  const preserveFds = parsed.integer('preserve-fds');
  if (preserveFds !== undefined && preserveFds < 0)
    throw usageError(`--preserve-fds ${preserveFds}: not a count`);
  return {
    ...(pidFile === undefined ? {} : { pidFile }),
    ...(consoleSocket === undefined ? {} : { consoleSocket }),
    ...(pidfdSocket === undefined ? {} : { pidfdSocket }),
    ...(preserveFds === undefined ? {} : { preserveFds }),
  };
}

/**
 * For createContainer and runContainer of src/runtime. Throws CaissonError ENOBUNDLE without the bundle's directory,
 * ECONFLICT for an id that is taken: that is the first that engines want to know.
 */
export function createOptions(invocation: Invocation) {
  const { parsed, globals, log, port } = invocation;
  const { rootless } = globals;
  const target = invocation.target();
  checkId(target.id);
  if (port.stat(`${target.stateRoot}/${target.id}`) !== undefined) throw alreadyExists(target.id);
  logStages(log, 'create');
  const amend = amendment(port, target);
  const given = handover(invocation);
  return {
    ...target,
    ...given,
    preserveFds: listenFds(port) + (given.preserveFds ?? 0),
    ...(amend === undefined ? {} : { amend }),
    bundle: bundleOf(invocation),
    noPivot: parsed.on('no-pivot'),
    noNewKeyring: parsed.on('no-new-keyring'),
    ...(rootless === undefined ? {} : { rootless }),
    warn: (message: string) => log.warn(message),
    warnOfHook: (message: string) => log.warn(message),
  };
}

function bundleOf({ port, parsed }: Invocation): Bytes {
  const given = parsed.text('bundle') ?? '.';
  const directory = absolute(port, given).replace(/(?:\/\.?)+$/, '') || '/';
  if (port.stat(directory)?.type === 'directory') return directory;
  throw new CaissonError(`chdir ${parsed.text('bundle') ?? directory}: no such file or directory`, {
    code: 'ENOBUNDLE',
  });
}
