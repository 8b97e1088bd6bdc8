// Pauses and resumes a container: its processes are frozen where they are (`runc pause`, `runc resume`).
import {
  type FreezerState,
  freezerState,
  freezerStateFile,
  freezeStep,
  thawStep,
} from '../cgroups/freezer.ts';
import type { Cgroup } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import { ERRNO } from '../linux/errno.ts';
import { CaissonError } from '../spec/error.ts';
import { notRunning, type Target, withContainer } from './container.ts';
import type { Player } from './player.ts';
import { sleep } from './removal.ts';

/** How long processes are given to stop, in milliseconds; one in an uninterruptible sleep stops when that ends. */
const PATIENCE = 10_000;
/** Of the files of a cgroup that has been removed. */
const GONE: readonly (number | undefined)[] = [ERRNO.ENOENT, ERRNO.ENODEV];
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 20;
/** After so many looks a v1 freezer that still says FREEZING is asked again; new processes are asked only then. */
const LOOKS = 2;

/**
 * Freezes a created or running container and returns when all of its processes stand still. Throws CaissonError
 * ENOTRUNNING for another status, EUNSUPPORTED without a freezer, EFREEZE when they do not stop within 10 s: they
 * then run on.
 */
export function pauseContainer(port: Port, target: Target): Promise<void> {
  return withContainer(port, target, 'exclusive', async ({ player, container }) => {
    const { status, record } = container;
    if (status !== 'running' && status !== 'created') throw notRunning();
    await freeze(port, player, record.cgroups);
  });
}

/** Lets a paused container go on. Throws CaissonError ENOTPAUSED for another status. */
export function resumeContainer(port: Port, target: Target): Promise<void> {
  return withContainer(port, target, 'exclusive', async ({ player, container }) => {
    if (container.status !== 'paused') {
      throw new CaissonError('container not paused', { code: 'ENOTPAUSED', exitCode: 1 });
    }
    await player.play([thawStep(container.record.cgroups)]);
  });
}

/** Freezes processes and waits for it; on failure they run on. Throws as `pauseContainer`. */
export async function freeze(
  port: Pick<Port, 'readFile' | 'after'>,
  player: Pick<Player, 'play'>,
  cgroups: readonly Cgroup[],
): Promise<void> {
  const ask = freezeStep(cgroups);
  try {
    let pause = FIRST_PAUSE;
    for (let waited = 0, looks = 0; waited <= PATIENCE; looks++) {
      if (looks % LOOKS === 0) await player.play([ask]);
      if (stateOf(port, cgroups) === 'frozen') return;
      await sleep(port, pause);
      waited += pause;
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
    throw new CaissonError(`unable to freeze: processes do not stop within ${PATIENCE / 1000} s`, {
      code: 'EFREEZE',
      exitCode: 1,
    });
  } catch (error) {
    await player.play([thawStep(cgroups)]).catch(() => undefined);
    // The cgroup has gone since: its last process has ended, and somebody tidies up.
    const gone = error instanceof CaissonError && GONE.includes(error.errno);
    throw gone ? notRunning() : error;
  }
}

function stateOf(port: Pick<Port, 'readFile'>, cgroups: readonly Cgroup[]): FreezerState {
  const file = freezerStateFile(cgroups);
  return freezerState(file === undefined ? '' : (port.readFile(file) ?? ''));
}
