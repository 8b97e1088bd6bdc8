// Host files for the QuickJS host, over its module `os`.
import { type Bytes, bytesToUtf8, fromArray, toArray, utf8ToBytes } from '../linux/bytes.ts';
import {
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_WRONLY,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from '../linux/constants/open.ts';
import { ERRNO, errnoName, errnoText } from '../linux/errno.ts';
import { statusField } from '../linux/proc-status.ts';
import { makedev } from '../plan/compile/device-node.ts';
import type { DirectoryEntry, FileStat } from './port.ts';
import type { Os, OsStat } from './quickjs-modules.ts';

/** Most configuration and proc files are small; nothing that caisson reads is larger. */
const DEFAULT_LIMIT = 16 << 20;
const CHUNK = 64 << 10;
const LARGE_CHUNK = 256 << 10;

/** An error as node:fs words it. */
export function osError(negative: number, call: string, what: Bytes): Error {
  const code = errnoName(-negative);
  return Object.assign(new Error(`${code}: ${errnoText(-negative)}, ${call} '${what}'`), { code });
}

/** A byte string as QuickJS hands it on, which is as UTF-8 up to the first NUL. Throws Error for other bytes. */
export function osText(bytes: Bytes): string {
  const text = bytesToUtf8(bytes);
  if (utf8ToBytes(text) !== bytes || bytes.includes('\0'))
    throw osError(-ERRNO.EINVAL, 'name for QuickJS', bytes);
  return text;
}

/** ESRCH and ENODEV: files of a process or of a cgroup that has gone since they were opened. */
const ABSENT: readonly number[] = [ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ESRCH, ERRNO.ENODEV];

const isAbsent = (negative: number): boolean => ABSENT.includes(-negative);

/** Writes all of it; false once nobody reads any more. Throws Error for another failure. */
export function writeAll(os: Os, fd: number, bytes: Uint8Array): boolean {
  for (let done = 0; done < bytes.length; ) {
    const put = os.write(fd, bytes.buffer, bytes.byteOffset + done, bytes.length - done);
    if (put === -ERRNO.EPIPE) return false;
    if (put < 0 && put !== -ERRNO.EINTR && put !== -ERRNO.EAGAIN) throw osError(put, 'write', String(fd));
    if (put > 0) done += put;
  }
  return true;
}

const TYPES: Readonly<Record<number, FileStat['type']>> = {
  [S_IFREG]: 'file',
  [S_IFDIR]: 'directory',
  [S_IFCHR]: 'character',
  [S_IFBLK]: 'block',
  [S_IFIFO]: 'fifo',
  [S_IFSOCK]: 'socket',
};

const ENTRY_TYPES: Readonly<Record<number, DirectoryEntry['type']>> = {
  [S_IFREG]: 'file',
  [S_IFDIR]: 'directory',
  [S_IFLNK]: 'symlink',
};

/** The kernel's 32-bit encoding of glibc's 64-bit one (makedev(3)); both numbers are below 2^20. */
function kernelDevice(device: number): number {
  return makedev((device >>> 8) & 0xfff, (device & 0xff) | ((device >>> 12) & 0xfff00));
}

/** The second number of `Uid:` or `Gid:` in /proc/self/status. */
export function effectiveId(status: Bytes, field: 'Uid' | 'Gid'): number {
  return Number(statusField(status, field)?.split(/\s+/)[1] ?? 0);
}

/** The part of the port that is about files. */
export class QuickjsFiles {
  private readonly os: Os;

  constructor(os: Os) {
    this.os = os;
  }

  private open(path: Bytes, flags: number, mode?: number): number {
    return this.os.open(osText(path), flags | O_CLOEXEC, mode);
  }

  /** At most `limit` bytes, and whether that was all; undefined when there is no such file. */
  readHead(path: Bytes, limit: number): { content: Bytes; whole: boolean } | undefined {
    const fd = this.open(path, O_RDONLY);
    if (fd < 0) {
      if (isAbsent(fd)) return undefined;
      throw osError(fd, 'open', path);
    }
    try {
      const buffer = new Uint8Array(Math.min(CHUNK, limit + 1));
      let content = '';
      for (;;) {
        const got = this.os.read(fd, buffer.buffer, 0, buffer.length);
        if (got === 0) return { content, whole: true };
        if (got < 0) {
          if (isAbsent(got)) return undefined;
          if (got !== -ERRNO.EINTR) throw osError(got, 'read', path);
          continue;
        }
        content += fromArray(buffer, 0, got);
        if (content.length > limit) return { content: content.slice(0, limit), whole: false };
      }
    } finally {
      this.os.close(fd);
    }
  }

  readFile = (path: Bytes, limit = DEFAULT_LIMIT): Bytes | undefined => {
    const head = this.readHead(path, limit);
    if (head?.whole === false) throw new Error(`${path} is larger than ${limit} bytes`);
    return head?.content;
  };

  stat = (path: Bytes): FileStat | undefined => {
    const [stat, error] = this.os.stat(osText(path));
    if (stat === null || error !== 0) {
      if (isAbsent(-error) || error === ERRNO.EACCES) return undefined;
      throw osError(-error, 'stat', path);
    }
    const { mode, uid, gid, size, dev, ino, rdev } = stat;
    return {
      type: TYPES[mode & S_IFMT] ?? 'other',
      mode,
      uid,
      gid,
      size,
      rdev: kernelDevice(rdev),
      dev,
      ino,
    };
  };

  list = (path: Bytes): Bytes[] => {
    const [names, error] = this.os.readdir(osText(path));
    if (error === 0) return names.filter((name) => name !== '.' && name !== '..').map(utf8ToBytes);
    if (isAbsent(-error)) return [];
    throw osError(-error, 'readdir', path);
  };

  entries = (path: Bytes): DirectoryEntry[] | undefined => {
    const [names, error] = this.os.readdir(osText(path));
    if (error !== 0) return undefined;
    const prefix = path === '/' ? '' : path;
    return names
      .filter((name) => name !== '.' && name !== '..')
      .flatMap((name) => this.lookAt(prefix, utf8ToBytes(name)) ?? []);
  };

  private lookAt(prefix: Bytes, name: Bytes): DirectoryEntry | undefined {
    const path = osText(`${prefix}/${name}`);
    const [stat] = this.os.lstat(path);
    if (stat === null) return undefined;
    const { mode, size } = stat;
    const type = ENTRY_TYPES[mode & S_IFMT] ?? 'other';
    const entry = { name, type, mode: mode & 0o7777, size };
    if (type !== 'symlink') return { ...entry, readable: this.isReadable(path, type, stat) };
    const [target, error] = this.os.readlink(path);
    return error === 0 ? { ...entry, readable: true, target: utf8ToBytes(target) } : undefined;
  }

  /** There is no access(2): files and directories are opened, which for devices and pipes would mean something. */
  private isReadable(path: string, type: DirectoryEntry['type'], stat: OsStat): boolean {
    if (type === 'other') return this.isPermitted(stat);
    const fd = this.os.open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    this.os.close(fd);
    return type === 'file' || this.os.stat(`${path}/.`)[1] === 0;
  }

  /** By the permission bits; further groups of the caller are not looked at. */
  private isPermitted({ mode, uid, gid }: OsStat): boolean {
    const status = this.readFile('/proc/self/status') ?? '';
    const own = effectiveId(status, 'Uid');
    if (own === 0) return true;
    const bit = own === uid ? 0o400 : effectiveId(status, 'Gid') === gid ? 0o040 : 0o004;
    return (mode & bit) !== 0;
  }

  readChunks = async function* (this: QuickjsFiles, path: Bytes): AsyncGenerator<Uint8Array> {
    const fd = this.open(path, O_RDONLY);
    if (fd < 0) throw osError(fd, 'open', path);
    try {
      for (;;) {
        const buffer = new Uint8Array(LARGE_CHUNK);
        const got = this.os.read(fd, buffer.buffer, 0, buffer.length);
        if (got < 0) throw osError(got, 'read', path);
        if (got === 0) return;
        yield buffer.subarray(0, got);
      }
    } finally {
      this.os.close(fd);
    }
  }.bind(this);

  makeDirectory = (path: Bytes): boolean => {
    const made = this.os.mkdir(osText(path), 0o700);
    if (made === 0) return true;
    if (made === -ERRNO.EEXIST && this.stat(path)?.type === 'directory') return false;
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (made !== -ERRNO.ENOENT || parent === '') throw osError(made, 'mkdir', path);
    this.makeDirectory(parent);
    return this.makeDirectory(path);
  };

  replaceFile = (path: Bytes, content: Bytes, mode = 0o600): void => {
    const temporary = `${path}.${this.os.getpid()}.tmp`;
    // A name that others could guess must not lead elsewhere by a link that they planted.
    this.os.remove(osText(temporary));
    const fd = this.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (fd < 0) throw osError(fd, 'open', temporary);
    try {
      try {
        writeAll(this.os, fd, toArray(content));
      } finally {
        this.os.close(fd);
      }
      const renamed = this.os.rename(osText(temporary), osText(path));
      if (renamed < 0) throw osError(renamed, 'rename', path);
    } catch (error) {
      this.os.remove(osText(temporary));
      throw error;
    }
  };

  remove = (path: Bytes): void => {
    const removed = this.os.remove(osText(path));
    if (removed === 0 || isAbsent(removed)) return;
    if (removed !== -ERRNO.ENOTEMPTY && removed !== -ERRNO.EEXIST) throw osError(removed, 'remove', path);
    for (const name of this.list(path)) this.remove(`${path}/${name}`);
    const again = this.os.remove(osText(path));
    if (again < 0 && !isAbsent(again)) throw osError(again, 'remove', path);
  };

  write = (fd: 1 | 2, bytes: Bytes): void => {
    writeAll(this.os, fd, toArray(bytes));
  };
}
