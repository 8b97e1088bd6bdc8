// A program that cannot be executed: what engines look for in the message, and the exit codes that a shell gives.

import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { ERRNO, errnoName, errnoText } from '../linux/errno.ts';
import type { Slot } from '../plan/call.ts';
import type { Execution } from '../plan/compile/execute.ts';
import { type Answer, type Batch, slotValue } from '../plan/encode.ts';
import type { Plan } from '../plan/step.ts';
import { CaissonError } from '../spec/error.ts';
import { failure } from './failure.ts';

/** docker and podman answer 127 where there is no such program, 126 where it cannot be executed. */
function exitCodeOf(errno: number): number {
  return errno === ERRNO.ENOENT || errno === ERRNO.ENOTDIR ? 127 : 126;
}

/** The error of execve(2) on `program`, the first of the arguments. */
export function executionError(
  program: Bytes,
  errno: number,
  detail: { readonly provenance?: readonly string[]; readonly details?: readonly string[] } = {},
): CaissonError {
  const { provenance = ['/process/args'], details = [] } = detail;
  const unfound = errno === ERRNO.ENOENT && !program.includes('/');
  const what = unfound ? 'executable file not found in $PATH' : errnoText(errno);
  return new CaissonError(`execute ${program}: ${what} (${errnoName(errno)})`, {
    code: errno === ERRNO.ENOENT ? 'ENOTFOUND' : 'ESYSCALL',
    errno,
    syscall: 'execve',
    provenance,
    details,
    exitCode: exitCodeOf(errno),
  });
}

/** The error of a child that failed at its last step, where it executes; undefined when it was another. */
export function executionFailure(
  execution: Execution,
  batch: Batch,
  answer: Answer,
  program: Bytes,
  plan: Plan = batch,
): CaissonError | undefined {
  if (batch.records[answer.index]?.step.id !== 'execute') return undefined;
  const denied = execution.tries.some((slot) => slotValue(batch, answer, slot) === -ERRNO.EACCES);
  const errno = denied ? ERRNO.EACCES : answer.errno;
  const found = failure(batch, { ...answer, errno }, exitCodeOf(errno), plan);
  if (errno !== ERRNO.ENOENT) return found;
  return executionError(program, errno, found);
}

/** 0 when one of the places of a program has it, or may have it, else the errno that execve(2) would end with. */
export function programErrno(tries: readonly Slot[], batch: Batch, answer: Answer): number {
  const results = tries.map((slot) => slotValue(batch, answer, slot));
  const unknown = [-ERRNO.EPERM, -ERRNO.ENOSYS];
  if (results.some((result) => result >= 0 || unknown.includes(result))) return 0;
  return results.includes(-ERRNO.EACCES) ? ERRNO.EACCES : -(results[0] ?? -ERRNO.ENOENT);
}

/** Rejects where there is no such program: `create` tells what otherwise only `start` would find out. */
export async function requireProgram(program: Bytes, errno: number): Promise<void> {
  if (errno !== 0) throw executionError(program, errno);
}

/**
 * What runc prints when execve(2) finds the program and no interpreter for it: both are ENOENT. `root` is the host path
 * below which the program is; any other error is left as it is.
 */
export function interpreterMissing(port: Port, root: Bytes, error: unknown): unknown {
  if (!(error instanceof CaissonError) || error.syscall !== 'execve' || error.errno !== ERRNO.ENOENT)
    return error;
  const { message, provenance, exitCode, errno } = error;
  const program = /^execute (\/[\s\S]*): /.exec(message)?.[1];
  if (program === undefined || port.stat(`${root}${program}`)?.type !== 'file') return error;
  const text = `exec ${program}: ${errnoText(errno)}`;
  return new CaissonError(text, { code: 'EINTERPRETER', provenance, exitCode, errno, cause: error });
}
