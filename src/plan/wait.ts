// How the launcher waits: for the end of the container, for output of its terminal, and for the next batch.
import { POLLIN } from '../linux/constants/poll.ts';
import { P_PIDFD, WEXITED, WNOHANG } from '../linux/constants/process.ts';
import { ERRNO } from '../linux/errno.ts';
import * as F from '../linux/flags.ts';
import {
  type Call,
  call,
  type Field,
  NULL,
  number,
  type OutBuffer,
  outBuffer,
  pointer,
  type Slot,
  slot,
  struct,
  value,
} from './call.ts';
import { CHANNEL } from './channel.ts';
import * as sys from './syscalls.ts';

/** What one pause of the launcher brings. */
export interface Watch {
  /** siginfo_t of the exit, all zero while the container lives. */
  readonly exit: OutBuffer;
  readonly terminal?: {
    readonly fd: Slot | number;
    readonly output: OutBuffer;
    /** Bytes of output, or a negative errno: EAGAIN while there is none, EIO once nobody has the terminal open. */
    readonly count: Slot;
  };
}

/** A terminal's buffer in the kernel is 4 KiB; several of them may have been filled meanwhile. */
const OUTPUT = 16 << 10;

export function watchFor(terminal: Slot | number | undefined): Watch {
  const exit = outBuffer('siginfo', 128);
  if (terminal === undefined) return { exit };
  return {
    exit,
    terminal: { fd: terminal, output: outBuffer('output', OUTPUT), count: slot('count', { reply: true }) },
  };
}

/** Copies a descriptor into a 4-byte slot of the pollfd structure. */
function watched(fd: Slot | number, name: string): { copy: Call; fields: Field[] } {
  const place = slot(name, { width: 4 });
  const copy =
    typeof fd === 'number'
      ? sys.checkNumber(fd, place)
      : sys.check(fd, 'GE', 0, ERRNO.EBADF, { result: place });
  return {
    copy,
    fields: [
      { name: 'fd', width: 4, value: place },
      { name: 'events', width: 4, value: POLLIN, format: F.POLL_EVENTS },
    ],
  };
}

/** Blocks until something has happened and says what (ppoll(2), read(2), waitid(2)). */
export function waitCalls(pidfd: Slot | number, watch: Watch, channel = CHANNEL): Call[] {
  const sources = [watched(channel, 'poll_channel'), watched(pidfd, 'poll_pidfd')];
  if (watch.terminal !== undefined) sources.push(watched(watch.terminal.fd, 'poll_terminal'));
  const poll = struct(...sources.flatMap(({ fields }) => fields));
  const calls = [
    ...sources.map(({ copy }) => copy),
    call('ppoll', [pointer(poll, 'fixed'), number(sources.length), NULL, NULL, number(0)]),
  ];
  if (watch.terminal !== undefined) {
    const { fd, output, count } = watch.terminal;
    calls.push(sys.read(fd, output, { result: count, tolerate: [ERRNO.EAGAIN, ERRNO.EIO] }));
  }
  calls.push(
    call('waitid', [
      number(P_PIDFD, F.WAIT_TYPES),
      value(pidfd),
      pointer({ kind: 'out', buffer: watch.exit }, 'fixed'),
      number(WEXITED | WNOHANG, F.WAIT_FLAGS),
      NULL,
    ]),
  );
  return calls;
}
