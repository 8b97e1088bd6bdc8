// The host for Bun: the launcher is spawned from a sealed memory file and spoken to by plain read(2) and write(2).
//
// A short-lived command can block for the microseconds that an answer takes; only the wait for a container's end is
// left to the event loop, and by the executable, which has nothing else to do, not before a while.
import { type Bytes, fromArray } from '../linux/bytes.ts';
import { AT_FDCWD, F_ADD_SEALS, O_CLOEXEC, O_NONBLOCK, O_RDWR } from '../linux/constants/open.ts';
import { POLLIN, POLLOUT } from '../linux/constants/poll.ts';
import { AF_UNIX, SO_SNDBUFFORCE, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET } from '../linux/constants/socket.ts';
import { TCGETS, TCSETS } from '../linux/constants/terminal.ts';
import { AnswerReader } from './answers.ts';
import * as files from './bun-files.ts';
import * as nodeFiles from './files.ts';
import { cstring, errno, osError, spawnWith, syscall, writeBytes } from './libc.ts';
import { commandLineOf } from './own-command.ts';
import type { Channel, ChannelOptions, Ended, Port, RawAnswer, SpawnOptions } from './port.ts';
import { onSignals } from './signals.ts';
import { spawnProgram } from './spawn.ts';
import { after, callerTerminal } from './terminal.ts';

const ALL_SEALS = 0xf;
const SHUT_RDWR = 2;
const F_SETFL = 4;
/** Answers are short; a longer one takes several reads. */
const READ_SIZE = 4 << 10;
const RETRIES = 1000;
/** Bytes on their way to a launcher, of root's: a batch with content goes without waiting for its other end. */
const SEND_BUFFER = 4 << 20;
/** 36 bytes. */
const TERMIOS_WORDS = 9;

let sealed = -1;

/** The launcher as a sealed memory file, made once per process (12 us for 10 kB). */
function launcherFile(program: () => Uint8Array): number {
  if (sealed >= 0) return sealed;
  const bytes = program();
  // MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC; the last is unknown before 6.3.
  for (const flags of [0x13, 0x03]) {
    sealed = syscall('memfd_create', cstring('caisson-launcher'), flags);
    if (sealed >= 0) break;
  }
  if (sealed < 0 || syscall('write', sealed, bytes, bytes.length) !== bytes.length) {
    throw osError(errno(), 'memfd_create', 'caisson-launcher');
  }
  syscall('fcntl', sealed, F_ADD_SEALS, ALL_SEALS);
  return sealed;
}

/**
 * Reads a pipe or socket by the event loop. Never by fs.read: Bun's pool has as many threads as there are processors,
 * and each blocked read keeps one (two containers at once would stop the program on two).
 */
function eventReader(fd: number): EventReader {
  syscall('fcntl', fd, F_SETFL, O_RDWR | O_NONBLOCK);
  return Bun.file(fd).stream().getReader();
}

class BunChannel implements Channel {
  readonly pid: number;
  private readonly fd: number;
  private readonly reader = new AnswerReader();
  private readonly output: Promise<{ stdout: Bytes; stderr: Bytes }>;
  private readonly patience: number;
  private stream: EventReader | undefined;
  private open = true;

  constructor(fd: number, pid: number, output: Promise<{ stdout: Bytes; stderr: Bytes }>, patience: number) {
    this.patience = patience;
    this.fd = fd;
    this.pid = pid;
    this.output = output;
  }

  captured(): Promise<{ stdout: Bytes; stderr: Bytes }> {
    return this.output;
  }

  send(bytes: Uint8Array): void {
    // The number may be another file's by now.
    if (!this.open) throw new Error('the launcher is gone (closed)');
    let failures = 0;
    for (let done = 0; done < bytes.length; ) {
      const put = syscall('write', this.fd, bytes.subarray(done), bytes.length - done);
      if (put > 0) done += put;
      else if (++failures > RETRIES) throw new Error('the launcher is gone (write)');
      else this.awaitRoom();
    }
  }

