// Readiness of a service that runs in a container (sd_notify(3)): its message reaches the host's service manager.
//
// The container has a socket of its own at /run/notify, and nothing but READY= is passed on: with the host's socket
// it could name other processes as the service's. What the manager is told besides is said here: MAINPID, and the
// barrier that tells when it has read all of it.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC } from '../linux/constants/open.ts';
import { POLLIN } from '../linux/constants/poll.ts';
import { MSG_DONTWAIT, MSG_NOSIGNAL, SOCK_DGRAM } from '../linux/constants/socket.ts';
import { ERRNO } from '../linux/errno.ts';
import * as F from '../linux/flags.ts';
import {
  type Call,
  call,
  NULL,
  number,
  outBuffer,
  pointer,
  type Slot,
  slot,
  struct,
  value,
} from '../plan/call.ts';
import { sendDescriptor } from '../plan/compile/descriptor.ts';
import { bindCalls, connectCalls } from '../plan/compile/sockets.ts';
import { bufferBytes, slotValue } from '../plan/encode.ts';
import { step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import { CaissonError } from '../spec/error.ts';
import type { Spec } from '../spec/runtime-spec.ts';
import { Player } from './player.ts';

/** Where the container finds the socket. */
const INSIDE = '/run/notify';
const NAME = 'notify.sock';

/** Milliseconds between two looks at the container, and the most that a manager is waited for. */
const LOOK = 100;
const BARRIER_PATIENCE = 30_000;

/** The longest message that a manager reads (systemd: NOTIFY_BUFFER_MAX). */
const MESSAGE_LIMIT = 4096;

const CAUSE = 'default: $NOTIFY_SOCKET is set';

/** The configuration of a container that finds the socket of `directory`, a directory of the host. */
export function withNotifySocket(spec: Spec, directory: Bytes): Spec {
  const options = ['bind', 'nosuid', 'noexec', 'nodev', 'ro'];
  const mount = { destination: INSIDE, type: 'bind', source: directory, options };
  const process = spec.process;
  const variable = `NOTIFY_SOCKET=${INSIDE}/${NAME}`;
  return {
    ...spec,
    mounts: [...(spec.mounts ?? []), mount],
    ...(process === undefined ? {} : { process: { ...process, env: [...(process.env ?? []), variable] } }),
  };
}

/** The runtime's end of the container's socket. */
export class NotifyRelay {
  private readonly player: Player;
  private readonly socket: number;
  /** A path of the host, or a name that begins with `@`. */
  private readonly host: Bytes;
  readonly close: () => Promise<void>;

  private constructor(player: Player, socket: number, host: Bytes, close: () => Promise<void>) {
    this.player = player;
    this.socket = socket;
    this.host = host;
    this.close = close;
  }

  /** Binds the socket in `directory`, before the program may look for it. Throws CaissonError ESYSCALL. */
  static async bind(port: Port, directory: Bytes, host: Bytes): Promise<NotifyRelay> {
    const channel = await port.openChannel();
    const close = async (): Promise<void> => channel.close();
    try {
      const player = new Player(port, channel);
      const socket = slot('notify_socket', { reply: true });
      const path = `${directory}/${NAME}`;
      const { batch, answer } = await player.play([
        step('parent', 'notify-socket', `bind ${path}`, CAUSE, [
          sys.fchmodat(sys.AT_FDCWD, directory, 0o755),
          sys.unlinkat(sys.AT_FDCWD, path, 0, { tolerate: [ERRNO.ENOENT] }),
          ...bindCalls(path, socket, SOCK_DGRAM),
          sys.fchmodat(sys.AT_FDCWD, path, 0o777),
        ]),
      ]);
      return new NotifyRelay(player, slotValue(batch, answer, socket), host, close);
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** Waits until the container is ready, or `isOver` says that it has ended; `pid` is then the service's main one. */
  async forward(pid: number, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const ready = (await this.receive()).split('\n').find((line) => line.startsWith('READY='));
      if (ready !== undefined) return this.tell(ready, pid);
    }
  }

  private async receive(): Promise<Bytes> {
    const length = slot('message_length', { reply: true });
    const buffer = outBuffer('message', MESSAGE_LIMIT);
    const batch = await this.player.send([
      step('parent', 'notify-receive', 'wait for a message of the container', CAUSE, [
        poll(this.socket, LOOK),
        call(
          'recvfrom',
          [
            number(this.socket),
            pointer({ kind: 'out', buffer }, 2),
            number(MESSAGE_LIMIT),
            number(MSG_DONTWAIT, F.MESSAGE_FLAGS),
            NULL,
            NULL,
          ],
          { result: length, tolerate: [ERRNO.EAGAIN, ERRNO.EINTR] },
        ),
      ]),
    ]);
    const answer = await this.player.receive(false);
    if (answer.kind !== 'done') throw new CaissonError('no message can be received', { code: 'ENOTIFY' });
    const got = slotValue(batch, answer, length);
    return got > 0 ? bufferBytes(batch, answer, buffer, got) : '';
  }

  private async tell(ready: Bytes, pid: number): Promise<void> {
    const client = slot('manager');
    const [readEnd, writeEnd] = [slot('barrier_read', { width: 4 }), slot('barrier_write', { width: 4 })];
    const end = slot('barrier', { width: 4 });
    await this.player.send([
      step('parent', 'notify-send', 'tell the service manager', CAUSE, [
        ...connectCalls(this.host.replace(/^@/, '\0'), client, SOCK_DGRAM),
        ...[`${ready}\n`, `MAINPID=${pid}\n`].map((text) => send(client, text)),
        sys.pipe2(readEnd, writeEnd, O_CLOEXEC),
        ...sendDescriptor(client, writeEnd, 'BARRIER=1'),
        sys.close(writeEnd),
        sys.check(readEnd, 'GE', 0, ERRNO.EBADF, { result: end }),
        poll(end, BARRIER_PATIENCE),
      ]),
    ]);
    const { kind, errno } = await this.player.receive(false);
    if (kind !== 'done') {
      throw new CaissonError(`the service manager at ${this.host} cannot be told`, {
        code: 'ENOTIFY',
        errno,
      });
    }
  }
}

function send(socket: Slot, text: Bytes): Call {
  return call('sendto', [
    value(socket),
    pointer({ kind: 'string', bytes: text }, 2),
    number(text.length),
    number(MSG_NOSIGNAL, F.MESSAGE_FLAGS),
    NULL,
    number(0),
  ]);
}

/** Until there is something to read, the other end is closed, or so many milliseconds are over. */
function poll(fd: number | Slot, milliseconds: number): Call {
  const polled = struct(
    { name: 'fd', width: 4, value: fd },
    { name: 'events', width: 4, value: POLLIN, format: F.POLL_EVENTS },
  );
  const patience = struct(
    { name: 'tv_sec', width: 8, value: Math.floor(milliseconds / 1000) },
    { name: 'tv_nsec', width: 8, value: (milliseconds % 1000) * 1e6 },
  );
  return call('ppoll', [pointer(polled, 'fixed'), number(1), pointer(patience, 'fixed'), NULL, number(0)], {
    tolerate: [ERRNO.EINTR],
  });
}
