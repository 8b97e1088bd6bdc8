// The Disk of the QuickJS host, by system calls; a sync blocks, for there is nothing else to do meanwhile.
import { openFlags } from '../linux/abi/index.ts';
import type { Bytes } from '../linux/bytes.ts';
import * as o from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import type { Disk, DiskFile, DiskName, DiskSpace, DiskStat } from './disk.ts';
import { diskErrorOf } from './disk-error.ts';
import { type Argument, callAgain, engine, pathOf } from './quickjs-native.ts';
import { allocatedOf, fileStatOf, modifiedOf, STATX_SIZE } from './statx.ts';

const { O_DIRECTORY, O_NOFOLLOW } = openFlags(engine.arch);

/** struct statfs64 of statfs(2): f_type, f_bsize, f_blocks, f_bfree, f_bavail, words of 64 bits. */
const STATFS_SIZE = 120;

type Name = Parameters<typeof callAgain>[0];

/** A call that must not fail. Throws CaissonError `EDISK`. */
function must(doing: string, path: Bytes, name: Name, ...args: Argument[]): number {
  const [a, b, c, d, e] = args;
  const result = callAgain(name, a, b, c, d, e);
  if (result < 0) throw diskErrorOf(-result, name, doing, path);
  return result;
}

/** undefined when there is nothing at `path`. */
function present(doing: string, path: Bytes, name: Name, ...args: Argument[]): number | undefined {
  const [a, b, c, d, e] = args;
  const result = callAgain(name, a, b, c, d, e);
  if (result === -ERRNO.ENOENT || result === -ERRNO.ENOTDIR) return undefined;
  if (result < 0) throw diskErrorOf(-result, name, doing, path);
  return result;
}

class QuickjsFile implements DiskFile {
  private readonly fd: number;
  private readonly path: Bytes;

  constructor(fd: number, path: Bytes) {
    this.fd = fd;
    this.path = path;
  }

  size(): number {
    const view = statx('look at', this.path, this.fd, '', o.AT_EMPTY_PATH);
    return view === undefined ? 0 : fileStatOf(view).size;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    return must('read', this.path, 'pread64', this.fd, into, into.length, position);
  }

  write(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length; ) {
      const rest = bytes.subarray(done);
      done += must('write', this.path, 'pwrite64', this.fd, rest, rest.length, position + done);
    }
  }

  truncate(size: number): void {
    must('shorten', this.path, 'ftruncate', this.fd, size);
  }

  async sync(): Promise<void> {
    must('write to the disk', this.path, 'fsync', this.fd);
  }

  close(): void {
    must('close', this.path, 'close', this.fd);
  }
}

function statx(doing: string, path: Bytes, fd: number, name: Bytes, flags: number): DataView | undefined {
  const buffer = new ArrayBuffer(STATX_SIZE);
  const done = present(doing, path, 'statx', fd, name, flags, o.STATX_BASIC_STATS, buffer);
  return done === undefined ? undefined : new DataView(buffer);
}

function stat(path: Bytes): DiskStat | undefined {
  const view = statx('look at', path, o.AT_FDCWD, pathOf(path), o.AT_SYMLINK_NOFOLLOW);
  if (view === undefined) return undefined;
  const { mode, uid, size, ino, type } = fileStatOf(view);
  const kind = type === 'file' || type === 'directory' ? type : 'other';
  return { type: kind, mode, uid, size, ino, allocated: allocatedOf(view), modified: modifiedOf(view) };
}

/** Types of struct linux_dirent64 (getdents64(2)): DT_DIR, DT_REG. */
const TYPES: Readonly<Record<number, DiskName['type']>> = { 4: 'directory', 8: 'file' };
const DT_UNKNOWN = 0;
const LIST_SIZE = 64 << 10;

