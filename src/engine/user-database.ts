// passwd and group of a root, read before the run.
import type { UserDatabase } from '../frontends/docker/facts.ts';
import type { Channel, Port } from '../host/port.ts';
import { PASSWD_LIMIT, passwdLookup } from '../image/passwd-lookup.ts';
import type { Bytes } from '../linux/bytes.ts';
import { bufferBytes, slotValue } from '../plan/answer.ts';
import { Player } from '../runtime/player.ts';

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
