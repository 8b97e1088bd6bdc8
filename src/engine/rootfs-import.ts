// `--rootfs-tar FILE`: unpacks an archive into a directory, in a launcher of its own.
import type { Port } from '../host/port.ts';
import type { BatchPlayer, BatchReplies } from '../image/extract.ts';
import { enterOwnUserNamespace, importRootfsTar } from '../image/rootfs-tar.ts';
import type { Bytes } from '../linux/bytes.ts';
import { slotValue } from '../plan/encode.ts';
import { Player } from '../runtime/player.ts';
import { CaissonError } from '../spec/error.ts';
import type { HeldSignals } from './held-signals.ts';

const CAUSE = '--rootfs-tar';
/** Batches after which a signal is looked for, which costs a millisecond. */
const CHECKED = 64;

/** Throws CaissonError ENOTFOUND without the file, EARCHIVE for one that is no good archive, EINTERRUPTED. */
export async function importTar(
  port: Port,
  file: Bytes,
  target: Bytes,
  signals?: Pick<HeldSignals, 'check'>,
): Promise<void> {
  if (port.stat(file) === undefined) {
    throw new CaissonError(`${file}: no such file or directory`, {
      code: 'ENOTFOUND',
      sources: [`--rootfs-tar ${file}`],
    });
  }
  const channel = await port.openChannel();
  try {
    const player = new Player(port, channel);
    const root = port.uid === 0;
    if (!root) await player.play(enterOwnUserNamespace(port.uid, port.gid, CAUSE));
    let played = 0;
    const batches: BatchPlayer = {
      play: async (steps): Promise<BatchReplies> => {
        if (++played % CHECKED === 0) await signals?.check();
        const { batch, answer } = await player.play(steps);
        return { value: (slot) => slotValue(batch, answer, slot) };
      },
    };
    await importRootfsTar(batches, port.readChunks(file), target, {
      cause: CAUSE,
      owners: { kind: root ? 'keep' : 'squash' },
      devices: root,
      confine: true,
    });
  } finally {
    await channel.close();
  }
}
