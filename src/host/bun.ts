// The host for Bun: the launcher is spawned from a sealed memory file and spoken to by plain read(2) and write(2).
//
// Bun's foreign functions reach libc at 0.1 ms for all of them together (measured), so a short-lived command can
// block for the microseconds that an answer takes; only the wait for a container's end leaves that to the event loop.
import * as fs from 'node:fs';
import { dlopen, ptr } from 'bun:ffi';
import type { Bytes } from '../linux/bytes.ts';
import { AnswerReader } from './answers.ts';
import * as files from './files.ts';
import type { Channel, ChannelOptions, Ended, Port, RawAnswer, SpawnOptions } from './port.ts';
import { onSignals } from './signals.ts';
import { spawnProgram } from './spawn.ts';
import { after, callerTerminal } from './terminal.ts';

const { symbols: libc } = dlopen('libc.so.6', {
  pipe2: { args: ['ptr', 'i32'], returns: 'i32' },
  socketpair: { args: ['i32', 'i32', 'i32', 'ptr'], returns: 'i32' },
  memfd_create: { args: ['ptr', 'u32'], returns: 'i32' },
  fcntl: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  read: { args: ['i32', 'ptr', 'u64'], returns: 'i64' },
  write: { args: ['i32', 'ptr', 'u64'], returns: 'i64' },
  close: { args: ['i32'], returns: 'i32' },
  shutdown: { args: ['i32', 'i32'], returns: 'i32' },
  waitpid: { args: ['i32', 'ptr', 'i32'], returns: 'i32' },
  posix_spawn: { args: ['ptr', 'ptr', 'ptr', 'ptr', 'ptr', 'ptr'], returns: 'i32' },
  posix_spawn_file_actions_init: { args: ['ptr'], returns: 'i32' },
  posix_spawn_file_actions_adddup2: { args: ['ptr', 'i32', 'i32'], returns: 'i32' },
  posix_spawn_file_actions_destroy: { args: ['ptr'], returns: 'i32' },
  _exit: { args: ['i32'], returns: 'void' },
});

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const F_DUPFD_CLOEXEC = 1030;
const F_ADD_SEALS = 1033;
const ALL_SEALS = 0xf;
const SHUT_RDWR = 2;
const F_SETFL = 4;
const O_RDWR = 2;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
/** sizeof(posix_spawn_file_actions_t) in glibc is 80. */
const FILE_ACTIONS_SIZE = 128;
/** Descriptors are first moved above every target, so that no dup2 overwrites the source of a later one. */
const SAFE = 100;
const READ_SIZE = 64 << 10;
const RETRIES = 1000;

function cstring(bytes: Bytes): Uint8Array {
  return Buffer.from(`${bytes}\0`, 'latin1');
}

let sealed = -1;

/** The launcher as a sealed memory file, made once per process (12 us for 10 kB). */
function launcherFile(program: () => Uint8Array): number {
  if (sealed >= 0) return sealed;
  const bytes = program();
  // MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC; the last is unknown before 6.3.
  for (const flags of [0x13, 0x03]) {
    sealed = Number(libc.memfd_create(cstring('caisson-launcher'), flags));
    if (sealed >= 0) break;
  }
  if (sealed < 0 || Number(libc.write(sealed, bytes, bytes.length)) !== bytes.length) {
    throw new Error('cannot make a memory file for the launcher (memfd_create)');
  }
  libc.fcntl(sealed, F_ADD_SEALS, ALL_SEALS);
  return sealed;
}

/**
 * Reads a pipe or socket by the event loop. Never by fs.read: Bun's pool has as many threads as there are processors,
 * and each blocked read keeps one (two containers at once would stop the program on two).
 */
function eventReader(fd: number): EventReader {
  libc.fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
  return Bun.file(fd).stream().getReader();
}

class BunChannel implements Channel {
  readonly pid: number;
  private readonly fd: number;
  private readonly reader = new AnswerReader();
  private readonly output: Promise<{ stdout: Bytes; stderr: Bytes }>;
  private stream: EventReader | undefined;
  private open = true;

  constructor(fd: number, pid: number, output: Promise<{ stdout: Bytes; stderr: Bytes }>) {
    this.fd = fd;
    this.pid = pid;
    this.output = output;
  }

  captured(): Promise<{ stdout: Bytes; stderr: Bytes }> {
    return this.output;
  }

  send(bytes: Uint8Array): void {
    let failures = 0;
    for (let done = 0; done < bytes.length; ) {
      const put = Number(libc.write(this.fd, bytes.subarray(done), bytes.length - done));
      if (put > 0) done += put;
      else if (++failures > RETRIES) throw new Error('the launcher is gone (write)');
    }
  }

  receive(brief: boolean): RawAnswer | undefined | Promise<RawAnswer | undefined> {
    const ready = this.reader.next();
    if (ready !== undefined) return ready;
    return brief && this.stream === undefined ? this.receiveNow() : this.receiveLater();
  }

