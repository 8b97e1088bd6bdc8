// The launcher as a child of the QuickJS host: spawned from a sealed memory file, spoken to over a socket pair.
import type { Bytes } from '../linux/bytes.ts';
import {
  F_ADD_SEALS,
  F_GETFD,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  FD_CLOEXEC,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_EXEC,
} from '../linux/constants/open.ts';
import { POLLIN } from '../linux/constants/poll.ts';
import { AF_UNIX, MSG_NOSIGNAL, SHUT_RDWR, SOCK_CLOEXEC, SOCK_STREAM } from '../linux/constants/socket.ts';
import { ERRNO } from '../linux/errno.ts';
import { AnswerReader } from './answers.ts';
import type { Channel, ChannelOptions, RawAnswer } from './port.ts';
import { watch } from './quickjs-loop.ts';
import { call, callAgain, carried, engine, osError } from './quickjs-native.ts';
import { collect, makePipe, openNull } from './quickjs-pipes.ts';

const room = new Uint8Array(engine.room);
const ALL_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

let sealed = -1;

/** The launcher as a sealed memory file, made once per process. */
function launcherFile(): number {
  if (sealed >= 0) return sealed;
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  let file = call('memfd_create', 'caisson-launcher', flags | MFD_EXEC);
  // MFD_EXEC is unknown before 6.3.
  if (file === -ERRNO.EINVAL) file = call('memfd_create', 'caisson-launcher', flags);
  if (file < 0) throw osError(file, 'memfd_create', 'caisson-launcher');
  const { launcher } = carried;
  const written = call('write', file, launcher, launcher.length);
  if (written < 0) throw osError(written, 'write', 'caisson-launcher');
  if (written !== launcher.length || call('fcntl', file, F_ADD_SEALS, ALL_SEALS) < 0)
    throw new Error('cannot make a memory file for the launcher (memfd_create)');
  sealed = file;
  return sealed;
}

interface Output {
  readonly stdout: Bytes;
  readonly stderr: Bytes;
}

class QuickjsChannel implements Channel {
  readonly pid: number;
  private readonly fd: number;
  private readonly reader = new AnswerReader();
  private readonly output: Promise<Output>;
  private open = true;

  constructor(fd: number, pid: number, output: Promise<Output>) {
    this.fd = fd;
    this.pid = pid;
    this.output = output;
  }

  captured(): Promise<Output> {
    return this.output;
  }

  send(bytes: Uint8Array): void {
    // The number may be another file's by now.
    if (!this.open) throw new Error('the launcher is gone (closed)');
    for (let rest = bytes; rest.length > 0; ) {
      const put = callAgain('sendto', this.fd, rest, rest.length, MSG_NOSIGNAL);
      if (put < 0) throw new Error('the launcher is gone (write)');
      rest = rest.subarray(put);
    }
  }

  receive(brief: boolean): RawAnswer | undefined | Promise<RawAnswer | undefined> {
    for (;;) {
      const ready = this.reader.next();
      if (ready !== undefined || !this.open) return ready;
      if (!brief) return this.receiveLater();
      if (!this.read()) return undefined;
    }
  }

  /** What is there, at least a byte; false at the end. */
  private read(): boolean {
    const got = callAgain('read', this.fd, room, room.length);
    if (got > 0) this.reader.push(room.slice(0, got));
    return got > 0;
  }

  private receiveLater(): Promise<RawAnswer | undefined> {
    return new Promise((resolve) => {
      const end = watch(this.fd, POLLIN, () => {
        const more = this.read();
        const answer = this.reader.next();
        if (more && answer === undefined) return;
        end();
        resolve(answer);
      });
    });
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    call('shutdown', this.fd, SHUT_RDWR);
    callAgain('wait4', this.pid, null, 0, null);
    call('close', this.fd);
  }

  /** The process that lives on is nobody's to reap: this command ends before it does. */
  release(): void {
    if (!this.open) return;
    this.open = false;
    call('close', this.fd);
  }
}

/** The launcher's descriptors 0, 1 and 2, which of them this process closes after the spawn, and what they bring. */
interface Stdio {
  readonly descriptors: readonly number[];
  readonly own: readonly number[];
  readonly output: () => Promise<Output>;
}

function stdioOf(options: ChannelOptions): Stdio {
  if (!options.capture) {
    const [stdin, stdout, stderr] = options.stdio ?? [0, 1, 2];
    const own = options.noInput === true || options.noOutput === true ? [openNull()] : [];
    const [input] = options.noInput === true ? own : [];
    const [output] = options.noOutput === true ? own : [];
    return {
      descriptors: [input ?? stdin, output ?? stdout, output ?? stderr],
      own,
      output: () => Promise.resolve({ stdout: '', stderr: '' }),
    };
  }
  const [[out, stdout], [err, stderr]] = [makePipe(), makePipe()];
  const own = [openNull(), stdout, stderr];
  const all = Number.POSITIVE_INFINITY;
  return {
    descriptors: own,
    own,
    output: async () => {
      const given = options.output;
      const taken = (stream: 1 | 2) =>
        given === undefined ? undefined : (piece: Bytes) => given(stream, piece);
      const [first, second] = await Promise.all([collect(out, all, taken(1)), collect(err, all, taken(2))]);
      return { stdout: first, stderr: second };
    },
  };
}

/**
 * Descriptors of the caller from 3 on. Throws Error for one that the caller does not have: the number may be one of this
 * process's own by now, which all are close-on-exec, and the channel in a container would be a way out of it.
 */
function keptDescriptors(count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const flags = call('fcntl', 3 + index, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) === 0) return 3 + index;
    const path = `/proc/self/fd/${3 + index}`;
    throw new Error(
      `unable to stat preserved-fd ${index + 1} (of ${count}): stat ${path}: no such file or directory`,
    );
  });
}

/** Starts a launcher: port.ts. Throws Error when that fails. */
export function openChannel(options: ChannelOptions = {}): Channel {
  const kept = keptDescriptors(options.keep ?? 0);
  const image = launcherFile();
  const pair = new Int32Array(2);
  const made = call('socketpair', AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
  if (made < 0) throw osError(made, 'socketpair', '');
  const [own = -1, theirs = -1] = pair;
  const stdio = stdioOf(options);
  const words = ['caisson-launcher', String(3 + kept.length)];
  const pid = engine.spawn(image, words, [], [...stdio.descriptors, ...kept, theirs], null);
  for (const fd of [theirs, ...stdio.own]) call('close', fd);
  if (pid < 0) throw osError(pid, 'start', 'the launcher');
  return new QuickjsChannel(own, pid, stdio.output());
}
