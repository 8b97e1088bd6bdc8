// HOME as runc and crun set it, from the passwd of the container's root.
import { homeLookup, PASSWD_LIMIT } from '../image/passwd-lookup.ts';
import type { Bytes } from '../linux/bytes.ts';
import { findPasswd } from '../linux/passwd.ts';
import { bufferBytes, slotValue } from '../plan/answer.ts';
import { CaissonError } from '../spec/error.ts';
import type { Spec } from '../spec/runtime-spec.ts';
import { hasHome, preparedEnvironment } from './environment.ts';
import type { Player } from './player.ts';

/** More of passwd is read in a batch of its own: what is usual comes with the first answer. A page costs more than 1 us. */
export const HOME_ROOM = 3 << 10;

/** The home directory of a user id by the text of a passwd(5); `/` where it has no entry or no absolute one. */
export function homeOf(passwd: Bytes, uid: number): Bytes {
  const home = findPasswd(passwd, (entry) => entry.uid === uid)?.home ?? '';
  return home.startsWith('/') ? home : '/';
}

/** The text of /etc/passwd below `root`, a host path; empty where there is none. Throws CaissonError ESYSCALL for what is no file. */
export async function readPasswd(player: Player, root: Bytes, room?: number): Promise<Bytes> {
  return (await askPasswd(player, root, room))();
}

async function askPasswd(player: Player, root: Bytes, room?: number): Promise<() => Promise<Bytes>> {
  const lookup = homeLookup(root, '/process/user', room ?? HOME_ROOM);
  const played = await player.ask(lookup.steps);
  return async () => {
    const { batch, answer } = await played();
    const { size, length, content } = lookup.passwd;
    const got = slotValue(batch, answer, length);
    if (room === undefined && got >= 0 && got < slotValue(batch, answer, size))
      return readPasswd(player, root, PASSWD_LIMIT);
    return got > 0 ? bufferBytes(batch, answer, content, got) : '';
  };
}

/**
 * The environment that runc and crun prepare: each name once, and HOME, of the user's entry in the root's passwd, else
 * `/`. The runtime specification does not ask for it, and engines leave it to them. The lookup is sent, and waited for
 * by the result: nothing but the program's start needs it, and the launcher has not come up yet.
 */
export async function askEnvironment(
  player: Player,
  { process, root }: Spec,
): Promise<() => Promise<readonly Bytes[] | undefined>> {
  if (process === undefined || root === undefined) return () => Promise.resolve(undefined);
  const env = process.env ?? [];
  if (hasHome(env)) return () => Promise.resolve(preparedEnvironment(env, ''));
  const passwd = await askPasswd(player, root.path);
  return async () => preparedEnvironment(env, await homeIn(passwd, process.user.uid));
}

async function homeIn(passwd: () => Promise<Bytes>, uid: number): Promise<Bytes> {
  try {
    // No file, no entry: then it is `/`.
    return homeOf(await passwd(), uid);
  } catch (error) {
    // A passwd that cannot be read is no reason not to run: the user is a number here.
    if (!(error instanceof CaissonError)) throw error;
    return '/';
  }
}
