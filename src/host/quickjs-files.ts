// Host files for the QuickJS host, by system calls.
import { openFlags } from '../linux/abi/index.ts';
import type { Bytes } from '../linux/bytes.ts';
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_WRONLY,
  R_OK,
  RENAME_EXCHANGE,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  STATX_BASIC_STATS,
  X_OK,
} from '../linux/constants/open.ts';
import { POLLIN, POLLOUT } from '../linux/constants/poll.ts';
import { ERRNO } from '../linux/errno.ts';
import type { DirectoryEntry, FileStat } from './port.ts';
import { call, callAgain, engine, osError, pathOf } from './quickjs-native.ts';
import { fileStatOf, modeOf, STATX_SIZE, sizeOf } from './statx.ts';

/** Most configuration and proc files are small; nothing that caisson reads is larger. */
const DEFAULT_LIMIT = 16 << 20;
const LARGE_CHUNK = 256 << 10;
const PATH_MAX = 4096;
const { O_DIRECTORY, O_NOFOLLOW } = openFlags(engine.arch);

/** ESRCH and ENODEV: files of a process or of a cgroup that has gone since they were opened. */
const ABSENT: readonly number[] = [ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ESRCH, ERRNO.ENODEV];

const isAbsent = (negative: number): boolean => ABSENT.includes(-negative);

const room = new Uint8Array(engine.room);

function open(path: Bytes, flags: number, mode = 0): number {
  return callAgain('openat', AT_FDCWD, pathOf(path), flags | O_CLOEXEC, mode);
}

function close(fd: number): void {
  call('close', fd);
}

/** The content of a host file: port.ts. */
export function readFile(path: Bytes, limit = DEFAULT_LIMIT): Bytes | undefined {
  const fd = open(path, O_RDONLY);
  if (fd < 0) {
    if (isAbsent(fd)) return undefined;
    throw osError(fd, 'open', path);
  }
  try {
    return readAll(fd, path, limit);
  } finally {
    close(fd);
  }
}

/** Standard input to its end: port.ts. */
export function readInput(): Bytes {
  return readAll(0, 'standard input', DEFAULT_LIMIT) ?? '';
}

function readAll(fd: number, path: Bytes, limit: number): Bytes | undefined {
  const buffer = room;
  let content = '';
  for (;;) {
    const got = callAgain('read', fd, buffer, buffer.length);
    if (got === 0) return content;
    if (got < 0 && isAbsent(got)) return undefined;
    if (got < 0) throw osError(got, 'read', path);
    content += engine.string(buffer, 0, got);
    if (content.length > limit) throw new Error(`${path} is larger than ${limit} bytes`);
  }
}

const STATX = new DataView(new ArrayBuffer(STATX_SIZE));

function statx(path: Bytes, flags: number): number {
  return callAgain('statx', AT_FDCWD, pathOf(path), flags, STATX_BASIC_STATS, STATX.buffer as ArrayBuffer);
}

const NOT_SEEN: readonly number[] = [...ABSENT, ERRNO.EACCES, ERRNO.ENAMETOOLONG, ERRNO.ELOOP];

/** stat(2): port.ts. */
export function stat(path: Bytes): FileStat | undefined {
  const done = statx(path, 0);
  if (done === 0) return fileStatOf(STATX);
  if (NOT_SEEN.includes(-done)) return undefined;
  throw osError(done, 'stat', path);
}

/** Names in a directory, or a negative errno. struct linux_dirent64: d_reclen at 16, d_name at 19 (getdents64(2)). */
function namesIn(path: Bytes, flags = 0): Bytes[] | number {
  const fd = open(path, O_RDONLY | O_DIRECTORY | flags);
  if (fd < 0) return fd;
  const buffer = room;
  const names: Bytes[] = [];
  let got = 1;
  while (got > 0) {
    got = callAgain('getdents64', fd, buffer, buffer.length);
    for (let at = 0; at < got; at += (buffer[at + 16] ?? 0) + 256 * (buffer[at + 17] ?? 0)) {
      const name = engine.string(buffer, at + 19, buffer.indexOf(0, at + 19));
      if (name !== '.' && name !== '..') names.push(name);
    }
  }
  close(fd);
  return got < 0 ? got : names;
}