  /** The event loop has made the descriptor non-blocking: waits until there is room, at most a while. */
  private awaitRoom(): void {
    const pollfd = new Int32Array([this.fd, POLLOUT]);
    syscall('ppoll', pollfd, 1, new Int32Array([1, 0, 0, 0]), null, 0);
  }

  receive(brief: boolean): RawAnswer | undefined | Promise<RawAnswer | undefined> {
    const ready = this.reader.next();
    if (ready !== undefined || !this.open) return ready;
    return this.stream === undefined && (brief || this.answersSoon())
      ? this.receiveNow()
      : this.receiveLater();
  }

  /** Blocks for up to `patience`: a container that ends at once spares the program the event loop (0.4 ms). */
  private answersSoon(): boolean {
    if (this.patience === 0) return false;
    const pollfd = new Int32Array([this.fd, POLLIN]);
    const timeout = new Int32Array([0, 0, this.patience * 1e6, 0]);
    return syscall('ppoll', pollfd, 1, timeout, null, 0) === 1;
  }

  private receiveNow(): RawAnswer | undefined {
    const buffer = new Uint8Array(READ_SIZE);
    for (let failures = 0; failures < RETRIES; ) {
      const got = syscall('read', this.fd, buffer, buffer.length);
      if (got === 0) return undefined;
      if (got < 0) {
        failures++;
        continue;
      }
      this.reader.push(buffer.slice(0, got));
      const answer = this.reader.next();
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  /** From the first long wait on the event loop reads the channel, and goes on doing so. */
  private async receiveLater(): Promise<RawAnswer | undefined> {
    this.stream ??= eventReader(this.fd);
    for (;;) {
      const got = await this.stream.read();
      if (got.done) return undefined;
      this.reader.push(got.value);
      const answer = this.reader.next();
      if (answer !== undefined) return answer;
    }
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    syscall('shutdown', this.fd, SHUT_RDWR);
    syscall('wait4', this.pid);
    syscall('close', this.fd);
  }

  release(): void {
    if (!this.open) return;
    this.open = false;
    syscall('close', this.fd);
    released.push(this.pid);
  }
}

/** Children that live on and are this process's to reap when they have ended. */
let released: number[] = [];

function reapReleased(): void {
  if (released.length > 0)
    released = released.filter((pid) => syscall('wait4', pid, null, WNOHANG, null) === 0);
}

/** wait4(2). */
const WNOHANG = 1;

/** Everything that comes out of a pipe. */
async function collect(fd: number, number: 1 | 2, output: ChannelOptions['output']): Promise<Bytes> {
  const chunks: Uint8Array[] = [];
  const reader = eventReader(fd);
  for (;;) {
    const got = await reader.read();
    if (got.done) break;
    if (output === undefined) chunks.push(got.value);
    else output(number, fromArray(got.value));
  }
  syscall('close', fd);
  return Buffer.concat(chunks).toString('latin1');
}

/** The launcher's descriptors 0, 1 and 2, which of them this process closes after the spawn, and what they bring. */
interface Stdio {
  readonly descriptors: readonly number[];
  readonly own: readonly number[];
  readonly output: Promise<{ stdout: Bytes; stderr: Bytes }>;
}

function openNull(): number {
  return syscall('openat', AT_FDCWD, cstring('/dev/null'), O_RDWR | O_CLOEXEC);
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
      output: Promise.resolve({ stdout: '', stderr: '' }),
    };
  }
  const [out, err] = [new Int32Array(2), new Int32Array(2)];
  if (syscall('pipe2', out, O_CLOEXEC) !== 0 || syscall('pipe2', err, O_CLOEXEC) !== 0)
    throw new Error('pipe2 failed');
  const descriptors = [openNull(), out[1] ?? -1, err[1] ?? -1];
  const given = options.output;
  const output = Promise.all([collect(out[0] ?? -1, 1, given), collect(err[0] ?? -1, 2, given)]);
  return { descriptors, own: descriptors, output: output.then(([stdout, stderr]) => ({ stdout, stderr })) };
}

