// Whether there is a program to execute, asked while the container is created: engines expect that create tells it.
import { AT_EACCESS, X_OK } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import { call, number, type Slot, slot, string } from '../call.ts';
import * as sys from '../syscalls.ts';
import type { Context } from './context.ts';
import { candidates } from './execute.ts';

/** The child's answer of what it found; without a program TypeScript ends it here. */
export const PAUSE_PROGRAM = 6;

/** As the container's user, in its root. Each slot is the result of one place: 0, or a negative errno. */
export function findProgram(c: Context): Slot[] | undefined {
  if (c.options.barrier === undefined) return undefined;
  const { args = [], env = [] } = c.spec.process ?? {};
  const program = args[0] ?? '';
  const found = candidates(program, env).map((path) => slot(path, { reply: true }));
  // A filter that is on already may not know this call: then only execve(2) tells (EPERM, ENOSYS).
  const filtered = c.spec.linux?.seccomp !== undefined && !c.spec.process?.noNewPrivileges;
  // A record tolerates four errnos.
  const tolerate = filtered
    ? [ERRNO.ENOENT, ERRNO.EACCES, ERRNO.EPERM, ERRNO.ENOSYS]
    : [ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.EACCES, ERRNO.ELOOP];
  c.child('find-program', `look for ${program}`, '/process/args', [
    ...found.map((result) =>
      call(
        'faccessat2',
        [
          number(sys.AT_FDCWD, F.DIRFD),
          string(result.name),
          number(X_OK),
          number(AT_EACCESS, F.ACCESS_FLAGS),
        ],
        { result, tolerate },
      ),
    ),
    sys.pause(PAUSE_PROGRAM),
  ]);
  return found;
}
