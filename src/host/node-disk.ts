// The Disk of Node and Bun, over node:fs.
import type { PathLike, Stats } from 'node:fs';
import type { Bytes } from '../linux/bytes.ts';
import { ERRNO } from '../linux/errno.ts';
import type { Disk, DiskFile, DiskName, DiskStat } from './disk.ts';
import { diskErrorOf } from './disk-error.ts';
import { nodePath } from './files.ts';

let loaded: typeof import('node:fs') | undefined;

function fs(): typeof import('node:fs') {
  loaded ??= process.getBuiltinModule('node:fs');
  return loaded;
}

interface SystemError {
  readonly code?: string;
  readonly syscall?: string;
}

function codeOf(error: unknown): string | undefined {
  return (error as SystemError).code;
}

/** Nothing is there: no such name, or something that is no directory on the way. */
function isAbsent(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';
}

function diskError(error: unknown, doing: string, path: Bytes): unknown {
  const { code, syscall = '' } = error as SystemError;
  const errno = ERRNO[code as keyof typeof ERRNO] as number | undefined;
  if (code === undefined || errno === undefined) return error;
  return diskErrorOf(errno, syscall, doing, path, error);
}

/** Does it, and says in caisson's words what went wrong. */
function attempt<T>(doing: string, path: Bytes, work: (path: PathLike) => T): T {
  try {
    return work(nodePath(path));
  } catch (error) {
    throw diskError(error, doing, path);
  }
}

/** Likewise; undefined when there is nothing at `path`. */
function attemptPresent<T>(doing: string, path: Bytes, work: (path: PathLike) => T): T | undefined {
  try {
    return work(nodePath(path));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw diskError(error, doing, path);
  }
}

class NodeFile implements DiskFile {
  private readonly fd: number;
  private readonly path: Bytes;

  constructor(fd: number, path: Bytes) {
    this.fd = fd;
    this.path = path;
  }

  size(): number {
    return attempt('look at', this.path, () => fs().fstatSync(this.fd).size);
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs().read(this.fd, into, 0, into.length, position, (error, got) => {
        if (error === null) resolve(got);
        else reject(diskError(error, 'read', this.path));
      });
    });
  }

  write(bytes: Uint8Array, position: number): void {
    attempt('write', this.path, () => {
      for (let done = 0; done < bytes.length; )
        done += fs().writeSync(this.fd, bytes, done, bytes.length - done, position + done);
    });
  }

  truncate(size: number): void {
    attempt('shorten', this.path, () => {
      fs().ftruncateSync(this.fd, size);
    });
  }

  sync(): Promise<void> {
    return syncDescriptor(this.fd, this.path);
  }

  close(): void {
    attempt('close', this.path, () => {
      fs().closeSync(this.fd);
    });
  }
}

/** Outside of the event loop: a large file takes seconds. */
function syncDescriptor(fd: number, path: Bytes): Promise<void> {
  return new Promise((resolve, reject) => {
    fs().fsync(fd, (error) => {
      if (error === null || error === undefined) resolve();
      else reject(diskError(error, 'write to the disk', path));
    });
  });
}

function typeOf(entry: { isFile(): boolean; isDirectory(): boolean }): DiskStat['type'] {
  return entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : 'other';
}

function statOf(stats: Stats): DiskStat {
  const { mode, uid, size, ino, blocks, mtimeMs } = stats;
  // st_blocks counts units of 512 bytes, whatever the file system (stat(3type)).
  return { type: typeOf(stats), mode, uid, size, ino, allocated: blocks * 512, modified: mtimeMs };
}

function openWith(path: Bytes, flags: number, mode: number): DiskFile {
  const { O_NOFOLLOW } = fs().constants;
  return attempt('open', path, (name) => new NodeFile(fs().openSync(name, flags | O_NOFOLLOW, mode), path));
}

async function syncDirectory(path: Bytes): Promise<void> {
  const { O_RDONLY, O_DIRECTORY } = fs().constants;
  const fd = attempt('open', path, (name) => fs().openSync(name, O_RDONLY | O_DIRECTORY));
  try {
    await syncDescriptor(fd, path);
  } finally {
    fs().closeSync(fd);
  }
}

function list(path: Bytes): DiskName[] | undefined {
  // Buffers: what is not UTF-8 must survive. Bun's entries have no types then, so the names are looked at one by one.
  const names = attemptPresent('list', path, (name) => fs().readdirSync(name, { encoding: 'buffer' }));
  return names?.flatMap((buffer) => {
    const name = buffer.toString('latin1');
    const type = stat(`${path}/${name}`)?.type;
    return type === undefined ? [] : [{ name, type }];
  });
}

function stat(path: Bytes): DiskStat | undefined {
  return attemptPresent('look at', path, (name) => statOf(fs().lstatSync(name)));
}

function readFile(path: Bytes, limit: number): Uint8Array | undefined {
  const { O_RDONLY, O_NOFOLLOW } = fs().constants;
  return attemptPresent('read', path, (name) => {
    const fd = fs().openSync(name, O_RDONLY | O_NOFOLLOW);
    try {
      // One byte more than is allowed: whoever writes meanwhile does not make it grow here.
      const bytes = new Uint8Array(Math.min(fs().fstatSync(fd).size, limit) + 1);
      let done = 0;
      for (let got = -1; got !== 0 && done < bytes.length; done += got)
        got = fs().readSync(fd, bytes, done, bytes.length - done, done);
      if (done > limit) throw Object.assign(new Error('too large'), { code: 'EFBIG', syscall: 'read' });
      return bytes.subarray(0, done);
    } finally {
      fs().closeSync(fd);
    }
  });
}

/** The files of this machine; quickjs-disk.ts has them for the QuickJS host. */
export function hostDisk(): Disk {
  return {
    open: (path) => {
      const { O_RDONLY, O_NOFOLLOW } = fs().constants;
      const fd = attemptPresent('open', path, (name) => fs().openSync(name, O_RDONLY | O_NOFOLLOW));
      return fd === undefined ? undefined : new NodeFile(fd, path);
    },
    update: (path, mode) => openWith(path, fs().constants.O_RDWR | fs().constants.O_CREAT, mode),
    create: (path, mode) => {
      const { O_RDWR, O_CREAT, O_EXCL } = fs().constants;
      return openWith(path, O_RDWR | O_CREAT | O_EXCL, mode);
    },
    readFile,
    stat,
    list,
    makeDirectory: (path, mode) => {
      try {
        fs().mkdirSync(nodePath(path), { mode });
        return true;
      } catch (error) {
        if (codeOf(error) === 'EEXIST') return false;
        throw diskError(error, 'make', path);
      }
    },
    rename: (from, to) => {
      attempt('rename', from, (name) => {
        fs().renameSync(name, nodePath(to));
      });
    },
    remove: (path) =>
      attemptPresent('remove', path, (name) => {
        fs().unlinkSync(name);
        return true;
      }) ?? false,
    removeDirectory: (path) =>
      attemptPresent('remove', path, (name) => {
        fs().rmdirSync(name);
        return true;
      }) ?? false,
    syncDirectory,
    space: (path) =>
      attempt('look at', path, (name) => {
        const { bsize, blocks, bavail } = fs().statfsSync(name);
        return { size: bsize * blocks, available: bsize * bavail };
      }),
  };
}
