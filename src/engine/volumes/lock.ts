// A lock that is a launcher's, so that it ends with its holder however that ends (flock(2)).
import type { Port } from '../../host/port.ts';
import { openFlags } from '../../linux/abi/index.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { LOCK_EX, LOCK_NB, O_CLOEXEC, O_CREAT, O_RDWR } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { LOCK_OPERATIONS } from '../../linux/flags.ts';
import { call, number, slot } from '../../plan/call.ts';
import { slotValue } from '../../plan/encode.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import type { Player } from '../../runtime/player.ts';

const CAUSE = 'default: volumes';
const { O_NOFOLLOW } = openFlags('x86_64');
/** Waits between two looks, in milliseconds. */
const SHORTEST = 1;
const LONGEST = 40;

/**
 * Does `work` while nobody else holds the lock on the file `path`, which is made where it is not there. The launcher
 * behind `player` can be used for other things meanwhile. Throws what `work` throws.
 */
export async function underLock<T>(
  port: Port,
  player: Player,
  path: Bytes,
  work: () => Promise<T>,
): Promise<T> {
  const file = slot('lock', { reply: true });
  const opened = await player.play([
    step('parent', 'lock', `open ${path}`, CAUSE, [
      sys.openat(sys.AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600, { result: file }),
    ]),
  ]);
  const descriptor = slotValue(opened.batch, opened.answer, file);
  try {
    for (
      let pause = SHORTEST;
      !(await attempt(player, descriptor, path));
      pause = Math.min(2 * pause, LONGEST)
    )
      await sleep(port, pause * (0.5 + (port.random(1)[0] ?? 0) / 256));
    return await work();
  } finally {
    await player.attempt([step('parent', 'unlock', `unlock ${path}`, CAUSE, [sys.close(descriptor)])]);
  }
}

async function attempt(player: Player, descriptor: number, path: Bytes): Promise<boolean> {
  const taken = slot('taken', { reply: true });
  const { batch, answer } = await player.play([
    step('parent', 'lock', `lock ${path}`, CAUSE, [
      call('flock', [number(descriptor), number(LOCK_EX | LOCK_NB, LOCK_OPERATIONS)], {
        result: taken,
        tolerate: [ERRNO.EAGAIN],
      }),
    ]),
  ]);
  return slotValue(batch, answer, taken) === 0;
}

function sleep(port: Port, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    port.after(milliseconds, resolve);
  });
}
