// Out of memory: whether the kernel killed processes of a container for want of memory, and how that is told.
import { hierarchyOf } from '../cgroups/layout.ts';
import { oomStep } from '../cgroups/oom.ts';
import type { Cgroup } from '../cgroups/path.ts';
import { SIGNALS } from '../linux/signals.ts';
import type { Int64 } from '../spec/runtime-spec.ts';
import { type Player, repliesOf } from './player.ts';

/** The kernel killed processes of the container for want of memory. */
export interface OutOfMemory {
  /** The container's own limit in bytes; undefined when an ancestor's was the one, or the host's memory. */
  readonly limit: Int64 | undefined;
}

/** How a shell, and `--init`, tell that a program was killed. */
const KILLED = 128 + SIGNALS.SIGKILL;

/**
 * Looks at the counts of the memory cgroup, which must still exist. Only an end by SIGKILL is worth a look, by the
 * container's first process or by the program that it waited for: a container that survives a kill inside is fine.
 */
export async function outOfMemory(
  player: Player,
  cgroups: readonly Cgroup[],
  exit: { readonly code: number },
): Promise<OutOfMemory | undefined> {
  if (exit.code !== KILLED) return undefined;
  const { steps, report } = oomStep(cgroups);
  if (steps.length === 0) return undefined;
  const found = report(repliesOf(await player.play(steps)));
  if (found === undefined || found.kills <= 0) return undefined;
  // v2 counts reliably who ran into whose limit, v1 does not (see OomReport).
  const ancestors = hierarchyOf(cgroups, 'memory')?.version === 2 && found.limitHits === 0;
  return { limit: ancestors ? undefined : found.limit };
}

/** One line for a person: `out of memory (limit 64 MiB)`. */
export function describeOutOfMemory({ limit }: OutOfMemory): string {
  if (limit === undefined)
    return 'out of memory (the limit is not of the container itself, but of a cgroup above it)';
  return `out of memory (limit ${binarySize(limit)})`;
}

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** Bytes in the largest binary unit that they fill: `64 MiB`, `1.5 GiB`, `100 bytes`. */
export function binarySize(bytes: Int64): string {
  let amount = Number(bytes);
  let unit = 'bytes';
  for (const next of UNITS) {
    if (amount < 1024) break;
    amount /= 1024;
    unit = next;
  }
  return `${Math.round(amount * 100) / 100} ${unit}`;
}
