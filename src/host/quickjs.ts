// The host for the embedded QuickJS (quickjs/engine.c): everything by system calls.
//
// Nothing here may look at arguments, environment, clocks or identity while modules are evaluated: that happens when
// the executable is built (ARCHITECTURE.md, third host). The port is made at the start.
import type { Bytes } from '../linux/bytes.ts';
import { AT_FDCWD, F_GETFD, O_RDWR } from '../linux/constants/open.ts';
import { SIGNALS } from '../linux/signals.ts';
import type { Port } from './port.ts';
import { openChannel } from './quickjs-channel.ts';
import * as files from './quickjs-files.ts';
import { ownFile } from './quickjs-hand-over.ts';
import { after, block, monotonic, onSignals, wait } from './quickjs-loop.ts';
import { call, callAgain, carried, engine, osError } from './quickjs-native.ts';
import { spawnProgram } from './quickjs-spawn.ts';
import { callerTerminal } from './quickjs-terminal.ts';

/** Never the caller's PATH: a helper such as newuidmap(1) is setuid and must be the system's. */
const SYSTEM_PATH = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];

function findProgram(name: Bytes): Bytes | undefined {
  return SYSTEM_PATH.map((directory) => `${directory}/${name}`).find(
    (path) => files.stat(path)?.type === 'file',
  );
}

function random(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const got = callAgain('getrandom', bytes.subarray(done), length - done, 0);
    if (got < 0) throw osError(got, 'getrandom', String(length));
    done += got;
  }
  return bytes;
}

function noMonitor(): never {
  throw new Error('this program was built without the monitor');
}

/** A standard descriptor that the caller has closed is /dev/null: nothing of this program's may get its number. */
function openClosed(): void {
  for (const fd of [0, 1, 2])
    if (call('fcntl', fd, F_GETFD) < 0) call('openat', AT_FDCWD, '/dev/null', O_RDWR);
}

/** Makes the port of this process. */
export function quickjsPort(): Port {
  // A reader that is gone is an error of write(2).
  block([SIGNALS.SIGPIPE]);
  openClosed();
  let environment: readonly Bytes[] | undefined;
  return {
    arch: engine.arch,
    arguments: engine.words(0),
    get environment() {
      environment ??= engine.words(1);
      return environment;
    },
    uid: call('geteuid'),
    gid: call('getegid'),
    pid: call('getpid'),
    get cwd() {
      return files.workingDirectory();
    },
    findProgram,
    initProgram: () => carried.init,
    monitorProgram: () => carried.monitor ?? noMonitor(),
    ...(carried.monitor === undefined ? {} : { ownCommand: [ownFile()] }),
    openChannel,
    readFile: files.readFile,
    readInput: files.readInput,
    stat: files.stat,
    list: files.list,
    entries: files.entries,
    readLink: files.readLink,
    readChunks: files.readChunks,
    readInputChunks: files.readInputChunks,
    makeDirectory: files.makeDirectory,
    replaceFile: (path, content, mode) => files.replaceFile(path, content, mode),
    replaceFileDurably: files.replaceFileDurably,
    appendFile: files.appendFile,
    remove: files.remove,
    removeEmpty: files.removeEmpty,
    spawn: spawnProgram,
    monotonic,
    random,
    write: files.write,
    readerGone: files.readerGone,
    writeBytes: engine.copy,
    onSignals,
    after,
    get terminal() {
      return callerTerminal();
    },
  };
}

/** The name that this program was called by. */
export function calledBy(): Bytes {
  return engine.words(2)[0] ?? '';
}

/** What engine.c calls: once at the start, then whenever no promise is left to go on with. */
interface Program {
  start(): void;
  wait(): void;
}

declare global {
  var program: Program;
}

/** Makes `main` the program: its result is the exit code, and ends the process at once. */
export function runAsProgram(main: (port: Port) => Promise<number>): void {
  globalThis.program = {
    start() {
      void main(quickjsPort()).then((code) => call('exit_group', code));
    },
    wait,
  };
}
