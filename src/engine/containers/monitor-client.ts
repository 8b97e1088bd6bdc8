// A command that is attached to a container: its connection to the monitor, which has its descriptors.
//
// The monitor writes the container's output to the very descriptors of the command and reads its input from there
// (docs/monitor.md): nothing passes through JavaScript. The connection tells of the end, and of a new size.
import type { Channel, Port, RawAnswer } from '../../host/port.ts';
import { type Bytes, fromArray } from '../../linux/bytes.ts';
import { SIGNALS } from '../../linux/signals.ts';
import { decodeAnswer } from '../../plan/answer.ts';
import { MESSAGE_FIELDS, MESSAGE_KEYS, MONITOR } from '../../plan/monitor-wire.ts';
import { CaissonError } from '../../spec/error.ts';

/** How an attached command ends. */
export type Detachment =
  | { readonly kind: 'ended'; readonly code: number; readonly signal: number }
  /** By the keys. */
  | { readonly kind: 'detached' }
  /** The monitor has gone without a word. */
  | { readonly kind: 'lost' };

const SIZE = 4 * MESSAGE_FIELDS.length + MESSAGE_KEYS;

function message(kind: number, a: number, b: number, c: number, keys: readonly number[] = []): Uint8Array {
  const bytes = new Uint8Array(SIZE);
  const view = new DataView(bytes.buffer);
  [MONITOR.MAGIC, kind, a, b, c].forEach((value, index) => {
    view.setUint32(4 * index, value, true);
  });
  bytes.set(keys.slice(0, MESSAGE_KEYS), 4 * MESSAGE_FIELDS.length);
  return bytes;
}

/** The message of a command that attaches with some of its descriptors 0, 1 and 2. */
export function attachMessage(
  keys: readonly number[],
  closesInput: boolean,
  descriptors: readonly (0 | 1 | 2)[],
): Bytes {
  const sent = descriptors.reduce<number>((bits, fd) => bits | (1 << fd), 0);
  const bytes = message(MONITOR.ATTACH, keys.length, closesInput ? 1 : 0, sent, keys);
  return fromArray(bytes, 0, bytes.length);
}

/** The message that tells the size of the caller's terminal. */
export function resizeMessage(rows: number, columns: number): Bytes {
  const bytes = message(MONITOR.RESIZE, rows, columns, 0);
  return fromArray(bytes, 0, bytes.length);
}

/**
 * Waits until the launcher has become the monitor. It says so to a command that stays; the channel of any other ends. Throws CaissonError `ELAUNCHER` when it could not.
 */
export async function becameMonitor(channel: Channel, attached: boolean): Promise<void> {
  const raw = await channel.receive(true);
  if (!attached && raw === undefined) return;
  const answer = raw === undefined ? undefined : decodeAnswer(raw.frame, raw.data);
  if (attached && answer?.kind === 'done' && answer.index === MONITOR.ATTACHED) return;
  const errno = answer === undefined ? '' : ` (errno ${answer.errno})`;
  throw new CaissonError(`the monitor of the container could not be started${errno}`, { code: 'ELAUNCHER' });
}

/** Waits for the end of the container, or of the attachment. */
export async function awaitDetachment(channel: Channel): Promise<Detachment> {
  for (;;) {
    let raw: RawAnswer | undefined;
    try {
      raw = await channel.receive(false);
    } catch {
      return { kind: 'lost' };
    }
    if (raw === undefined) return { kind: 'lost' };
    const found = detachment(raw);
    if (found !== undefined) return found;
  }
}

/** What an answer of the monitor says; undefined for one that is no end. */
export function detachment({ frame, data }: RawAnswer): Detachment | undefined {
  const { index, errno, pause } = decodeAnswer(frame, data);
  if (index === MONITOR.DETACHED) return { kind: 'detached' };
  return index === MONITOR.ENDED ? { kind: 'ended', code: errno, signal: pause } : undefined;
}

/** Passes the size of the caller's terminal on, now and when it changes; the result ends that. */
export function passSize(port: Port, send: (bytes: Uint8Array) => void): () => void {
  const { terminal } = port;
  if (terminal === undefined) return () => undefined;
  const tell = (): void => {
    const { rows, columns } = terminal.size();
    send(message(MONITOR.RESIZE, rows, columns, 0));
  };
  tell();
  return port.onSignals([SIGNALS.SIGWINCH], tell);
}
