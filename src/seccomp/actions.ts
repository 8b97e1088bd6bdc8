// What a filter returns: the actions of a profile as the kernel's SECCOMP_RET_* values (seccomp(2)).

import {
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from '../linux/constants/seccomp.ts';
import { ERRNO } from '../linux/errno.ts';
import { CaissonError, type Pointer } from '../spec/error.ts';
import type { LinuxSeccompAction } from '../spec/runtime-spec.ts';

/** The kernel cuts a greater errno to this (MAX_ERRNO, include/linux/err.h). */
const MAX_ERRNO = 4095;

/** What a system call that the profile cannot know gets. */
export const RET_ENOSYS = SECCOMP_RET_ERRNO | ERRNO.ENOSYS;

const VALUES: Readonly<Record<LinuxSeccompAction, number>> = {
  // As libseccomp: KILL is the old name of KILL_THREAD.
  SCMP_ACT_KILL: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_THREAD: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: SECCOMP_RET_KILL_PROCESS,
  SCMP_ACT_TRAP: SECCOMP_RET_TRAP,
  SCMP_ACT_ERRNO: SECCOMP_RET_ERRNO,
  SCMP_ACT_TRACE: SECCOMP_RET_TRACE,
  SCMP_ACT_ALLOW: SECCOMP_RET_ALLOW,
  SCMP_ACT_LOG: SECCOMP_RET_LOG,
  SCMP_ACT_NOTIFY: SECCOMP_RET_USER_NOTIF,
};

/** Where in the configuration an action and its errno stand, for messages. */
export interface ActionPointers {
  readonly action: Pointer;
  readonly errnoRet: Pointer;
}

/**
 * The return value of an action. The errno is EPERM when absent, as runtime-spec config-linux.md says.
 * Throws CaissonError EINVALIDSPEC: unknown action; errno out of range; errno where the action has none
 * (the specification: "the runtime MUST print an error and fail").
 */
export function actionValue(
  action: LinuxSeccompAction,
  errnoRet: number | undefined,
  pointers: ActionPointers,
): number {
  const value = Object.hasOwn(VALUES, action) ? VALUES[action] : undefined;
  if (value === undefined) {
    throw new CaissonError(
      `seccomp action "${action}" is unknown: use one of ${Object.keys(VALUES).join(', ')}`,
      {
        code: 'EINVALIDSPEC',
        provenance: [pointers.action],
      },
    );
  }
  if (value !== SECCOMP_RET_ERRNO && value !== SECCOMP_RET_TRACE) {
    if (errnoRet === undefined) return value;
    throw new CaissonError(`seccomp action ${action} returns no errno: remove the errno ${errnoRet}`, {
      code: 'EINVALIDSPEC',
      provenance: [pointers.errnoRet],
    });
  }
  const errno = errnoRet ?? ERRNO.EPERM;
  const greatest = value === SECCOMP_RET_ERRNO ? MAX_ERRNO : 0xffff;
  if (!Number.isInteger(errno) || errno < 0 || errno > greatest) {
    throw new CaissonError(`seccomp errno ${errno} is out of range: ${action} takes 0 to ${greatest}`, {
      code: 'EINVALIDSPEC',
      provenance: [pointers.errnoRet],
    });
  }
  return value | errno;
}

/** Whether calls that the default action meets go through, so that unknown ones need no ENOSYS. */
export function isPermissive(value: number): boolean {
  const action = (value & SECCOMP_RET_ACTION_FULL) >>> 0;
  return action === SECCOMP_RET_ALLOW || action === SECCOMP_RET_LOG || action === SECCOMP_RET_TRACE;
}