function openChannel({ launcher, patience = 0 }: Programs, options: ChannelOptions = {}): BunChannel {
  reapReleased();
  const image = launcherFile(launcher);
  const pair = new Int32Array(2);
  if (syscall('socketpair', AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) !== 0)
    throw osError(errno(), 'socketpair', '');
  const [own = -1, theirs = -1] = pair;
  // Only root may have more than net.core.wmem_max (socket(7)).
  syscall('setsockopt', own, SOL_SOCKET, SO_SNDBUFFORCE, new Int32Array([SEND_BUFFER]), 4);
  const stdio = stdioOf(options);
  try {
    const kept = Array.from({ length: options.keep ?? 0 }, (_, index) => 3 + index);
    const words = ['caisson-launcher', String(3 + kept.length)] as const;
    const pid = spawnWith(`/proc/self/fd/${image}`, words, [...stdio.descriptors, ...kept, theirs]);
    return new BunChannel(own, pid, stdio.output, options.concurrent === true ? 0 : patience);
  } catch (error) {
    syscall('close', own);
    throw error;
  } finally {
    for (const fd of [theirs, ...stdio.own]) syscall('close', fd);
  }
}

/** c_oflag of the terminal at descriptor 0 becomes 0: struct termios of <asm-generic/termbits.h>, its second word. */
function leaveOutput(): void {
  const modes = new Int32Array(TERMIOS_WORDS);
  if (syscall('ioctl', 0, TCGETS, modes) !== 0) return;
  modes[1] = 0;
  syscall('ioctl', 0, TCSETS, modes);
}

/** What differs between running from source and from the compiled executable. */
export interface Programs {
  readonly launcher: () => Uint8Array;
  readonly init: () => Uint8Array;
  readonly monitor?: () => Uint8Array;
  /** Milliseconds for which the process may block, deaf to signals, before the event loop waits (default 0). */
  readonly patience?: number;
}

function noMonitor(): never {
  throw new Error('this program was built without the monitor');
}

/** Makes the port of this process. */
export function bunPort(programs: Programs): Port {
  let environment: readonly Bytes[] | undefined;
  return {
    arch: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
    arguments: files.commandArguments(),
    get environment() {
      environment ??= files.environment();
      return environment;
    },
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    pid: process.pid,
    get cwd() {
      return files.workingDirectory();
    },
    findProgram: nodeFiles.findProgram,
    initProgram: () => Buffer.from(programs.init()).toString('latin1'),
    monitorProgram: () => Buffer.from((programs.monitor ?? noMonitor)()).toString('latin1'),
    get ownCommand() {
      return commandLineOf(process.execPath, (path) => files.stat(path)?.type === 'file');
    },
    openChannel: (options) => openChannel(programs, options),
    readFile: files.readFile,
    readInput: nodeFiles.readInput,
    stat: files.stat,
    list: files.list,
    entries: nodeFiles.entries,
    readLink: files.readLink,
    readChunks: nodeFiles.readChunks,
    readInputChunks: nodeFiles.readInputChunks,
    makeDirectory: files.makeDirectory,
    replaceFile: files.replaceFile,
    replaceFileDurably: nodeFiles.replaceFileDurably,
    appendFile: nodeFiles.appendFile,
    remove: files.remove,
    removeEmpty: files.removeEmpty,
    spawn: (program: Bytes, argv: readonly Bytes[], options: SpawnOptions): Promise<Ended> =>
      spawnProgram(program, argv, options),
    monotonic: () => Number(process.hrtime.bigint()),
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    write: files.write,
    readerGone: nodeFiles.readerGone,
    writeBytes,
    onSignals,
    after,
    get terminal() {
      return callerTerminal(leaveOutput);
    },
  };
}

/** Leaves at once: an exit through the engine's shutdown costs 1.5 ms (measured). */
export function exitNow(code: number): never {
  syscall('exit_group', code);
  throw new Error('unreachable');
}
