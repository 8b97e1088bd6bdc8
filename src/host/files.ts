// Host files for the Node and Bun hosts: byte-string paths over node:fs.
import type { Stats } from 'node:fs';
import type { Bytes } from '../linux/bytes.ts';
import { makedev } from '../plan/compile/device-node.ts';
import type { DirectoryEntry, FileStat } from './port.ts';

let loaded: typeof import('node:fs') | undefined;

/** Loaded when it is used, which takes Bun 0.9 ms (measured). */
function fs(): typeof import('node:fs') {
  loaded ??= process.getBuiltinModule('node:fs');
  return loaded;
}

/** Most configuration and proc files are small; nothing that caisson reads is larger. */
const DEFAULT_LIMIT = 16 << 20;

/** A byte-string path as node:fs takes it. */
export function nodePath(path: Bytes): Buffer {
  return Buffer.from(path, 'latin1');
}

/** ESRCH and ENODEV: files of a process or of a cgroup that has gone since they were opened. */
const ABSENT: readonly (string | undefined)[] = ['ENOENT', 'ENOTDIR', 'ESRCH', 'ENODEV'];

function isAbsent(error: unknown): boolean {
  return ABSENT.includes((error as NodeJS.ErrnoException).code);
}

export function readFile(path: Bytes, limit = DEFAULT_LIMIT): Bytes | undefined {
  try {
    const bytes = fs().readFileSync(nodePath(path));
    if (bytes.length > limit) throw new Error(`${path} is larger than ${limit} bytes`);
    return bytes.toString('latin1');
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Standard input to its end: port.ts. */
export function readInput(): Bytes {
  const bytes = fs().readFileSync(0);
  if (bytes.length > DEFAULT_LIMIT) throw new Error(`standard input is larger than ${DEFAULT_LIMIT} bytes`);
  return bytes.toString('latin1');
}

function typeOf(stats: Stats): FileStat['type'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isCharacterDevice()) return 'character';
  if (stats.isBlockDevice()) return 'block';
  if (stats.isFIFO()) return 'fifo';
  return stats.isSocket() ? 'socket' : 'other';
}

/** The kernel's 32-bit encoding of what libuv hands out in glibc's 64-bit one. */
function kernelDevice(device: number): number {
  return makedev((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
}

export function readLink(path: Bytes): Bytes | undefined {
  try {
    return fs().readlinkSync(nodePath(path), { encoding: 'latin1' });
  } catch {
    return undefined;
  }
}

export function stat(path: Bytes): FileStat | undefined {
  try {
    const stats = fs().statSync(nodePath(path), { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    const { mode, uid, gid, size, dev, ino } = stats;
    return { type: typeOf(stats), mode, uid, gid, size, rdev: kernelDevice(stats.rdev), dev, ino };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (isAbsent(error) || code === 'EACCES' || code === 'ENAMETOOLONG' || code === 'ELOOP') return undefined;
    throw error;
  }
}

export function list(path: Bytes): Bytes[] {
  try {
    return fs().readdirSync(nodePath(path), { encoding: 'latin1' });
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

function lookAt(directory: Bytes, name: Bytes): DirectoryEntry | undefined {
  const path = nodePath(`${directory === '/' ? '' : directory}/${name}`);
  try {
    const stats = fs().lstatSync(path);
    const { mode, size } = stats;
    const entry = { name, mode: mode & 0o7777, size };
    if (stats.isSymbolicLink()) {
      return {
        ...entry,
        type: 'symlink',
        readable: true,
        target: fs().readlinkSync(path, { encoding: 'latin1' }),
      };
    }
    const type = stats.isDirectory() ? 'directory' : stats.isFile() ? 'file' : 'other';
    return { ...entry, type, readable: isReadable(path, type === 'directory') };
  } catch (error) {
    if (isAbsent(error) || (error as NodeJS.ErrnoException).code === 'EACCES') return undefined;
    throw error;
  }
}

function isReadable(path: Buffer, directory: boolean): boolean {
  try {
    fs().accessSync(path, directory ? fs().constants.R_OK | fs().constants.X_OK : fs().constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

export function entries(path: Bytes): DirectoryEntry[] | undefined {
  try {
    const names = fs().readdirSync(nodePath(path), { encoding: 'latin1' });
    return names.flatMap((name) => lookAt(path, name) ?? []);
  } catch {
    return undefined;
  }
}

/** Pieces of the largest size that one batch of the launcher carries with ease. */
const CHUNK = 256 << 10;

export async function* readChunks(path: Bytes): AsyncIterable<Uint8Array> {
  const fd = fs().openSync(nodePath(path), 'r');
  try {
    yield* chunksOf(fd);
  } finally {
    fs().closeSync(fd);
  }
}

/** Standard input by its descriptor, for a socket has no path; not closed. */
export function readInputChunks(): AsyncIterable<Uint8Array> {
  return chunksOf(0);
}

/** Whoever gave us the descriptor may have made it non-blocking: then it is looked at again a little later. */
const NOTHING_YET = 5;

async function* chunksOf(fd: number): AsyncIterable<Uint8Array> {
  for (;;) {
    const buffer = new Uint8Array(CHUNK);
    const got = readSome(fd, buffer);
    if (got === 0) return;
    if (got === undefined) await new Promise((resolve) => setTimeout(resolve, NOTHING_YET));
    else yield buffer.subarray(0, got);
  }
}

/** 0 at the end, undefined while there is nothing. */
function readSome(fd: number, buffer: Uint8Array): number | undefined {
  try {
    return fs().readSync(fd, buffer);
  } catch (error) {
    if ((error as { readonly code?: string }).code === 'EAGAIN') return undefined;
    throw error;
  }
}

export function makeDirectory(path: Bytes): boolean {
  return fs().mkdirSync(nodePath(path), { recursive: true, mode: 0o700 }) !== undefined;
}

export function appendFile(path: Bytes, content: Bytes, mode: number): void {
  fs().appendFileSync(nodePath(path), Buffer.from(content, 'latin1'), { mode });
}

export function replaceFile(path: Bytes, content: Bytes, mode = 0o600): void {
  const temporary = nodePath(`${path}.${process.pid}.tmp`);
  try {
    // Never through a link that somebody else has put there (O_EXCL).
    fs().rmSync(temporary, { force: true });
    fs().writeFileSync(temporary, Buffer.from(content, 'latin1'), { mode, flag: 'wx' });
    fs().renameSync(temporary, nodePath(path));
  } catch (error) {
    fs().rmSync(temporary, { force: true });
    throw error;
  }
}

/** As replaceFile, and on the disk when it returns: the content, then the name (fsync(2)). */
export function replaceFileDurably(path: Bytes, content: Bytes, mode = 0o600): void {
  const temporary = nodePath(`${path}.${process.pid}.tmp`);
  try {
    fs().rmSync(temporary, { force: true });
    withFile(temporary, 'wx', mode, (file) => {
      fs().writeFileSync(file, Buffer.from(content, 'latin1'));
      fs().fsyncSync(file);
    });
    fs().renameSync(temporary, nodePath(path));
    const directory = nodePath(path.slice(0, path.lastIndexOf('/')) || '/');
    withFile(directory, 'r', 0, (file) => fs().fsyncSync(file));
  } catch (error) {
    fs().rmSync(temporary, { force: true });
    throw error;
  }
}

function withFile(path: Buffer, flags: string, mode: number, work: (file: number) => void): void {
  const file = fs().openSync(path, flags, mode);
  try {
    work(file);
  } finally {
    fs().closeSync(file);
  }
}

export function remove(path: Bytes): void {
  const name = nodePath(path);
  try {
    fs().rmSync(name, { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    unlock(name);
    fs().rmSync(name, { recursive: true, force: true });
  }
}

/** A container may have taken away from its owner what an unpacked root's directories are removed by. */
function unlock(path: Buffer): void {
  if (!fs().lstatSync(path).isDirectory()) return;
  fs().chmodSync(path, 0o700);
  for (const name of fs().readdirSync(path, { encoding: 'buffer' }))
    unlock(Buffer.concat([path, Buffer.from('/'), name]));
}

export function removeEmpty(path: Bytes): boolean {
  try {
    fs().rmdirSync(nodePath(path));
    return true;
  } catch (error) {
    return isAbsent(error);
  }
}

/** Descriptors whose reader has left. */
const gone = new Set<number>();

export function readerGone(fd: 1 | 2): boolean {
  return gone.has(fd);
}

export function write(fd: 1 | 2, bytes: Bytes): void {
  const buffer = Buffer.from(bytes, 'latin1');
  for (let done = 0; done < buffer.length; ) {
    try {
      done += fs().writeSync(fd, buffer, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') {
        gone.add(fd);
        return;
      }
      if (code !== 'EAGAIN') throw error;
    }
  }
}

/** getcwd(2) as bytes. */
export function workingDirectory(): Bytes {
  return fs().readlinkSync('/proc/self/cwd', { encoding: 'latin1' });
}

/** Never the caller's PATH: a helper such as newuidmap(1) is setuid and must be the system's. */
const SYSTEM_PATH = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];

export function findProgram(name: Bytes): Bytes | undefined {
  return SYSTEM_PATH.map((directory) => `${directory}/${name}`).find((path) => stat(path)?.type === 'file');
}

/** Arguments and environment as bytes: process.argv has been decoded and may have lost some (machine.md). */
export function commandLine(read: typeof readFile = readFile): { args: Bytes[]; environment: Bytes[] } {
  const words = (read('/proc/self/cmdline') ?? '').split('\0').slice(0, -1);
  const count = process.argv.length - 2;
  const args = count <= 0 ? [] : words.slice(-count);
  const environment = (read('/proc/self/environ') ?? '').split('\0').filter((entry) => entry !== '');
  return { args, environment };
}
