// What an instruction is called in the progress of a build, how its errors point at it, and when it is tried again.
import type { Port } from '../../host/port.ts';
import { bytesToUtf8 } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { textKey } from '../cache/key.ts';
import type { Instruction } from '../dockerfile/instructions.ts';
import { errorIn } from '../dockerfile/source.ts';
import type { Operation, Origin } from '../graph/operations.ts';
import type { PlannedStage } from '../graph/plan.ts';

/** Files that vanish or become shorter while they are read are read again, a few times. */
export async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let left = ATTEMPTS - 1; left > 0; left--) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof CaissonError) || error.code !== 'ECHANGED') throw error;
    }
  }
  return await work();
}

/** Of a result that no other build will ask for. */
export function uniqueKey(port: Port): string {
  return textKey(port.random(32).join());
}

const ATTEMPTS = 4;

/** The code of a stage that was not brought to its end because another one failed. */
export const STOPPED = 'ESTOPPED';

export const MAKING: ReadonlySet<Instruction['kind']> = new Set(['run', 'copy', 'add', 'workdir']);

/** An error of an operation points at its instruction, where it does not point at a part of it already. */
export function located(error: unknown, { line }: Operation): unknown {
  if (!(error instanceof CaissonError) || ['EDOCKERFILE', 'EBUILD', STOPPED].includes(error.code))
    return error;
  const made = errorIn(line, 0, bytesToUtf8(error.message));
  const { errno, syscall, details } = error;
  return new CaissonError(made.message, {
    code: error.code === 'EUSAGE' ? 'EBUILD' : error.code,
    exitCode: 1,
    details: [...made.details, ...details],
    cause: error,
    ...(errno === undefined ? {} : { errno }),
    ...(syscall === undefined ? {} : { syscall }),
  });
}

export function originsOfOperation(operation: Operation): readonly Origin[] {
  if (operation.kind === 'copy') return [operation.origin];
  return operation.kind === 'run' ? operation.mounts.map(({ origin }) => origin) : [];
}

export function titleOf(
  { title, prefix, stage }: PlannedStage,
  { line }: Instruction,
  number: number,
  total: number,
): string {
  const text = line.text.trim().replace(/\s+/g, ' ');
  const shown = text.length > 160 ? `${text.slice(0, 157)}...` : text;
  const name = title === '' ? '' : `${stage.from.name === '' ? title : stage.from.name} `;
  return `[${prefix}${name}${number}/${total}] ${shown}`;
}
