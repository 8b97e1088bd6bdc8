// What dead commands, monitors and a restart of the machine have left of containers: settled, or started again.
import type { Bytes } from '../../linux/bytes.ts';
import { bootId, isAlive } from '../../runtime/state.ts';
import { CaissonError } from '../../spec/error.ts';
import { type Engine, namesOf, placeOf } from './engine.ts';
import { type ContainerView, containerIds, viewContainer } from './find.ts';
import { withPlace } from './place-lock.ts';
import { removeHeld } from './remove.ts';
import { settledView } from './settle.ts';
import { startContainer } from './start.ts';

/** Settles containers whose monitors are gone, and takes names away that lead nowhere. One line for each thing done. */
export async function repairContainers(engine: Engine, dryRun: boolean): Promise<Bytes[]> {
  const lines: Bytes[] = [];
  for (const id of containerIds(engine)) {
    const view = viewOf(engine, id, lines);
    if (view === undefined || !isLeft(engine, view)) continue;
    const { name, autoRemove } = view.file;
    if (!dryRun) {
      await withPlace(engine, id, async (held) => {
        const now = await settledView(engine, held, id);
        if (autoRemove && now.exit !== undefined && !now.unsettled) await removeHeld(engine, held, now);
      });
    }
    const done = autoRemove ? ['remove', 'removed'] : ['settle', 'settled'];
    lines.push(`${dryRun ? `would ${done[0]}` : done[1]} container ${name}, whose monitor is gone`);
  }
  for (const name of danglingNames(engine)) {
    if (!dryRun) engine.port.remove(`${namesOf(engine)}/${name}`);
    lines.push(`${dryRun ? 'would free' : 'freed'} the name ${name}, whose container is not there`);
  }
  return lines;
}

function isLeft({ port }: Engine, { unsettled, run, exit, record }: ContainerView): boolean {
  const over = run === undefined || exit !== undefined;
  return unsettled && over && (record === undefined || !isAlive(port, record.keeper));
}

function viewOf(engine: Engine, id: Bytes, lines: Bytes[]): ContainerView | undefined {
  try {
    return viewContainer(engine, id);
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
    lines.push(`${id}: left alone: ${error.message}`);
    return undefined;
  }
}

/** Of containers that were removed, or never came to be, by a command that was killed. */
function danglingNames(engine: Engine): Bytes[] {
  const { port } = engine;
  return port.list(namesOf(engine)).filter((name) => {
    const id = port.readLink?.(`${namesOf(engine)}/${name}`);
    return (
      id !== undefined &&
      [placeOf(engine, id), placeOf(engine, `.new-${id}`)].every((path) => port.stat(path) === undefined)
    );
  });
}

/**
 * After the machine has started: containers whose policy says so run again, once; each that was running when the machine
 * went down, and `always` ones that were not stopped by a person. The result names them. What cannot be started is told by
 * `warn`.
 */
export async function restoreContainers(engine: Engine): Promise<Bytes[]> {
  const started: Bytes[] = [];
  const boot = bootId(engine.port);
  for (const id of containerIds(engine)) {
    try {
      const view = viewContainer(engine, id);
      if (view === undefined || !isToRestore(view, boot)) continue;
      await startContainer(engine, id);
      started.push(view.file.name);
    } catch (error) {
      if (!(error instanceof CaissonError)) throw error;
      engine.warn(`${id.slice(0, 12)}: ${error.message}`);
    }
  }
  return started;
}

/** docker's daemon: `always` in any case, the others if they were running and nobody had stopped them. */
function isToRestore({ file: { restart }, run, exit }: ContainerView, boot: Bytes): boolean {
  if (run === undefined || run.bootId === boot || exit === undefined) return false;
  if (restart.name === 'always') return true;
  if (run.stopped === true) return false;
  return restart.name === 'unless-stopped' || (restart.name === 'on-failure' && exit.code !== 0);
}
