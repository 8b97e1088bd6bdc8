// `caisson oci delete`: takes a container away by its id, killing it first where that is asked for.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { cgroupsInUse, clear, endProcess, lockStateRoot } from '../runtime/abandoned.ts';
import type { Player } from '../runtime/player.ts';
import { killInside, processesInside, sleep, withLauncher } from '../runtime/removal.ts';
import { type ContainerRecord, checkId, checkStateRoot, isKept, load } from '../runtime/state.ts';
import { CaissonError } from '../spec/error.ts';

export interface DeleteOptions {
  readonly stateRoot: Bytes;
  readonly id: Bytes;
  /** Kills a container that runs; one that is not there is no error. */
  readonly force: boolean;
}

/** How long the keeper of a killed container is given to clean up itself, in milliseconds. */
const PATIENCE = 5000;
const PAUSE = 10;

/**
 * Throws CaissonError ENOTFOUND without such a container, ECONFLICT for one that runs unless `force` is set, EBUSY
 * when its keeper does not clean up.
 */
export async function deleteContainer(port: Port, { stateRoot, id, force }: DeleteOptions): Promise<void> {
  checkId(id);
  checkStateRoot(port, stateRoot);
  const record = load(port, stateRoot, id);
  if (record === undefined) {
    if (force) return port.remove(`${stateRoot}/${id}`);
    throw new CaissonError(`container ${id} does not exist`, { code: 'ENOTFOUND', exitCode: 1 });
  }
  const kept = isKept(port, record);
  if (kept && !force) {
    throw new CaissonError(
      `cannot delete container ${id}, which is running: stop it, or delete it with --force`,
      {
        code: 'ECONFLICT',
        exitCode: 1,
      },
    );
  }
  await withLauncher(port, async (player) => {
    if (kept) await killContainer(port, player, record);
    if (kept && (await keeperHasCleaned(port, stateRoot, record))) return;
    await lockStateRoot(player, stateRoot);
    await clearIfDead(port, player, stateRoot, id);
  });
}

/** Its keeper then sees the end of the container as of any other. */
async function killContainer(port: Port, player: Player, record: ContainerRecord): Promise<void> {
  if (processesInside(port, record.cgroups).length > 0) await killInside(port, player, record.cgroups);
  // Without cgroups the container is found through its launcher, with which it dies.
  else await endProcess(port, player, record.launcher);
}

async function keeperHasCleaned(port: Port, stateRoot: Bytes, record: ContainerRecord): Promise<boolean> {
  const path = `${stateRoot}/${record.id}`;
  for (let waited = 0; waited < PATIENCE && isKept(port, record); waited += PAUSE) {
    if (port.stat(path) === undefined) return true;
    await sleep(port, PAUSE);
  }
  if (!isKept(port, record)) return port.stat(path) === undefined;
  throw new CaissonError(
    `process ${record.keeper.pid}, which keeps container ${record.id}, does not clean up: end it`,
    {
      code: 'EBUSY',
      exitCode: 1,
    },
  );
}

async function clearIfDead(port: Port, player: Player, stateRoot: Bytes, id: Bytes): Promise<void> {
  const record = load(port, stateRoot, id);
  if (record === undefined || isKept(port, record)) return;
  await clear(port, player, record, { stateRoot, taken: cgroupsInUse(port, stateRoot) }, () => undefined);
}
