// Turns a failing record into an error that names the step, the field that caused it, the system call and the errno.
import { errnoName, errnoText } from '../linux/errno.ts';
import type { Answer, Batch } from '../plan/encode.ts';
import { type Plan, readingOrder } from '../plan/step.ts';
import { CaissonError } from '../spec/error.ts';

/** The error behind a `failed` or `refused` answer. `plan` is the whole of which the batch is a part. */
export function failure(batch: Batch, answer: Answer, exitCode = 125, plan: Plan = batch): CaissonError {
  const record = batch.records[answer.index];
  if (answer.kind === 'refused' || record === undefined) {
    return new CaissonError(`the launcher refused the plan at record ${answer.index}`, { code: 'EPLAN' });
  }
  const { step, call } = record;
  const steps = readingOrder(plan);
  const syscall = call.name === 'FORK' ? 'clone3' : call.name;
  return new CaissonError(`${step.title}: ${errnoText(answer.errno)} (${errnoName(answer.errno)})`, {
    code: 'ESYSCALL',
    errno: answer.errno,
    syscall,
    provenance: step.provenance,
    details: [
      `step ${steps.findIndex((entry) => entry.step === step) + 1} of ${steps.length}, system call ${syscall}`,
    ],
    exitCode,
  });
}
