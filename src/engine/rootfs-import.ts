// `--rootfs-tar FILE`: unpacks an archive into a directory, in a launcher of its own.
import type { Port } from '../host/port.ts';
import { Conversation } from '../image/layer/conversation.ts';
import { importRootfsTar } from '../image/rootfs-tar.ts';
import { enterOwnUserNamespace } from '../image/user-namespace.ts';
import type { Bytes } from '../linux/bytes.ts';
import type { HeldSignals } from '../runtime/held-signals.ts';
import { Player } from '../runtime/player.ts';
import { CaissonError } from '../spec/error.ts';

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
  const type = port.stat(file)?.type;
  if (type === undefined || type === 'directory') {
    const reason = type === undefined ? 'no such file or directory' : 'a directory, and not an archive';
    throw new CaissonError(`${file}: ${reason}`, { code: 'ENOTFOUND', sources: [`--rootfs-tar ${file}`] });
  }
  const channel = await port.openChannel();
  try {
    const player = new Player(port, channel);
    const root = port.uid === 0;
    if (!root) await player.play(enterOwnUserNamespace(port.uid, port.gid, CAUSE));
    let played = 0;
    const conversation = new Conversation(channel, CAUSE, async () => {
      if (++played % CHECKED === 0) await signals?.check();
    });
    await importRootfsTar(conversation, port.arch, port.readChunks(file), target, {
      cause: CAUSE,
      owners: { kind: root ? 'keep' : 'squash' },
      devices: root,
      confine: true,
    });
  } catch (error) {
    throw withArchive(error, file);
  } finally {
    await channel.close();
  }
}

function withArchive(error: unknown, file: Bytes): unknown {
  if (!(error instanceof CaissonError) || error.sources.length > 0) return error;
  const { code, errno, syscall, provenance, details, exitCode, cause } = error;
  const kernel = { ...(errno === undefined ? {} : { errno }), ...(syscall === undefined ? {} : { syscall }) };
  const sources = [`--rootfs-tar ${file}`];
  return new CaissonError(error.message, { code, provenance, details, exitCode, cause, ...kernel, sources });
}
