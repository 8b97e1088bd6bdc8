// The lock of a container: one command at a time changes it. It belongs to the command's launcher and ends with that.
import type { Channel, ChannelOptions } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { LOCK_EX, LOCK_NB, O_CLOEXEC, O_RDONLY } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { LOCK_OPERATIONS } from '../../linux/flags.ts';
import { call, number, slot, value } from '../../plan/call.ts';
import { O_DIRECTORY } from '../../plan/compile/destination.ts';
import { slotValue } from '../../plan/encode.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { Player } from '../../runtime/player.ts';
import { type Engine, placeOf } from './engine.ts';
import { noSuchContainer } from './find.ts';

/** A container that nobody else changes, and a launcher to change it with. */
export interface HeldPlace {
  readonly player: Player;
  readonly channel: Channel;
  readonly place: Bytes;
}

/**
 * Waits for the lock of a container and does `work`. Throws CaissonError `ENOTFOUND` when it is gone by then.
 * The lock ends with the launcher, also where that becomes a monitor (its descriptor is closed by execve).
 */
export async function withPlace<T>(
  engine: Engine,
  id: Bytes,
  work: (held: HeldPlace) => Promise<T>,
  options: ChannelOptions = { noInput: true },
): Promise<T> {
  const channel = await engine.port.openChannel(options);
  try {
    const player = new Player(engine.port, channel);
    if (!(await lockPlace(engine, player, id, true))) throw noSuchContainer(id);
    return await work({ player, channel, place: placeOf(engine, id) });
  } finally {
    await channel.close();
  }
}

/** Whether the lock was taken: not where the container is gone, nor, unless `waits`, where another command has it. */
export async function lockPlace(
  { port, dataRoot }: Engine,
  player: Player,
  id: Bytes,
  waits: boolean,
): Promise<boolean> {
  const place = placeOf({ dataRoot }, id);
  const opened = slot('container', { reply: true });
  const locked = slot('locked', { reply: true });
  const taken = step('parent', 'lock', `lock ${place}`, 'default: one change at a time', [
    sys.openat(sys.AT_FDCWD, place, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, {
      result: opened,
      tolerate: [ERRNO.ENOENT],
    }),
    call('flock', [value(opened), number(waits ? LOCK_EX : LOCK_EX | LOCK_NB, LOCK_OPERATIONS)], {
      result: locked,
      retry: waits,
      tolerate: [ERRNO.EBADF, ERRNO.EAGAIN],
    }),
  ]);
  const batch = await player.send([taken]);
  // Not brief: another command may hold it for as long as a start takes.
  const answer = await player.receive(!waits);
  if (answer.kind !== 'done') return false;
  const descriptor = slotValue(batch, answer, opened);
  if (descriptor < 0 || slotValue(batch, answer, locked) < 0) return false;
  const [held, named] = [port.stat(`/proc/${player.pid}/fd/${descriptor}`), port.stat(place)];
  return held !== undefined && named !== undefined && held.ino === named.ino && held.dev === named.dev;
}
