// `attach`: the command's own descriptors become clients of a container's monitor.
import type { Channel, Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { POLLIN } from '../../linux/constants/poll.ts';
import { MSG_DONTWAIT, SCM_RIGHTS, SOL_SOCKET } from '../../linux/constants/socket.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import { SIGNALS } from '../../linux/signals.ts';
import { bufferBytes, slotValue } from '../../plan/answer.ts';
import type { Batch } from '../../plan/batch.ts';
import {
  type Call,
  call,
  type Memory,
  NULL,
  number,
  type OutBuffer,
  outBuffer,
  pointer,
  type Slot,
  slot,
  struct,
  value,
} from '../../plan/call.ts';
import { CHANNEL } from '../../plan/channel.ts';
import { connectCalls } from '../../plan/compile/sockets.ts';
import { step } from '../../plan/step.ts';
import { FRAME_SIZE } from '../../plan/wire.ts';
import { failure } from '../../runtime/failure.ts';
import { Player } from '../../runtime/player.ts';
import { CaissonError } from '../../spec/error.ts';
import { attachSocket, type Engine } from './engine.ts';
import { findContainer } from './find.ts';
import { attachMessage, type Detachment, detachment, resizeMessage } from './monitor-client.ts';

export interface AttachOptions {
  /** Key codes that detach; empty: none. */
  readonly keys: readonly number[];
  /** Which of the command's descriptors take part. */
  readonly descriptors: readonly (0 | 1 | 2)[];
  /** Called when the monitor has been reached. */
  readonly attached?: () => void;
}

const CAUSE = 'default: attach';

/**
 * Attaches this command to a container that runs, until either ends. Throws CaissonError `ENOTRUNNING` in docker's
 * words, `ESTATUS` for a paused one.
 */
export async function attachContainer(
  engine: Engine,
  text: Bytes,
  options: AttachOptions,
): Promise<Detachment> {
  const view = findContainer(engine, text);
  if (view.status === 'paused')
    throw refused('You cannot attach to a paused container, unpause it first', 'ESTATUS');
  if (view.pid === 0 || view.exit !== undefined)
    throw refused('You cannot attach to a stopped container, start it first', 'ENOTRUNNING');
  const { port } = engine;
  const channel = await port.openChannel();
  try {
    const connection = await connect(port, channel, attachSocket(engine, view.file.id), options);
    options.attached?.();
    return await connection.wait();
  } finally {
    await channel.close();
  }
}

function refused(message: string, code: string): CaissonError {
  return new CaissonError(message, { code, exitCode: 1 });
}

/** struct msghdr (sendmsg(2)) with descriptors of the launcher as SCM_RIGHTS. */
function withDescriptors(data: Bytes, descriptors: readonly number[]): Memory {
  const length = 16 + 4 * descriptors.length;
  const control = struct(
    { name: 'cmsg_len', width: 8, value: length },
    { name: 'cmsg_level', width: 4, value: SOL_SOCKET },
    { name: 'cmsg_type', width: 4, value: SCM_RIGHTS },
    ...descriptors.map((fd, index) => ({ name: `fd${index}`, width: 4, value: fd })),
    ...(descriptors.length % 2 === 0 ? [] : [{ name: 'padding', width: 4, value: 0 }]),
  );
  const iovec = struct(
    { name: 'iov_base', width: 8, value: { kind: 'buffer', bytes: data, text: '/* attach */' } },
    { name: 'iov_len', width: 8, value: data.length },
  );
  return struct(
    { name: 'msg_name', width: 8, value: 0 },
    { name: 'msg_namelen', width: 8, value: 0 },
    { name: 'msg_iov', width: 8, value: iovec },
    { name: 'msg_iovlen', width: 8, value: 1 },
    { name: 'msg_control', width: 8, value: descriptors.length === 0 ? 0 : control },
    { name: 'msg_controllen', width: 8, value: descriptors.length === 0 ? 0 : 8 * Math.ceil(length / 8) },
    { name: 'msg_flags', width: 8, value: 0 },
  );
}

async function connect(
  port: Port,
  channel: Channel,
  socket: Bytes,
  { keys, descriptors }: AttachOptions,
): Promise<Connection> {
  const player = new Player(port, channel);
  const connected = slot('connection', { reply: true });
  const message = attachMessage(keys, false, descriptors);
  const { batch, answer } = await player
    .play([
      step('parent', 'attach', `attach to ${socket}`, CAUSE, [
        ...connectCalls(socket, connected),
        call('sendmsg', [
          value(connected),
          pointer(withDescriptors(message, descriptors), 'fixed'),
          number(0),
        ]),
      ]),
    ])
    .catch((error: unknown) => {
      if (!(error instanceof CaissonError) || error.errno === undefined) throw error;
      throw refused(
        `You cannot attach to this container: its monitor does not answer (${error.message})`,
        'ENOTRUNNING',
      );
    });
  return new Connection(port, player, slotValue(batch, answer, connected));
}

/** What waiting for the monitor brings. */
interface Waiting {
  readonly batch: Batch;
  readonly frame: OutBuffer;
  readonly length: Slot;
}

/** A connection to a monitor, kept by a launcher. */
class Connection {
  private readonly port: Port;
  private readonly player: Player;
  private readonly socket: number;
  private readonly queue: Promise<Waiting>[] = [];

  constructor(port: Port, player: Player, socket: number) {
    this.port = port;
    this.player = player;
    this.socket = socket;
  }

  async wait(): Promise<Detachment> {
    const end = this.passSizes();
    try {
      for (;;) {
        if (this.queue.length === 0) this.enqueue([]);
        const { batch, frame, length } = await (this.queue.shift() as Promise<Waiting>);
        const answer = await this.player.receive(false);
        if (answer.kind !== 'done') throw failure(batch, answer);
        const got = slotValue(batch, answer, length);
        if (got === 0) return { kind: 'lost' };
        if (got !== FRAME_SIZE) continue;
        const bytes = Uint8Array.from(bufferBytes(batch, answer, frame), (character) =>
          character.charCodeAt(0),
        );
        const found = detachment({ frame: bytes, data: new Uint8Array(0) });
        if (found !== undefined) return found;
      }
    } finally {
      end();
    }
  }

  /** The size of the caller's terminal, now and when it changes. */
  private passSizes(): () => void {
    const { terminal } = this.port;
    if (terminal === undefined) return () => undefined;
    const tell = (): void => {
      const { rows, columns } = terminal.size();
      const bytes = resizeMessage(rows, columns);
      const content = pointer({ kind: 'buffer', bytes, text: '/* size */' }, 2);
      this.enqueue([
        call('sendto', [value(this.socket), content, number(bytes.length), number(0), NULL, number(0)], {
          tolerate: [ERRNO.EPIPE, ERRNO.ECONNRESET],
        }),
      ]);
    };
    tell();
    return this.port.onSignals([SIGNALS.SIGWINCH], tell);
  }

  /** Another batch ends the wait of the one before it: the channel is watched, too. */
  private enqueue(calls: readonly Call[]): void {
    const frame = outBuffer('frame', FRAME_SIZE);
    const length = slot('length', { reply: true });
    const sent = this.player.send([
      step('parent', 'await-monitor', 'wait for the monitor', CAUSE, [
        ...calls,
        ...pollCalls(this.socket),
        call(
          'recvfrom',
          [
            value(this.socket),
            pointer({ kind: 'out', buffer: frame }, 2),
            number(FRAME_SIZE),
            number(MSG_DONTWAIT, F.MESSAGE_FLAGS),
            NULL,
            NULL,
          ],
          { result: length, tolerate: [ERRNO.EAGAIN, ERRNO.ECONNRESET] },
        ),
      ]),
    ]);
    this.queue.push(sent.then((batch) => ({ batch, frame, length })));
  }
}

/** ppoll(2) of the channel and the connection. */
function pollCalls(socket: number): Call[] {
  const fields = [CHANNEL, socket].flatMap((fd) => [
    { name: 'fd', width: 4, value: fd },
    { name: 'events', width: 4, value: POLLIN, format: F.POLL_EVENTS },
  ]);
  return [call('ppoll', [pointer(struct(...fields), 'fixed'), number(2), NULL, NULL, number(0)])];
}
