// A program that cannot be executed: what engines look for in the message, and the exit codes that a shell gives.

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

interface Detail {
  readonly provenance?: readonly string[];
  readonly details?: readonly string[];
  /** The program is there: what execve(2) did not find is its interpreter. */
  readonly there?: boolean;
}

/** The error of execve(2) on `program`, the first of the arguments. */
export function executionError(program: Bytes, errno: number, detail: Detail = {}): CaissonError {
  const { provenance = ['/process/args'], details = [], there = false } = detail;
  const unfound = errno === ERRNO.ENOENT && !program.includes('/');
  const what = unfound ? 'executable file not found in $PATH' : errnoText(errno);
  return new CaissonError(`execute ${program}: ${what} (${errnoName(errno)})`, {
    code: there ? 'EINTERPRETER' : errno === ERRNO.ENOENT ? 'ENOTFOUND' : 'ESYSCALL',
    errno,
    syscall: 'execve',
    provenance,
    details,
    exitCode: exitCodeOf(errno),
  });
}

/**
 * The error of a child that failed at its last step, where it executes; undefined when it was another. `there` says
 * that the program is, and its interpreter is not.
 */
export function executionFailure(
  execution: Execution,
  batch: Batch,
  answer: Answer,
  program: Bytes,
  { plan = batch, there = false }: { readonly plan?: Plan; readonly there?: boolean } = {},
): CaissonError | undefined {
  if (batch.records[answer.index]?.step.id !== 'execute') return undefined;
  const denied = execution.tries.some((slot) => slotValue(batch, answer, slot) === -ERRNO.EACCES);
  const errno = denied ? ERRNO.EACCES : answer.errno;
  const found = failure(batch, { ...answer, errno }, exitCodeOf(errno), plan);
  if (errno !== ERRNO.ENOENT) return found;
  return executionError(program, errno, { ...found, there });
}

/** 0 when one of the places of a program has it, or may have it, else the errno that execve(2) would end with. */
export function programErrno(tries: readonly Slot[], batch: Batch, answer: Answer): number {
  const results = tries.map((slot) => slotValue(batch, answer, slot));
  const unknown = [-ERRNO.EPERM, -ERRNO.ENOSYS];
  if (results.some((result) => result >= 0 || unknown.includes(result))) return 0;
  return results.includes(-ERRNO.EACCES) ? ERRNO.EACCES : -(results[0] ?? -ERRNO.ENOENT);
}

/** Throws CaissonError where there is no such program: `create` tells what otherwise only `start` would find out. */
export function requireProgram(program: Bytes, errno: number): void {
  if (errno !== 0) throw executionError(program, errno);
}
