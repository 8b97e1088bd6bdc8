// Refused processes: whether a container ran into a limit on their number, and how that is told.
import type { Cgroup } from '../cgroups/path.ts';
import { processLimitStep } from '../cgroups/process-limit.ts';
import type { Int64 } from '../spec/runtime-spec.ts';
import { type Player, repliesOf } from './player.ts';

/** The kernel refused processes to the container. */
export interface ProcessLimit {
  /** How often. */
  readonly refusals: Int64;
  /** The container's own limit; undefined when a cgroup above had the tighter one. */
  readonly limit: Int64 | undefined;
}

/**
 * Looks at the counts of the pids cgroup, which must still exist. Only an end with an error is worth a look: the
 * kernel says no more than EAGAIN to the program, which passes on less.
 */
export async function processLimit(
  player: Player,
  cgroups: readonly Cgroup[],
  exit: { readonly code: number },
): Promise<ProcessLimit | undefined> {
  if (exit.code === 0) return undefined;
  const { steps, report } = processLimitStep(cgroups);
  if (steps.length === 0) return undefined;
  const found = report(repliesOf(await player.play(steps)));
  return found !== undefined && found.refusals > 0 ? found : undefined;
}

/** One line for a person: `the limit of 20 processes was reached`. */
export function describeProcessLimit({ limit }: ProcessLimit): string {
  if (limit === undefined)
    return 'a limit on processes was reached (not of the container itself, but of a cgroup above it)';
  return `the limit of ${limit} process${limit === 1 ? '' : 'es'} was reached`;
}