/** Names in a directory: port.ts. */
export function list(path: Bytes): Bytes[] {
  const names = namesIn(path);
  if (typeof names !== 'number') return names;
  if (isAbsent(names)) return [];
  throw osError(names, 'readdir', path);
}

/** What is in a directory: port.ts. */
export function entries(path: Bytes): DirectoryEntry[] | undefined {
  const names = namesIn(path);
  if (typeof names === 'number') return undefined;
  const prefix = path === '/' ? '' : path;
  return names.flatMap((name) => lookAt(prefix, name) ?? []);
}

const ENTRY_TYPES: Readonly<Record<number, DirectoryEntry['type']>> = {
  [S_IFREG]: 'file',
  [S_IFDIR]: 'directory',
  [S_IFLNK]: 'symlink',
};

function lookAt(prefix: Bytes, name: Bytes): DirectoryEntry | undefined {
  const path = `${prefix}/${name}`;
  if (statx(path, AT_SYMLINK_NOFOLLOW) < 0) return undefined;
  const mode = modeOf(STATX);
  const type = ENTRY_TYPES[mode & S_IFMT] ?? 'other';
  const entry = { name, type, mode: mode & 0o7777, size: sizeOf(STATX) };
  if (type !== 'symlink') {
    const wanted = type === 'directory' ? R_OK | X_OK : R_OK;
    return { ...entry, readable: call('faccessat', AT_FDCWD, path, wanted) === 0 };
  }
  const target = readLink(path);
  return target === undefined ? undefined : { ...entry, readable: true, target };
}

/** Where a link leads: port.ts. */
export function readLink(path: Bytes): Bytes | undefined {
  const buffer = room;
  const length = call('readlinkat', AT_FDCWD, path, buffer, buffer.length);
  return length < 0 ? undefined : engine.string(buffer, 0, length);
}

/** The content of a file piece by piece: port.ts. */
export async function* readChunks(path: Bytes): AsyncGenerator<Uint8Array> {
  const fd = open(path, O_RDONLY);
  if (fd < 0) throw osError(fd, 'open', path);
  try {
    for (;;) {
      const buffer = new Uint8Array(LARGE_CHUNK);
      const got = callAgain('read', fd, buffer, buffer.length);
      if (got < 0) throw osError(got, 'read', path);
      if (got === 0) return;
      yield buffer.subarray(0, got);
    }
  } finally {
    close(fd);
  }
}

/** Makes a directory and its parents: port.ts. */
export function makeDirectory(path: Bytes): boolean {
  const made = call('mkdirat', AT_FDCWD, pathOf(path), 0o700);
  if (made === 0) return true;
  if (made === -ERRNO.EEXIST && stat(path)?.type === 'directory') return false;
  const parent = path.slice(0, path.lastIndexOf('/'));
  if (made !== -ERRNO.ENOENT || parent === '') throw osError(made, 'mkdir', path);
  makeDirectory(parent);
  return makeDirectory(path);
}

/** Standard input piece by piece: port.ts. Not closed, for it may be a socket, which cannot be opened again. */
export async function* readInputChunks(): AsyncGenerator<Uint8Array> {
  for (;;) {
    const buffer = new Uint8Array(LARGE_CHUNK);
    const got = callAgain('read', 0, buffer, buffer.length);
    if (got === -ERRNO.EAGAIN) callAgain('ppoll', new Int32Array([0, POLLIN]), 1, 0, 0, 0);
    else if (got < 0) throw osError(got, 'read', 'standard input');
    else if (got === 0) return;
    else yield buffer.subarray(0, got);
  }
}

/** Descriptors whose reader has left. */
const deserted = new Set<number>();

/** port.ts */
export function readerGone(fd: 1 | 2): boolean {
  return deserted.has(fd);
}

/** port.ts */
export function write(fd: 1 | 2, bytes: Bytes): void {
  if (!writeAll(fd, bytes)) deserted.add(fd);
}

/** Writes all of it; false once nobody reads any more. Throws Error for another failure. */
export function writeAll(fd: number, bytes: Bytes): boolean {
  for (let rest = bytes; rest !== ''; ) {
    const put = callAgain('write', fd, rest, rest.length);
    if (put === -ERRNO.EPIPE) return false;
    if (put === -ERRNO.EAGAIN) callAgain('ppoll', new Int32Array([fd, POLLOUT]), 1, 0, 0, 0);
    else if (put < 0) throw osError(put, 'write', String(fd));
    else rest = put === rest.length ? '' : rest.slice(put);
  }
  return true;
}

