// Names of containers: symbolic links to ids, made by symlink(2), so that of two that want a name one gets it.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { ERRNO } from '../../linux/errno.ts';
import { slot } from '../../plan/call.ts';
import { slotValue } from '../../plan/encode.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import type { Player } from '../../runtime/player.ts';
import { isAlive } from '../../runtime/state.ts';
import { CaissonError } from '../../spec/error.ts';
import { makerOf } from '../images/container-place.ts';
import { type Engine, namesOf, placeOf } from './engine.ts';

const CAUSE = 'default: a container has a name of its own';

/**
 * Takes a name. What a command has left that was killed before its container was there does not keep one. Throws
 * CaissonError `ECONFLICT`, in docker's words.
 */
export async function takeName(engine: Engine, player: Player, name: Bytes, id: Bytes): Promise<void> {
  if (await tookName(engine, player, name, id)) return;
  const owner = engine.port.readLink?.(`${namesOf(engine)}/${name}`);
  throw new CaissonError(
    `Conflict. The container name "/${name}" is already in use by container "${owner ?? 'unknown'}". You have to remove (or rename) that container to be able to reuse that name.`,
    { code: 'ECONFLICT', sources: [`--name ${name}`] },
  );
}

/** Whether the name was free. */
export async function tookName(engine: Engine, player: Player, name: Bytes, id: Bytes): Promise<boolean> {
  const directory = namesOf(engine);
  engine.port.makeDirectory(directory);
  for (let attempt = 0; attempt < 3; attempt++) {
    const made = slot('named', { reply: true });
    const { batch, answer } = await player.play([
      step('parent', 'name', `take the name ${name}`, CAUSE, [
        sys.symlinkat(id, sys.AT_FDCWD, `${directory}/${name}`, { result: made, tolerate: [ERRNO.EEXIST] }),
      ]),
    ]);
    if (slotValue(batch, answer, made) === 0) return true;
    const owner = engine.port.readLink?.(`${directory}/${name}`);
    if (owner === id) return true;
    if (owner !== undefined && isTaken(engine, owner)) return false;
    engine.port.remove(`${directory}/${name}`);
  }
  return false;
}

/** A container that is being made has a directory, too, whose maker lives. */
function isTaken(engine: Engine, id: Bytes): boolean {
  const { port } = engine;
  const fresh = placeOf(engine, `.new-${id}`);
  const maker = makerOf(port, fresh);
  if (maker !== undefined) return isAlive(port, maker);
  return [placeOf(engine, id), fresh].some((path) => port.stat(path) !== undefined);
}

/** Gives a name back, if it is this container's. */
export function releaseName(
  { port, dataRoot }: Pick<Engine, 'port' | 'dataRoot'>,
  name: Bytes,
  id: Bytes,
): void {
  const path = `${namesOf({ dataRoot })}/${name}`;
  if (port.readLink?.(path) === id) port.remove(path);
}

const LEFT =
  'able bold brave bright brisk calm candid clear clever cosy deep eager early fair fine firm fond frank free fresh gentle glad good grand great happy hardy honest humble jolly keen kind light lively loyal lucky merry mild neat noble placid plain proud quick quiet ready rich robust sharp silent simple sleek smart smooth snug solid sound spry steady stout sunny sure swift tidy trim true vivid warm wise witty zesty';
/** Engineers and divers of the sealed chambers that caisson is called after, and of what is built with them. */
const RIGHT =
  'arkwright bazalgette beaufoy bell boyle brunel cochrane cornell coulomb davis deane dodge drebbel eads ellet fleuss froude grubenmann haldane halley hero jessop kapp lesseps lethbridge linde locke maillart navier papin pascal paxton perronet prony rennie roebling rouquayrol scott siebe smeaton smith stephenson telford triger trevithick vauban vicat vitruvius warren watt whitworth wren';

/** `steady_roebling`: two words, and a number where those are taken. */
export function randomName(port: Pick<Port, 'random'>, attempt: number): Bytes {
  const [a = 0, b = 0, c = 0, d = 0] = port.random(4);
  const [left, right] = [LEFT.split(' '), RIGHT.split(' ')];
  const name = `${left[(a * 256 + b) % left.length]}_${right[(c * 256 + d) % right.length]}`;
  return attempt === 0 ? name : `${name}${(a + b + c + d) % 100}`;
}