function list(path: Bytes): DiskName[] | undefined {
  const flags = o.O_RDONLY | O_DIRECTORY | o.O_CLOEXEC;
  const fd = present('list', path, 'openat', o.AT_FDCWD, pathOf(path), flags);
  if (fd === undefined) return undefined;
  const buffer = new Uint8Array(LIST_SIZE);
  const names: DiskName[] = [];
  try {
    for (let got = 1; got > 0; ) {
      got = must('list', path, 'getdents64', fd, buffer, LIST_SIZE);
      for (let at = 0; at < got; at += (buffer[at + 16] ?? 0) + 256 * (buffer[at + 17] ?? 0)) {
        const name = engine.string(buffer, at + 19, buffer.indexOf(0, at + 19));
        const kind = buffer[at + 18] ?? DT_UNKNOWN;
        if (name === '.' || name === '..') continue;
        // Some file systems do not say (getdents(2)).
        const type = kind === DT_UNKNOWN ? stat(`${path}/${name}`)?.type : TYPES[kind];
        names.push({ name, type: type ?? 'other' });
      }
    }
  } finally {
    callAgain('close', fd);
  }
  return names;
}

/** One byte more than is allowed: whoever writes meanwhile does not make it grow here. */
function readFile(path: Bytes, limit: number): Uint8Array | undefined {
  const flags = o.O_RDONLY | O_NOFOLLOW | o.O_CLOEXEC;
  const fd = present('read', path, 'openat', o.AT_FDCWD, pathOf(path), flags);
  if (fd === undefined) return undefined;
  const file = new QuickjsFile(fd, path);
  try {
    const bytes = new Uint8Array(Math.min(file.size(), limit) + 1);
    let done = 0;
    for (let got = -1; got !== 0 && done < bytes.length; done += got) {
      const rest = bytes.subarray(done);
      got = must('read', path, 'pread64', fd, rest, rest.length, done);
    }
    if (done > limit) throw diskErrorOf(ERRNO.EFBIG, 'read', 'read', path);
    return bytes.subarray(0, done);
  } finally {
    file.close();
  }
}

function openWith(path: Bytes, flags: number, mode: number): DiskFile {
  const all = flags | O_NOFOLLOW | o.O_CLOEXEC;
  return new QuickjsFile(must('open', path, 'openat', o.AT_FDCWD, pathOf(path), all, mode), path);
}

/** How a program on this host gets at its disk: node-disk.ts. */
export function hostDisk(): Disk {
  return {
    open: (path) => {
      const flags = o.O_RDONLY | O_NOFOLLOW | o.O_CLOEXEC;
      const fd = present('open', path, 'openat', o.AT_FDCWD, pathOf(path), flags);
      return fd === undefined ? undefined : new QuickjsFile(fd, path);
    },
    update: (path, mode) => openWith(path, o.O_RDWR | o.O_CREAT, mode),
    create: (path, mode) => openWith(path, o.O_RDWR | o.O_CREAT | o.O_EXCL, mode),
    readFile,
    stat,
    list,
    makeDirectory: (path, mode) => {
      const made = callAgain('mkdirat', o.AT_FDCWD, pathOf(path), mode);
      if (made < 0 && made !== -ERRNO.EEXIST) throw diskErrorOf(-made, 'mkdir', 'make', path);
      return made === 0;
    },
    rename: (from, to) => {
      must('rename', from, 'renameat', o.AT_FDCWD, pathOf(from), o.AT_FDCWD, pathOf(to));
    },
    remove: (path) => gone(path, 0),
    removeDirectory: (path) => gone(path, o.AT_REMOVEDIR),
    syncDirectory: async (path) => {
      const flags = o.O_RDONLY | O_DIRECTORY | o.O_CLOEXEC;
      const fd = must('open', path, 'openat', o.AT_FDCWD, pathOf(path), flags);
      try {
        must('write to the disk', path, 'fsync', fd);
      } finally {
        callAgain('close', fd);
      }
    },
    space,
  };
}

function gone(path: Bytes, flags: number): boolean {
  return present('remove', path, 'unlinkat', o.AT_FDCWD, pathOf(path), flags) !== undefined;
}

function space(path: Bytes): DiskSpace {
  const view = new DataView(new ArrayBuffer(STATFS_SIZE));
  must('look at', path, 'statfs', pathOf(path), view.buffer as ArrayBuffer);
  const word = (index: number) => Number(view.getBigUint64(8 * index, true));
  return { size: word(1) * word(2), available: word(1) * word(4) };
}
