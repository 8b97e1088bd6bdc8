// A port without a machine behind it: files in memory, and what is written kept for the test.
import type { FileStat, Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';

/** What a command has printed, and the files as they are. */
export interface Machine {
  readonly port: Port;
  readonly files: Map<Bytes, Bytes>;
  readonly printed: { stdout: Bytes; stderr: Bytes };
}

const DIRECTORY: FileStat = {
  type: 'directory',
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: 0,
  rdev: 0,
  dev: 1,
  ino: 1,
};

/** `directories` are there beside the files' own. */
export function machine(
  given: Readonly<Record<Bytes, Bytes>> = {},
  directories: readonly Bytes[] = ['/'],
): Machine {
  const files = new Map(Object.entries(given));
  const printed = { stdout: '', stderr: '' };
  const refuse = (what: string) => (): never => {
    throw new Error(`the test's port has no ${what}`);
  };
  const port: Port = {
    arch: 'x86_64',
    arguments: [],
    environment: [],
    uid: 0,
    gid: 0,
    pid: 1000,
    cwd: '/work',
    findProgram: () => undefined,
    initProgram: refuse('init'),
    openChannel: refuse('launcher'),
    readFile: (path) => files.get(path),
    readInput: () => '',
    stat: (path) => {
      const text = files.get(path);
      if (text !== undefined) return { ...DIRECTORY, type: 'file', size: text.length };
      return directories.includes(path) ? DIRECTORY : undefined;
    },
    list: (path) => [...new Set([...files.keys()].flatMap((name) => below(path, name)))],
    entries: () => undefined,
    readChunks: refuse('pieces'),
    makeDirectory: () => true,
    replaceFile: (path, content) => void files.set(path, content),
    appendFile: (path, content) => {
      if (path.startsWith('/missing/')) throw new Error('ENOENT');
      files.set(path, `${files.get(path) ?? ''}${content}`);
    },
    remove: (path) => void files.delete(path),
    spawn: refuse('programs'),
    monotonic: () => 0,
    random: (length) => new Uint8Array(length),
    write: (fd, bytes) => {
      printed[fd === 1 ? 'stdout' : 'stderr'] += bytes;
    },
    onSignals: () => () => undefined,
    after: () => () => undefined,
    terminal: undefined,
  };
  return { port, files, printed };
}

function below(directory: Bytes, path: Bytes): Bytes[] {
  return path.startsWith(`${directory}/`) ? [path.slice(directory.length + 1).split('/')[0] ?? ''] : [];
}
