// `pause` and `unpause` of the engine, in docker's words.
import type { Bytes } from '../../linux/bytes.ts';
import { pauseContainer, resumeContainer } from '../../runtime/pause.ts';
import { CaissonError } from '../../spec/error.ts';
import { tellContainer } from '../events/tell.ts';
import type { Engine } from './engine.ts';
import { type ContainerView, findContainer } from './find.ts';

/** Throws CaissonError `ENOTRUNNING`, `ESTATUS` where it is paused already. */
export async function pauseByName(engine: Engine, text: Bytes): Promise<void> {
  const view = running(engine, text);
  if (view.status === 'paused') throw refused(`Container ${view.file.id} is already paused`);
  await pauseContainer(engine.port, { stateRoot: engine.stateRoot, id: view.file.id });
  tellContainer(engine, 'pause', view.file);
}

/** Throws CaissonError `ENOTRUNNING`, `ESTATUS` where it is not paused. */
export async function unpauseByName(engine: Engine, text: Bytes): Promise<void> {
  const view = running(engine, text);
  if (view.status !== 'paused') throw refused(`Container ${view.file.id} is not paused`);
  await resumeContainer(engine.port, { stateRoot: engine.stateRoot, id: view.file.id });
  tellContainer(engine, 'unpause', view.file);
}

function running(engine: Engine, text: Bytes): ContainerView {
  const view = findContainer(engine, text);
  if (view.pid !== 0 && view.exit === undefined) return view;
  throw new CaissonError(`Container ${view.file.id} is not running`, { code: 'ENOTRUNNING', exitCode: 1 });
}

function refused(message: string): CaissonError {
  return new CaissonError(message, { code: 'ESTATUS', exitCode: 1 });
}
