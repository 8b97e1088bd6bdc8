// Host files for the Bun host by plain system calls, with files.ts (and so `node:fs`) where something is unusual.
//
// Every failure but "there is none" is left to files.ts, which tries again and words the error.

import { openFlags } from '../linux/abi/index.ts';
import type { Bytes } from '../linux/bytes.ts';
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_WRONLY,
  RENAME_EXCHANGE,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  STATX_BASIC_STATS,
} from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import * as files from './files.ts';
import { ARCH, bytesOf, cstring, errno, memoryOf, syscall } from './libc.ts';
import type { FileStat } from './port.ts';

/** Room for a small file, nearly all of /proc; a larger one gets more. Every page that is touched costs 1 us. */
const ROOM = 16 << 10;
const DEFAULT_LIMIT = 16 << 20;
const PATH_MAX = 4096;
// The value of the machine that Bun was built for (fcntl.h).
const O_DIRECTORY = openFlags(ARCH).O_DIRECTORY;
let room: Uint8Array | undefined;

function isAbsent(): boolean {
  const number = errno();
  return number === ERRNO.ENOENT || number === ERRNO.ENOTDIR;
}

export function readFile(path: Bytes, limit = DEFAULT_LIMIT): Bytes | undefined {
  const fd = syscall('openat', AT_FDCWD, cstring(path), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return isAbsent() ? undefined : files.readFile(path, limit);
  room ??= new Uint8Array(ROOM);
  let length = 0;
  let got = 1;
  while (got > 0 && length <= limit) {
    if (length === room.length) room = enlarged(room);
    got = syscall('read', fd, length === 0 ? room : room.subarray(length), room.length - length);
    if (got > 0) length += got;
  }
  syscall('close', fd);
  if (got !== 0 || length > limit) return files.readFile(path, limit);
  return bytesOf(room, 0, length);
}

function enlarged(from: Uint8Array): Uint8Array {
  const to = new Uint8Array(4 * from.length);
  to.set(from);
  return to;
}

const TYPES: Readonly<Record<number, FileStat['type']>> = {
  [S_IFREG]: 'file',
  [S_IFDIR]: 'directory',
  [S_IFCHR]: 'character',
  [S_IFBLK]: 'block',
  [S_IFIFO]: 'fifo',
  [S_IFSOCK]: 'socket',
};

/** struct statx is 256 bytes (statx(2)). */
const STATX = new DataView(new ArrayBuffer(256));

function device(at: number): number {
  const [major, minor] = [STATX.getUint32(at, true), STATX.getUint32(at + 4, true)];
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

export function stat(path: Bytes): FileStat | undefined {
  const answer = new Uint8Array(STATX.buffer);
  if (syscall('statx', AT_FDCWD, cstring(path), 0, STATX_BASIC_STATS, answer) < 0) {
    return isAbsent() ? undefined : files.stat(path);
  }
  const mode = STATX.getUint16(28, true);
  return {
    type: TYPES[mode & S_IFMT] ?? 'other',
    mode,
    uid: STATX.getUint32(20, true),
    gid: STATX.getUint32(24, true),
    size: Number(STATX.getBigUint64(40, true)),
    rdev: device(128),
    dev: device(136),
    ino: Number(STATX.getBigUint64(32, true)),
  };
}

export function makeDirectory(path: Bytes): boolean {
  return syscall('mkdirat', AT_FDCWD, cstring(path), 0o700) === 0 || files.makeDirectory(path);
}

export function replaceFile(path: Bytes, content: Bytes, mode = 0o600): void {
  const temporary = cstring(`${path}.${process.pid}.tmp`);
  const fd = syscall('openat', AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  const bytes = memoryOf(content);
  const written = fd < 0 ? -1 : syscall('write', fd, bytes, bytes.length);
  if (fd >= 0) syscall('close', fd);
  if (written !== bytes.length || !putInPlace(temporary, cstring(path)))
    files.replaceFile(path, content, mode);
}

/** ext4 writes a file out that is renamed over another, which takes 0.3 ms, and not one that changes places with it. */
function putInPlace(temporary: Uint8Array, path: Uint8Array): boolean {
  if (syscall('renameat2', AT_FDCWD, temporary, AT_FDCWD, path, RENAME_EXCHANGE) === 0)
    return syscall('unlinkat', AT_FDCWD, temporary, 0) === 0;
  return syscall('renameat', AT_FDCWD, temporary, AT_FDCWD, path) === 0;
}

/** struct linux_dirent64: d_reclen at 16, d_name at 19 (getdents64(2)). */
export function list(path: Bytes): Bytes[] {
  const fd = syscall('openat', AT_FDCWD, cstring(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return isAbsent() ? [] : files.list(path);
  room ??= new Uint8Array(ROOM);
  const buffer = room;
  const names: Bytes[] = [];
  for (let got = 1; got > 0; ) {
    got = syscall('getdents64', fd, buffer, buffer.length);
    for (let at = 0; at < got; at += (buffer[at + 16] ?? 0) + 256 * (buffer[at + 17] ?? 0)) {
      const name = bytesOf(buffer, at + 19, buffer.indexOf(0, at + 19));
      if (name !== '.' && name !== '..') names.push(name);
    }
  }
  syscall('close', fd);
  return names;
}

/** A file, or a directory with nothing but files: what a container's state is. Anything else is left to files.ts. */
export function remove(path: Bytes): void {
  const name = cstring(path);
  if (syscall('unlinkat', AT_FDCWD, name, 0) === 0 || errno() === ERRNO.ENOENT) return;
  for (const entry of list(path)) syscall('unlinkat', AT_FDCWD, cstring(`${path}/${entry}`), 0);
  if (syscall('unlinkat', AT_FDCWD, name, AT_REMOVEDIR) !== 0) files.remove(path);
}

export function removeEmpty(path: Bytes): boolean {
  return syscall('unlinkat', AT_FDCWD, cstring(path), AT_REMOVEDIR) === 0 || errno() === ERRNO.ENOENT;
}

export function readLink(path: Bytes): Bytes | undefined {
  const buffer = new Uint8Array(PATH_MAX);
  const length = syscall('readlinkat', AT_FDCWD, cstring(path), buffer, PATH_MAX);
  return length > 0 ? bytesOf(buffer, 0, length) : undefined;
}

export function workingDirectory(): Bytes {
  const buffer = new Uint8Array(PATH_MAX);
  const length = syscall('readlinkat', AT_FDCWD, cstring('/proc/self/cwd'), buffer, PATH_MAX);
  return length > 0 ? bytesOf(buffer, 0, length) : files.workingDirectory();
}

/** Arguments as bytes. process.argv has been decoded, and may have lost some that are not ASCII (machine.md). */
export function commandArguments(): readonly Bytes[] {
  const words = process.argv.slice(2);
  return words.every(isAscii) ? words : files.commandLine(readFile).args;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

export function environment(): readonly Bytes[] {
  return files.commandLine(readFile).environment;
}

export function write(fd: 1 | 2, bytes: Bytes): void {
  const buffer = memoryOf(bytes);
  const written = syscall('write', fd, buffer, buffer.length);
  if (written < buffer.length) files.write(fd, bytes.slice(Math.max(written, 0)));
}
