// The host for Debian's plain QuickJS: everything through its modules `std` and `os`.
//
// A program hands the two modules in and must not await at its top level: js_std_await sleeps between promises where
// js_std_loop does not. Run it with `qjs --std --no-unhandled-rejection`, for the engine calls a promise unhandled
// that is rejected before somebody awaits it. Names that are not UTF-8 are refused: QuickJS cannot hand them on.
import { type Bytes, utf8ToBytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_RDONLY } from '../linux/constants/open.ts';
import { executableFormat, HEADER_BYTES } from '../linux/elf.ts';
import { SIGNALS } from '../linux/signals.ts';
import type { Port } from './port.ts';
import { openQuickjsChannel } from './quickjs-channel.ts';
import { effectiveId, osError, QuickjsFiles } from './quickjs-files.ts';
import type { Os, Std } from './quickjs-modules.ts';
import { spawnQuickjs } from './quickjs-spawn.ts';

/** What the program that QuickJS runs hands in. */
export interface QuickjsHost {
  readonly std: Std;
  readonly os: Os;
  /** `scriptArgs`: the script and its arguments. */
  readonly scriptArgs: readonly string[];
  /** Paths of the launcher and of PID 1 for `--init`. */
  readonly launcher: Bytes;
  readonly init: Bytes;
}

/** Never the caller's PATH: a helper such as newuidmap(1) is setuid and must be the system's. */
const SYSTEM_PATH = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];

function random(os: Os, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const fd = os.open('/dev/urandom', O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw osError(fd, 'open', '/dev/urandom');
  // Up to 256 bytes come at once and whole (random(4)).
  for (let done = 0; done < length; ) {
    const got = os.read(fd, bytes.buffer, done, Math.min(256, length - done));
    if (got <= 0) throw osError(got, 'read', '/dev/urandom');
    done += got;
  }
  os.close(fd);
  return bytes;
}

function onSignals(os: Os, signals: readonly number[], handler: (signal: number) => void): () => void {
  for (const signal of signals) {
    os.signal(signal, () => {
      handler(signal);
    });
  }
  return () => {
    for (const signal of signals) os.signal(signal, null);
  };
}

function after(os: Os, milliseconds: number, handler: () => void): () => void {
  const timer = os.setTimeout(handler, milliseconds);
  return () => {
    os.clearTimeout(timer);
  };
}

/** What /proc tells of this process: arguments and environment as bytes, effective ids, the processor. */
function self(files: QuickjsFiles, scriptArgs: readonly string[]) {
  const words = (files.readFile('/proc/self/cmdline') ?? '').split('\0').slice(0, -1);
  const count = scriptArgs.length - 1;
  const status = files.readFile('/proc/self/status') ?? '';
  const format = executableFormat(files.readHead('/proc/self/exe', HEADER_BYTES)?.content ?? '');
  const arm = format.kind === 'elf' && format.machineName === 'arm64';
  return {
    arch: arm ? ('aarch64' as const) : ('x86_64' as const),
    arguments: count <= 0 ? [] : words.slice(-count),
    environment: (files.readFile('/proc/self/environ') ?? '').split('\0').filter((entry) => entry !== ''),
    uid: effectiveId(status, 'Uid'),
    gid: effectiveId(status, 'Gid'),
  };
}

/** Makes the port of this process. */
export function quickjsPort({ std, os, scriptArgs, launcher, init }: QuickjsHost): Port {
  const files = new QuickjsFiles(os);
  // A handler, not SIG_IGN: a launcher that is gone is an error of write(2), and execve(2) puts the default back.
  os.signal(SIGNALS.SIGPIPE, () => undefined);
  return {
    ...self(files, scriptArgs),
    pid: os.getpid(),
    cwd: utf8ToBytes(os.readlink('/proc/self/cwd')[0]),
    findProgram: (name) =>
      SYSTEM_PATH.map((directory) => `${directory}/${name}`).find(
        (path) => files.stat(path)?.type === 'file',
      ),
    initProgram: () => files.readFile(init) ?? '',
    openChannel: (options) => openQuickjsChannel(std, os, launcher, options),
    readFile: files.readFile,
    stat: files.stat,
    list: files.list,
    entries: files.entries,
    readChunks: files.readChunks,
    makeDirectory: files.makeDirectory,
    replaceFile: files.replaceFile,
    remove: files.remove,
    spawn: (program, args, options) => spawnQuickjs(os, program, args, options),
    monotonic: () => Math.round(os.now() * 1e6),
    random: (length) => random(os, length),
    write: files.write,
    onSignals: (signals, handler) => onSignals(os, signals, handler),
    after: (milliseconds, handler) => after(os, milliseconds, handler),
    terminal: undefined,
  };
}
