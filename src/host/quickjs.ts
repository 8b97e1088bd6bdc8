// The host for the embedded QuickJS (quickjs/engine.c): everything by system calls.
//
// Nothing here may look at arguments, environment, clocks or identity while modules are evaluated: that happens when
// the executable is built (ARCHITECTURE.md, third host). The port is made at the start.
import type { Bytes } from '../linux/bytes.ts';
import { SIGNALS } from '../linux/signals.ts';
import type { Port } from './port.ts';
import { openChannel } from './quickjs-channel.ts';
import * as files from './quickjs-files.ts';
import { after, block, monotonic, onSignals, wait } from './quickjs-loop.ts';
import { call, callAgain, engine, osError } from './quickjs-native.ts';
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

/** Makes the port of this process. */
export function quickjsPort(): Port {
  // A reader that is gone is an error of write(2).
  block([SIGNALS.SIGPIPE]);
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
    initProgram: () => engine.init,
    openChannel,
    readFile: files.readFile,
    readInput: files.readInput,
    stat: files.stat,
    list: files.list,
    entries: files.entries,
    readLink: files.readLink,
    readChunks: files.readChunks,
    makeDirectory: files.makeDirectory,
    replaceFile: files.replaceFile,
    appendFile: files.appendFile,
    remove: files.remove,
    removeEmpty: files.removeEmpty,
    spawn: spawnProgram,
    monotonic,
    random,
    write: (fd, bytes) => void files.writeAll(fd, bytes),
    writeBytes: engine.copy,
    onSignals,
    after,
    get terminal() {
      return callerTerminal();
    },
  };
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