/** Writes beside and renames, durably: port.ts. */
export function replaceFileDurably(path: Bytes, content: Bytes, mode = 0o600): void {
  replaceFile(path, content, mode, true);
  sync(path.slice(0, path.lastIndexOf('/')) || '/');
}

function sync(path: Bytes): void {
  const fd = open(path, O_RDONLY);
  const synced = fd < 0 ? fd : call('fsync', fd);
  close(fd);
  if (synced < 0) throw osError(synced, 'fsync', path);
}

/** Writes beside and renames: port.ts. */
export function replaceFile(path: Bytes, content: Bytes, mode = 0o600, durably = false): void {
  const temporary = `${path}.${call('getpid')}.tmp`;
  const flags = O_WRONLY | O_CREAT | O_EXCL;
  let fd = open(temporary, flags, mode);
  if (fd === -ERRNO.EEXIST) {
    // Never through a link that somebody else has put there.
    call('unlinkat', AT_FDCWD, temporary, 0);
    fd = open(temporary, flags, mode);
  }
  if (fd < 0) throw osError(fd, 'open', temporary);
  try {
    try {
      writeAll(fd, content);
      const synced = durably ? call('fsync', fd) : 0;
      if (synced < 0) throw osError(synced, 'fsync', temporary);
    } finally {
      close(fd);
    }
    // ext4 writes a file out that is renamed over another, which takes 0.3 ms, and not one that changes places with it.
    if (call('renameat2', AT_FDCWD, temporary, AT_FDCWD, path, RENAME_EXCHANGE) === 0) {
      call('unlinkat', AT_FDCWD, temporary, 0);
      return;
    }
    const renamed = call('renameat', AT_FDCWD, temporary, AT_FDCWD, path);
    if (renamed < 0) throw osError(renamed, 'rename', path);
  } catch (error) {
    call('unlinkat', AT_FDCWD, temporary, 0);
    throw error;
  }
}

/** Adds in one write(2): port.ts. */
export function appendFile(path: Bytes, content: Bytes, mode: number): void {
  const fd = open(path, O_WRONLY | O_CREAT | O_APPEND, mode);
  if (fd < 0) throw osError(fd, 'open', path);
  try {
    writeAll(fd, content);
  } finally {
    close(fd);
  }
}

/** Removes a file or a tree of caisson's own: port.ts. */
export function remove(path: Bytes): void {
  const removed = call('unlinkat', AT_FDCWD, pathOf(path), 0);
  if (removed === 0 || isAbsent(removed)) return;
  if (removed !== -ERRNO.EISDIR && removed !== -ERRNO.EPERM) throw osError(removed, 'unlink', path);
  const names = namesToRemove(path);
  for (const name of names) remove(`${path}/${name}`);
  const gone = call('unlinkat', AT_FDCWD, path, AT_REMOVEDIR);
  if (gone < 0 && !isAbsent(gone)) throw osError(gone, 'rmdir', path);
}

/** A container may have taken away from its owner what an unpacked root's directories are removed by. */
function namesToRemove(path: Bytes): Bytes[] {
  const first = namesIn(path, O_NOFOLLOW);
  if (typeof first !== 'number' && (first.length === 0 || call('faccessat', AT_FDCWD, path, 3) === 0))
    return first;
  if (typeof first === 'number' && first !== -ERRNO.EACCES) throw osError(first, 'readdir', path);
  call('fchmodat', AT_FDCWD, path, 0o700);
  const names = namesIn(path, O_NOFOLLOW);
  if (typeof names === 'number') throw osError(names, 'readdir', path);
  return names;
}

/** rmdir(2): port.ts. */
export function removeEmpty(path: Bytes): boolean {
  const gone = call('unlinkat', AT_FDCWD, pathOf(path), AT_REMOVEDIR);
  return gone === 0 || isAbsent(gone);
}

/** getcwd(2), which counts the NUL; of a directory that was removed what procfs says: no path, and never another one. */
export function workingDirectory(): Bytes {
  const buffer = new Uint8Array(PATH_MAX);
  const length = call('getcwd', buffer, PATH_MAX);
  return length > 0 ? engine.string(buffer, 0, length - 1) : (readLink('/proc/self/cwd') ?? '/proc/self/cwd');
}
