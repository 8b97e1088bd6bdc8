// The first batch of `exec`, played with the lock: a pidfd of the container's first process, and its passwd for HOME.

import { homeLookup } from '../image/passwd-lookup.ts';
import type { Bytes } from '../linux/bytes.ts';
import { LOCK_UN } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { LOCK_OPERATIONS } from '../linux/flags.ts';
import { call, number, type Slot, slot, value } from '../plan/call.ts';
import { bufferBytes, slotValue } from '../plan/encode.ts';
import { type Step, step } from '../plan/step.ts';
import type { Process, Spec } from '../spec/runtime-spec.ts';
import type { Container } from './container.ts';
import { hasHome } from './environment.ts';
import { HOME_ROOM, homeOf, readPasswd } from './home.ts';
import type { Played, Player } from './player.ts';
import type { ProcessIdentity } from './state.ts';

export interface Approach {
  readonly init: ProcessIdentity;
  readonly steps: readonly Step[];
  readonly pidfd: Slot;
  readonly passwd: ReturnType<typeof homeLookup>['passwd'] | undefined;
}

/**
 * Undefined where the container has no first process. `lock` is released at once: what changes the container from here
 * on ends it, which the pidfd tells, or pauses it; and a process that is in the container can keep this command
 * waiting (a file system of its own making), but must not keep `delete --force` waiting.
 */
export function approach(
  container: Container,
  given: Process | ((spec: Spec) => Process),
  lock?: Slot,
): Approach | undefined {
  const { init } = container.record.oci;
  if (init === undefined) return undefined;
  const pidfd = slot('container_pidfd', { reply: true });
  const calls = [
    call('pidfd_open', [number(init.pid), number(0)], {
      result: pidfd,
      tolerate: [ERRNO.ESRCH, ERRNO.EINVAL],
    }),
    ...(lock === undefined ? [] : [call('flock', [value(lock), number(LOCK_UN, LOCK_OPERATIONS)])]),
  ];
  const open = step('parent', 'open-container', `open process ${init.pid}`, 'default: exec joins it', calls);
  // Whether it is needed is not known yet where the process is made of the configuration.
  const knowsHome = typeof given !== 'function' && hasHome(given.env ?? []);
  const lookup = knowsHome ? undefined : homeLookup(rootOf(init), '/process/user', HOME_ROOM);
  return { init, pidfd, steps: [open, ...(lookup?.steps ?? [])], passwd: lookup?.passwd };
}

const rootOf = ({ pid }: ProcessIdentity): Bytes => `/proc/${pid}/root`;

export function sameProcess(one: ProcessIdentity, other: ProcessIdentity | undefined): boolean {
  return other !== undefined && one.pid === other.pid && one.startTime === other.startTime;
}

/** The descriptor in the launcher, negative when there was no such process any more. */
export function pidfdFound({ pidfd }: Approach, { batch, answer }: Played): number {
  return slotValue(batch, answer, pidfd) || -1;
}

/** The home directory of the process's user; `/` where passwd has none, is missing, or is no regular file. */
export async function homeFound(
  player: Player,
  { passwd, init }: Approach,
  { batch, answer }: Played,
  process: Process,
): Promise<Bytes> {
  if (passwd === undefined || answer.kind !== 'done' || hasHome(process.env ?? [])) return '/';
  const length = slotValue(batch, answer, passwd.length);
  if (length <= 0) return '/';
  const whole = length >= slotValue(batch, answer, passwd.size);
  const text = whole
    ? bufferBytes(batch, answer, passwd.content, length)
    : await readPasswd(player, rootOf(init));
  return homeOf(text, process.user.uid);
}
