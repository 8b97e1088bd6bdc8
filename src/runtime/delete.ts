// `delete` of the OCI runtime: takes away what create has made, in every state that a dead command can have left.
//
// runtime-spec runtime.md, Delete; Lifecycle steps 12 and 13.
import type { Cgroup } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { SIGNALS } from '../linux/signals.ts';
import { CaissonError } from '../spec/error.ts';
import type { Hooks } from '../spec/runtime-spec.ts';
import { cgroupsInUse, clear } from './abandoned.ts';
import {
  type Container,
  containerSpec,
  doesNotExist,
  type OciContainerRecord,
  ociState,
  readContainer,
  type Target,
  withContainer,
} from './container.ts';
import { endHoldersHooks, endHooks } from './hanging.ts';
import { runHostHooks } from './hooks.ts';
import { signalContainer } from './kill.ts';
import { removeParents } from './parents.ts';
import type { Player } from './player.ts';
import { sleep } from './removal.ts';
import { bootId, checkId, checkStateRoot, isAlive, isStopped, load, unclaimed } from './state.ts';

/** How long a killed process is given to die, and the keeper of an attached container to clean up, in milliseconds. */
const PATIENCE = 10_000;
const PAUSE = 5;

/**
 * `force` kills a container that runs, and takes one that is not there for deleted; `warn` is told of poststop hooks
 * that fail. Throws CaissonError ENOTFOUND without such a container and ECONFLICT for one that runs, both not with `force`; EBUSY
 * when a process does not die.
 */
export async function deleteContainer(
  port: Port,
  target: Target,
  force: boolean,
  warn: (message: string) => void = () => undefined,
): Promise<void> {
  checkId(target.id);
  checkStateRoot(port, target.stateRoot);
  try {
    if (load(port, target.stateRoot, target.id) === undefined) throw doesNotExist(target.id);
    const stop = force ? endHoldersHooks(port, `${target.stateRoot}/${target.id}`) : undefined;
    try {
      await withContainer(port, target, 'exclusive', async ({ player, container }) => {
        await stop?.();
        await deleteLocked(port, player, target, container, { force, warn });
      });
    } finally {
      await stop?.();
    }
  } catch (error) {
    if (!(force && error instanceof CaissonError && error.code === 'ENOTFOUND')) throw error;
  }
  if (force)
    for (const name of unclaimed(port, target.stateRoot, target.id))
      port.remove(`${target.stateRoot}/${name}`);
}

/** The same of a container that the caller has locked: `force` ends it first. */
export async function deleteLocked(
  port: Port,
  player: Player,
  target: Target,
  container: Container,
  { force, warn }: { readonly force: boolean; readonly warn: (message: string) => void },
): Promise<void> {
  const { status, record } = container;
  // As runc: a container that was never started needs no force.
  if (!force && status !== 'stopped' && status !== 'created') {
    throw new CaissonError(`cannot delete container ${target.id} that is not stopped: ${status}`, {
      code: 'ECONFLICT',
      exitCode: 1,
    });
  }
  // Read before the keeper of an attached run can take it away.
  const hooks = hooksOf(port, target, container);
  if (status !== 'stopped') {
    await signalContainer(port, player, target, container, SIGNALS.SIGKILL, true);
    await awaitDeath(port, container);
    // Its number may be another process's by now.
    if (isAlive(port, record.keeper)) await endHooks(port, player, record.keeper.pid, record.launcher.pid);
    if (await keeperCleans(port, target, container)) return;
  }
  await takeAway(port, player, target, record);
  await runHostHooks(port, 'poststop', hooks, ociState({ record, status: 'stopped' }), { warn });
}

/** Mostly the cgroups are empty, and then nobody else's: only else the records of all other containers are read. */
async function takeAway(
  port: Port,
  player: Player,
  { stateRoot, id }: Target,
  record: OciContainerRecord,
): Promise<void> {
  const plain = record.oci.init !== undefined && record.bootId === bootId(port);
  const removed = ({ directory }: Cgroup) => port.removeEmpty?.(directory) === true;
  if (plain && record.cgroups.every(removed)) {
    await removeParents(port, player, stateRoot, record);
    port.remove(`${stateRoot}/${id}`);
    return;
  }
  const taken = cgroupsInUse(port, stateRoot, id);
  await clear(port, player, record, { stateRoot, taken }, () => undefined);
}

/** A container without its configuration can be deleted all the same; its poststop hooks are lost. */
function hooksOf(port: Port, target: Target, container: Container): Hooks | undefined {
  if (container.record.oci.hooks === false) return undefined;
  try {
    return containerSpec(port, target, container).hooks;
  } catch (error) {
    if (error instanceof CaissonError) return undefined;
    throw error;
  }
}

async function awaitDeath(port: Port, { record }: Container): Promise<void> {
  const { init } = record.oci;
  if (init === undefined) return;
  for (let waited = 0; isAlive(port, init); waited += PAUSE) {
    if (waited > PATIENCE)
      throw new CaissonError(`container init still running: process ${init.pid}`, {
        code: 'EBUSY',
        exitCode: 1,
      });
    await sleep(port, PAUSE);
  }
}

/** An attached run takes its container away itself; the result is whether it has. */
async function keeperCleans(port: Port, target: Target, { record }: Container): Promise<boolean> {
  const path: Bytes = `${target.stateRoot}/${target.id}`;
  const { keeper } = record;
  const kept = () => keeper.pid !== port.pid && isAlive(port, keeper) && !isStopped(port, keeper.pid);
  for (let waited = 0; kept() && waited < PATIENCE; waited += PAUSE) {
    if (port.stat(path) === undefined) return true;
    await sleep(port, PAUSE);
  }
  try {
    readContainer(port, target);
    return false;
  } catch {
    return true;
  }
}
