// `rm`: a container goes with its changes, its log and its name.
import type { Bytes } from '../../linux/bytes.ts';
import { SIGNALS } from '../../linux/signals.ts';
import { step } from '../../plan/step.ts';
import { CaissonError } from '../../spec/error.ts';
import { tellContainer } from '../events/tell.ts';
import { removePlace } from '../images/container-place.ts';
import { removeAnonymousVolumes } from '../volumes/of-containers.ts';
import { renamed, syncedDirectory } from './durable.ts';
import { containersOf, type Engine, namesOf, placeOf } from './engine.ts';
import { type ContainerView, findContainer, findId, viewContainer } from './find.ts';
import { releaseName } from './names.ts';
import { type HeldPlace, withPlace } from './place-lock.ts';
import { isUnsettled, settle } from './settle.ts';
import { markStopped, stopView } from './stop.ts';

export interface RemoveOptions {
  readonly force: boolean;
  /** Its anonymous volumes, too. */
  readonly volumes: boolean;
}

/** Removes a container. Throws CaissonError `ENOTFOUND`, `ECONFLICT` for one that runs without `force`. */
export async function removeContainer(engine: Engine, text: Bytes, options: RemoveOptions): Promise<void> {
  const id = findId(engine, text);
  const view = viewOrDamaged(engine, id, options);
  if (view === undefined) return await removeDamaged(engine, id);
  if (view.pid !== 0 || view.status === 'restarting') {
    if (!options.force) throw runs(text, view);
    markStopped(engine, view);
    await stopView(engine, view, { timeout: 0, signal: SIGNALS.SIGKILL });
  }
  await withPlace(engine, id, async (held) => {
    const now = viewContainer(engine, id);
    if (now === undefined) return;
    if (now.pid !== 0 && now.exit === undefined) throw runs(text, now);
    await removeHeld(engine, held, now, options.volumes);
  });
}

function viewOrDamaged(engine: Engine, id: Bytes, { force }: RemoveOptions): ContainerView | undefined {
  try {
    return findContainer(engine, id);
  } catch (error) {
    if (force && error instanceof CaissonError && (error.code === 'ESTATE' || error.code === 'ENOTFOUND'))
      return undefined;
    throw error;
  }
}

/** What cannot be read has nothing else to remove but its directory and its name. */
async function removeDamaged(engine: Engine, id: Bytes): Promise<void> {
  const { port } = engine;
  await removePlace(port, placeOf(engine, id));
  for (const name of port.list(namesOf(engine))) releaseName(engine, name, id);
}

function runs(text: Bytes, { status }: ContainerView): CaissonError {
  return new CaissonError(
    `cannot remove container "${text}": container is ${status}: stop the container before removing or force remove`,
    { code: 'ECONFLICT', exitCode: 1 },
  );
}

/** Under the lock of the container, which has ended: nobody sees it any more when its files begin to go. */
export async function removeHeld(
  engine: Engine,
  held: HeldPlace,
  view: ContainerView,
  volumes = false,
): Promise<void> {
  const { port } = engine;
  const { id, name, autoRemove, anonymousVolumes } = view.file;
  if (isUnsettled(engine, view)) await settle(engine, held, view);
  const gone = `${containersOf(engine)}/.gone-${id}`;
  await held.player.play([
    step('parent', 'forget', `take the container ${id} away`, 'default: rm', [
      renamed(placeOf(engine, id), gone),
      ...(engine.durable ? syncedDirectory(containersOf(engine)) : []),
    ]),
  ]);
  releaseName(engine, name, id);
  tellContainer(engine, 'destroy', view.file);
  await removePlace(port, gone);
  if (volumes || autoRemove) await removeAnonymousVolumes(engine, anonymousVolumes);
}
