// After the end of a run: takes its cgroups and its record away, and notes how it ended. Whoever comes first does it.

import type { Bytes } from '../../linux/bytes.ts';
import type { OciContainerRecord } from '../../runtime/container.ts';
import { removeParents } from '../../runtime/parents.ts';
import type { Player } from '../../runtime/player.ts';
import { byLiving, removeCgroups } from '../../runtime/removal.ts';
import { explained } from '../../runtime/run.ts';
import { isAlive, removeStateDirectory } from '../../runtime/state.ts';
import { CaissonError } from '../../spec/error.ts';
import { tellContainer } from '../events/tell.ts';
import type { ContainerFile } from './container-file.ts';
import { type Engine, placeOf, stateOf } from './engine.ts';
import { type ContainerView, viewContainer } from './find.ts';
import type { HeldPlace } from './place-lock.ts';
import { type ExitRecord, type RunRecord, readExited, writeExited } from './run-record.ts';

/**
 * Settles a run that has ended; the caller holds the lock of the container. The result is how it ended, undefined where
 * it runs or never ran. Throws CaissonError ECGROUPBUSY where a process does not go; the record then stays.
 */
export async function settle(
  engine: Engine,
  { player }: Pick<HeldPlace, 'player'>,
  view: ContainerView,
): Promise<ExitRecord | undefined> {
  const { port } = engine;
  const { file, record, run } = view;
  const place = placeOf(engine, file.id);
  if (run === undefined) {
    // A first start that was killed before it had noted the run: nobody ever saw it.
    await removeRun(engine, player, file.id, record);
    return undefined;
  }
  if (view.exit === undefined) return undefined;
  let exit: ExitRecord = view.exit;
  if (view.unsettled) {
    if (record !== undefined && record.cgroups.length > 0) {
      const told = await explained(player, record.cgroups, { code: exit.code, signal: exit.signal });
      exit = { ...exit, oom: told.oom !== undefined };
    }
    // First: a container without its record has ended in this way.
    // Somebody with an older view of it has settled it already.
    const known = readExited(port, place)?.run === run.number;
    noteExit(engine, place, exit);
    if (!known) tellEnd(engine, file, run, exit);
  }
  await removeRun(engine, player, file.id, record);
  return readExited(port, place) ?? exit;
}

/** The cgroups first: as long as one of them is there, the record says so. */
async function removeRun(
  engine: Engine,
  player: Player,
  id: Bytes,
  record: OciContainerRecord | undefined,
): Promise<void> {
  const { port, stateRoot } = engine;
  if (record !== undefined) {
    await byLiving(port, player, async (living) => {
      await removeCgroups(port, living, record.cgroups);
      await removeParents(port, living, stateRoot, record);
    });
  }
  removeStateDirectory(port, stateRoot, id);
}

/** Whether a run has left something, if only an empty directory; asked under the lock of the container. */
export function isUnsettled(engine: Engine, { file, record, unsettled }: ContainerView): boolean {
  return unsettled || record !== undefined || engine.port.stat(stateOf(engine, file.id)) !== undefined;
}

/** On a full disk the monitor's own record, whose room was taken beforehand, has to do. */
function noteExit({ port, warn }: Engine, place: string, exit: ExitRecord): void {
  try {
    writeExited(port, place, exit);
  } catch (error) {
    warn(`${place}/exited.json cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function tellEnd(engine: Engine, file: ContainerFile, run: RunRecord, exit: ExitRecord): void {
  if (exit.oom) tellContainer(engine, 'oom', file);
  tellContainer(engine, 'die', file, { exitCode: String(exit.code), execDuration: duration(run, exit) });
}

/** Whole seconds that it ran; 0 where nobody saw its end. */
function duration({ startedAt }: RunRecord, { time }: ExitRecord): string {
  return String(Math.max(0, Math.floor((Date.parse(time) - Date.parse(startedAt)) / 1000)) || 0);
}

/**
 * What is true of a container, after its end has been settled where nobody else is about to: a monitor that lives does it
 * itself, by the command of its exit.
 */
export async function settledView(engine: Engine, held: HeldPlace, id: string): Promise<ContainerView> {
  const view = viewContainer(engine, id);
  if (view === undefined)
    throw new CaissonError(`No such container: ${id}`, { code: 'ENOTFOUND', exitCode: 1 });
  if (!view.unsettled || (view.run !== undefined && view.exit === undefined)) return view;
  if (view.record !== undefined && isAlive(engine.port, view.record.keeper)) return view;
  await settle(engine, held, view);
  return viewContainer(engine, id) ?? view;
}
