// passwd and group of a root, read before the run; and HOME as runc and crun set it.
import type { UserDatabase } from '../frontends/docker/facts.ts';
import { resolveUser } from '../frontends/users.ts';
import type { Channel, Port } from '../host/port.ts';
import { homeLookup, PASSWD_LIMIT, passwdLookup } from '../image/passwd-lookup.ts';
import type { Bytes } from '../linux/bytes.ts';
import { bufferBytes, slotValue } from '../plan/answer.ts';
import { Player } from '../runtime/player.ts';
import { CaissonError } from '../spec/error.ts';
import type { Spec } from '../spec/runtime-spec.ts';

/** Both files of the root directory `root`, a host path. Throws CaissonError where one is no regular file. */
export async function readUsers(port: Port, channel: Channel, root: Bytes): Promise<UserDatabase> {
  const player = new Player(port, channel);
  let room: number | undefined;
  for (;;) {
    const lookup = passwdLookup(root, '/process/user', room);
    const { batch, answer } = await player.play(lookup.steps);
    const files = [lookup.passwd, lookup.group];
    const sizes = files.map(({ size }) => slotValue(batch, answer, size));
    const lengths = files.map(({ length }) => slotValue(batch, answer, length));
    if (room === undefined && lengths.some((length, index) => length >= 0 && length < (sizes[index] ?? 0))) {
      room = PASSWD_LIMIT;
      continue;
    }
    const [passwd = '', group = ''] = files.map(({ content }, index) => {
      const length = lengths[index] ?? -1;
      return length > 0 ? bufferBytes(batch, answer, content, length) : '';
    });
    return { passwd, group };
  }
}

async function readPasswd(player: Player, root: Bytes, room?: number): Promise<Bytes> {
  const lookup = homeLookup(root, '/process/user', room);
  const { batch, answer } = await player.play(lookup.steps);
  const { size, length, content } = lookup.passwd;
  const got = slotValue(batch, answer, length);
  if (room === undefined && got >= 0 && got < slotValue(batch, answer, size))
    return readPasswd(player, root, PASSWD_LIMIT);
  return got > 0 ? bufferBytes(batch, answer, content, got) : '';
}

/**
 * The specification with HOME in the environment: of the user's entry in the root's passwd, else `/`. The runtime
 * specification does not ask for it, but runc and crun do it, and engines leave it to them.
 */
export async function withHome(port: Port, channel: Channel, spec: Spec): Promise<Spec> {
  const { process, root } = spec;
  if (process === undefined || root === undefined) return spec;
  const env = process.env ?? [];
  if (env.some((entry) => entry.startsWith('HOME='))) return spec;
  let home = '/';
  try {
    const passwd = await readPasswd(new Player(port, channel), root.path);
    // No file, no entry: then it is `/`.
    if (passwd !== '') home = resolveUser(String(process.user.uid), { passwd, group: '' }).home;
  } catch (error) {
    // A passwd that cannot be read is no reason not to run: the user is a number here.
    if (!(error instanceof CaissonError)) throw error;
  }
  return { ...spec, process: { ...process, env: [...env, `HOME=${home}`] } };
}
