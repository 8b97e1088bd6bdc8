// Admission: a container is let in under a lock of the runtime directory, where its record then says what it holds.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { LOCK_EX, O_CLOEXEC, O_CREAT, O_RDONLY } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { LOCK_OPERATIONS } from '../../linux/flags.ts';
import { call, number, slot, value } from '../../plan/call.ts';
import { slotValue } from '../../plan/encode.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { failure } from '../../runtime/failure.ts';
import type { Player } from '../../runtime/player.ts';
import { load, write } from '../../runtime/state.ts';
import type { Reservation, ReservationSources } from '../../spec/reservation.ts';
import { doesNotFit, lacking } from './capacity.ts';
import { readCapacity } from './holders.ts';

const CAUSE = 'default: of two starts at once one sees the other';

/** A container that asks to be let in; its record is there already. */
export interface Applicant {
  readonly stateRoot: Bytes;
  readonly id: Bytes;
  /** undefined gives back what it has. */
  readonly reservation: Reservation | undefined;
  /** The flags that asked for it. */
  readonly sources: ReservationSources;
}

/** Notes what the container holds in its record. Throws CaissonError `ECAPACITY` where it does not fit; nothing is noted then. */
export async function admit(
  port: Port,
  player: Player,
  { stateRoot, id, reservation, sources }: Applicant,
): Promise<void> {
  const lock = await lockCapacity(port, player, stateRoot);
  try {
    const record = load(port, stateRoot, id);
    if (reservation !== undefined) {
      const capacity = readCapacity(port, stateRoot, id);
      const lacks = lacking(capacity, reservation);
      if (lacks.length > 0) throw doesNotFit(capacity, lacks, sources);
    }
    if (record === undefined) return;
    const { reserved: _, ...rest } = record;
    write(port, stateRoot, reservation === undefined ? rest : { ...rest, reserved: reservation });
  } finally {
    await unlock(player, stateRoot, lock);
  }
}

function lockPath(stateRoot: Bytes): Bytes {
  return `${stateRoot}/.capacity`;
}

/**
 * A file of its own, so that nobody waits for starts that reserve nothing. Whoever had it takes it away: a lock of a file
 * that has lost its name by then is of no use, and is taken anew. The result is the launcher's descriptor, and ends with it.
 */
async function lockCapacity(port: Port, player: Player, stateRoot: Bytes): Promise<number> {
  const path = lockPath(stateRoot);
  for (;;) {
    const lock = slot('lock', { reply: true });
    const batch = await player.send([
      step('parent', 'capacity-lock', `lock ${path}`, CAUSE, [
        sys.openat(sys.AT_FDCWD, path, O_RDONLY | O_CREAT | O_CLOEXEC, 0o600, { result: lock }),
        call('flock', [value(lock), number(LOCK_EX, LOCK_OPERATIONS)], { retry: true }),
      ]),
    ]);
    // Not brief: another start of this very process may hold it, and goes on by the event loop alone.
    const answer = await player.receive(false);
    if (answer.kind !== 'done') throw failure(batch, answer);
    const descriptor = slotValue(batch, answer, lock);
    const [held, named] = [port.stat(`/proc/${player.pid}/fd/${descriptor}`), port.stat(path)];
    if (held !== undefined && named !== undefined && held.ino === named.ino && held.dev === named.dev)
      return descriptor;
    await player.play([step('parent', 'capacity-unlock', `close ${path}`, CAUSE, [sys.close(descriptor)])]);
  }
}

async function unlock(player: Player, stateRoot: Bytes, descriptor: number): Promise<void> {
  const tolerate = [ERRNO.ENOENT];
  await player.play([
    step('parent', 'capacity-unlock', `unlock ${lockPath(stateRoot)}`, CAUSE, [
      sys.unlinkat(sys.AT_FDCWD, lockPath(stateRoot), 0, { tolerate }),
      sys.close(descriptor),
    ]),
  ]);
}