  private receiveNow(): RawAnswer | undefined {
    const buffer = new Uint8Array(READ_SIZE);
    for (let failures = 0; failures < RETRIES; ) {
      const got = Number(libc.read(this.fd, buffer, buffer.length));
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
    libc.shutdown(this.fd, SHUT_RDWR);
    libc.waitpid(this.pid, null, 0);
    libc.close(this.fd);
  }
}

/** Everything that comes out of a pipe. */
async function collect(fd: number): Promise<Bytes> {
  const chunks: Uint8Array[] = [];
  const reader = eventReader(fd);
  for (;;) {
    const got = await reader.read();
    if (got.done) break;
    chunks.push(got.value);
  }
  libc.close(fd);
  return Buffer.concat(chunks).toString('latin1');
}

/** The launcher's descriptors 0, 1 and 2, which of them this process closes after the spawn, and what they bring. */
interface Stdio {
  readonly descriptors: readonly number[];
  readonly own: readonly number[];
  readonly output: Promise<{ stdout: Bytes; stderr: Bytes }>;
}

function stdioOf(options: ChannelOptions): Stdio {
  if (!options.capture) {
    return { descriptors: options.stdio ?? [0, 1, 2], own: [], output: Promise.resolve({ stdout: '', stderr: '' }) };
  }
  const [out, err] = [new Int32Array(2), new Int32Array(2)];
  if (Number(libc.pipe2(out, O_CLOEXEC)) !== 0 || Number(libc.pipe2(err, O_CLOEXEC)) !== 0) throw new Error('pipe2 failed');
  const descriptors = [fs.openSync('/dev/null', 'r'), out[1] ?? -1, err[1] ?? -1];
  const output = Promise.all([collect(out[0] ?? -1), collect(err[0] ?? -1)]);
  return { descriptors, own: descriptors, output: output.then(([stdout, stderr]) => ({ stdout, stderr })) };
}

/** posix_spawn(3) with these descriptors as 0, 1, ...; the process id. Throws Error when it fails. */
function spawnLauncher(image: number, descriptors: readonly number[]): number {
  const actions = new Uint8Array(FILE_ACTIONS_SIZE);
  libc.posix_spawn_file_actions_init(actions);
  const moved = descriptors.map((fd, target) => (fd === target ? fd : Number(libc.fcntl(fd, F_DUPFD_CLOEXEC, SAFE))));
  moved.forEach((fd, target) => {
    libc.posix_spawn_file_actions_adddup2(actions, fd, target);
  });
  const name = cstring('caisson-launcher');
  const argv = new BigUint64Array([BigInt(ptr(name)), 0n]);
  const pid = new Int32Array(1);
  const path = cstring(`/proc/self/fd/${image}`);
  const failed = Number(libc.posix_spawn(pid, path, actions, null, argv, new BigUint64Array(1)));
  libc.posix_spawn_file_actions_destroy(actions);
  moved.forEach((fd, target) => {
    if (fd !== target) libc.close(fd);
  });
  if (failed !== 0) throw new Error(`cannot start the launcher (posix_spawn: errno ${failed})`);
  return pid[0] ?? -1;
}

function openChannel(program: () => Uint8Array, options: ChannelOptions = {}): BunChannel {
  const image = launcherFile(program);
  const pair = new Int32Array(2);
  if (Number(libc.socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC, 0, pair)) !== 0) throw new Error('socketpair failed');
  const [own = -1, theirs = -1] = pair;
  const stdio = stdioOf(options);
  try {
    const pid = spawnLauncher(image, [...stdio.descriptors, theirs]);
    return new BunChannel(own, pid, stdio.output);
  } catch (error) {
    libc.close(own);
    throw error;
  } finally {
    for (const fd of [theirs, ...stdio.own]) libc.close(fd);
  }
}

/** What differs between running from source and from the compiled executable. */
export interface Programs {
  readonly launcher: () => Uint8Array;
  readonly init: () => Uint8Array;
}

/** Makes the port of this process. */
export function bunPort(programs: Programs): Port {
  const { args, environment } = files.commandLine();
  return {
    arch: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
    arguments: args,
    environment,
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    pid: process.pid,
    cwd: files.workingDirectory(),
    findProgram: files.findProgram,
    initProgram: () => Buffer.from(programs.init()).toString('latin1'),
    openChannel: (options) => openChannel(programs.launcher, options),
    readFile: files.readFile,
    stat: files.stat,
    list: files.list,
    entries: files.entries,
    readChunks: files.readChunks,
    makeDirectory: files.makeDirectory,
    replaceFile: files.replaceFile,
    remove: files.remove,
    spawn: (program: Bytes, argv: readonly Bytes[], options: SpawnOptions): Promise<Ended> =>
      spawnProgram(program, argv, options),
    monotonic: () => Number(process.hrtime.bigint()),
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    write: files.write,
    onSignals,
    after,
    get terminal() {
      return callerTerminal();
    },
  };
}

/** Leaves at once: an exit through the engine's shutdown costs 1.5 ms (measured). */
export function exitNow(code: number): never {
  libc._exit(code);
  throw new Error('unreachable');
}
