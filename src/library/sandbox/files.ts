// Files of a sandbox: read, written, listed and removed by its agent, on descriptors inside of its root.
//
// Nothing is opened by a path of the host. The agent's own root is the sandbox's, each path is resolved below it without
// magic links (openat2(2), T30 to T36 of the threats), and only regular files are read and written.

import { regularFile } from '../../image/regular-file.ts';
import { openFlags } from '../../linux/abi/index.ts';
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import {
  AT_REMOVEDIR,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
} from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { type Call, call, number, outBuffer, pointer, type Slot, slot } from '../../plan/call.ts';
import { IN_ROOT } from '../../plan/compile/destination.ts';
import { bufferBytes, slotValue } from '../../plan/encode.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import type { Played } from '../../runtime/player.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Place } from './place.ts';

/** One name in a directory. */
export interface SandboxEntry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'other';
}

/** What is read or written by one batch, in bytes. */
const PIECE = 1 << 20;
const NAMES = 32 << 10;

const { O_DIRECTORY, O_NOFOLLOW } = openFlags('x86_64');

const TYPES: Readonly<Record<number, SandboxEntry['type']>> = { 4: 'directory', 8: 'file', 10: 'symlink' };

/** Files of one sandbox. Paths are absolute, or relative to `/`; links are followed inside of the sandbox. */
export class SandboxFiles {
  private readonly place: Place;
  private readonly check: () => void;

  /** @internal */
  constructor(place: Place, check: () => void) {
    this.place = place;
    this.check = check;
  }

  /**
   * The content of a regular file. Throws CaissonError `ENOTFOUND` where there is none, `ENOTFILE` where it is
   * something else, `E2BIG` where it has more than `limit` bytes (default 256 MiB).
   */
  async readBytes(
    path: string,
    { limit = 256 << 20 }: { readonly limit?: number } = {},
  ): Promise<Uint8Array> {
    const bytes = relative(path);
    const { fd, size } = await this.openFile(path, bytes, O_RDONLY | O_NONBLOCK);
    try {
      if (size > limit)
        throw new CaissonError(`${path} has ${size} bytes, and at most ${limit} are read`, { code: 'E2BIG' });
      return await this.readAll(path, fd, limit);
    } finally {
      await this.closeFile(fd);
    }
  }

  /** The same as text: UTF-8; what is not becomes U+FFFD. */
  async read(path: string, options?: { readonly limit?: number }): Promise<string> {
    return new TextDecoder().decode(await this.readBytes(path, options));
  }

  /**
   * Writes a regular file, and makes it and the directories above it where they are not there: they belong to the user of
   * the sandbox, `mode` (default 0644) is the file's. Throws CaissonError `ENOTFILE`, and ESYSCALL with its `errno`
   * (EROFS in a read-only place, ENOSPC).
   */
  async write(
    path: string,
    content: string | Uint8Array,
    { mode = 0o644 }: { readonly mode?: number } = {},
  ): Promise<void> {
    const bytes = relative(path);
    const data = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    const fd = await this.openForWriting(path, bytes, mode);
    try {
      for (let at = 0; at < data.length; ) {
        const piece = data.subarray(at, at + PIECE);
        const put = slot('put', { reply: true });
        const source = pointer({ kind: 'buffer', bytes: piece }, 2);
        const played = await this.play(`write ${path}`, [
          call('write', [number(fd), source, number(piece.length)], { result: put }),
        ]);
        at += slotValue(played.batch, played.answer, put);
      }
    } finally {
      await this.closeFile(fd);
    }
  }

  /** What is in a directory, sorted by name. Throws CaissonError `ENOTFOUND`. */
  async list(path: string): Promise<SandboxEntry[]> {
    const fd = await this.openDirectory(path, relative(path));
    try {
      const found = await this.names(fd);
      return found
        .map(({ name, type }) => ({ name: bytesToUtf8(name), type: TYPES[type] ?? ('other' as const) }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    } finally {
      await this.closeFile(fd);
    }
  }

  /** Makes a directory, and those above it. Nothing happens where it is there. */
  async makeDirectory(path: string): Promise<void> {
    await this.closeFile(await this.ensureDirectory(path, relative(path)));
  }

  /**
   * Removes a file, a link, or with `recursive` a directory and what is in it. Throws CaissonError `ENOTFOUND` where there
   * is none, `EISDIR` for a directory without `recursive`.
   */
  async remove(path: string, { recursive = false }: { readonly recursive?: boolean } = {}): Promise<void> {
    const { above, name } = split(path);
    const fd = await this.openDirectory(path, above);
    try {
      await this.removeBelow(path, fd, name, recursive);
    } finally {
      await this.closeFile(fd);
    }
  }

  private async play(title: string, calls: readonly Call[]): Promise<Played> {
    this.check();
    return await this.place.agent.play([
      step('parent', 'files', title, 'default: files of a sandbox', calls),
    ]);
  }

  /** The result of the one call that `make` makes, a negative errno where it is one of `tolerate`. */
  private async one(
    title: string,
    tolerate: readonly number[],
    make: (options: { result: Slot; tolerate: readonly number[] }) => Call,
  ): Promise<number> {
    const result = slot('result', { reply: true });
    const { batch, answer } = await this.play(title, [make({ result, tolerate })]);
    return slotValue(batch, answer, result);
  }

  private async openFile(path: string, bytes: Bytes, flags: number): Promise<{ fd: number; size: number }> {
    const there = slot('there');
    const opened = slot('opened', { reply: true });
    const known = slot('size', { reply: true });
    // Opening a device may do something, so it is looked at first.
    const looked = regularFile(there);
    const file = regularFile(opened);
    const { root } = this.place;
    const { batch, answer } = await this.play(`open ${path}`, [
      sys.openat2(root, bytes, O_PATH | O_CLOEXEC, IN_ROOT, { result: there }),
      ...looked.calls,
      sys.close(there),
      sys.openat2(root, bytes, flags | O_CLOEXEC, IN_ROOT, { result: opened }),
      ...file.calls,
      sys.check(file.size, 'GE', 0, ERRNO.EINVAL, { result: known }),
    ]).catch((error: unknown) => {
      throw explained(path, error);
    });
    return { fd: slotValue(batch, answer, opened), size: slotValue(batch, answer, known) };
  }

  private async openForWriting(path: string, bytes: Bytes, mode: number): Promise<number> {
    try {
      return (await this.openFile(path, bytes, O_WRONLY | O_TRUNC | O_NONBLOCK)).fd;
    } catch (error) {
      if (!(error instanceof CaissonError && error.code === 'ENOTFOUND')) throw error;
    }
    const { above, name } = split(path);
    const directory = await this.ensureDirectory(path, above);
    try {
      const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
      const fd = await this.one(`make ${path}`, [], (options) =>
        sys.openat(directory, name, flags, mode, options),
      );
      await this.own(fd);
      return fd;
    } finally {
      await this.closeFile(directory);
    }
  }

  /** What is made belongs to the user of the sandbox. */
  private async own(fd: number): Promise<void> {
    const { uid, gid } = this.place.spec.process?.user ?? { uid: 0, gid: 0 };
    if (uid === 0 && gid === 0) return;
    await this.play('give it to the user', [sys.fchown(fd, uid, gid)]);
  }

  private async openDirectory(path: string, bytes: Bytes): Promise<number> {
    const flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    try {
      return await this.one(`open ${path}`, [], (options) =>
        sys.openat2(this.place.root, bytes, flags, IN_ROOT, options),
      );
    } catch (error) {
      throw explained(path, error);
    }
  }

  private async ensureDirectory(path: string, bytes: Bytes): Promise<number> {
    try {
      return await this.openDirectory(path, bytes);
    } catch (error) {
      if (!(error instanceof CaissonError && error.code === 'ENOTFOUND') || bytes === '.') throw error;
    }
    const above = await this.ensureDirectory(path, parentOf(bytes));
    try {
      const name = nameOf(bytes);
      await this.one(`make ${path}`, [ERRNO.EEXIST], (options) => sys.mkdirat(above, name, 0o755, options));
      const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
      const made = await this.one(`open ${path}`, [], (options) =>
        sys.openat(above, name, flags, 0, options),
      );
      await this.own(made);
      return made;
    } finally {
      await this.closeFile(above);
    }
  }

  private async readAll(path: string, fd: number, limit: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const got = slot('got', { reply: true });
      const buffer = outBuffer('piece', PIECE);
      const { batch, answer } = await this.play(`read ${path}`, [sys.read(fd, buffer, { result: got })]);
      const count = slotValue(batch, answer, got);
      const at = batch.buffers.get(buffer) ?? 0;
      if (count <= 0) break;
      pieces.push(answer.data.slice(at, at + count));
      length += count;
      // It grows while it is read.
      if (length > limit) throw new CaissonError(`${path} has more than ${limit} bytes`, { code: 'E2BIG' });
    }
    const whole = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  private async names(fd: number): Promise<{ readonly name: Bytes; readonly type: number }[]> {
    const found: { readonly name: Bytes; readonly type: number }[] = [];
    for (;;) {
      const got = slot('got', { reply: true });
      const buffer = outBuffer('names', NAMES);
      const target = pointer({ kind: 'out', buffer }, 2);
      const { batch, answer } = await this.play('list names', [
        call('getdents64', [number(fd), target, number(NAMES)], { result: got }),
      ]);
      const length = slotValue(batch, answer, got);
      if (length <= 0) return found;
      found.push(...entriesOf(bufferBytes(batch, answer, buffer, length)));
    }
  }

  private async removeBelow(path: string, directory: number, name: Bytes, recursive: boolean): Promise<void> {
    const removed = await this.one(`remove ${path}`, [ERRNO.ENOENT, ERRNO.EISDIR], (options) =>
      sys.unlinkat(directory, name, 0, options),
    );
    if (removed === 0) return;
    if (removed === -ERRNO.ENOENT) throw new CaissonError(`${path}: no such file`, { code: 'ENOTFOUND' });
    if (!recursive)
      throw new CaissonError(`${path} is a directory: remove it with recursive`, { code: 'EISDIR' });
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const inside = await this.one(`open ${path}`, [], (options) =>
      sys.openat(directory, name, flags, 0, options),
    );
    try {
      for (const entry of await this.names(inside)) await this.removeBelow(path, inside, entry.name, true);
    } finally {
      await this.closeFile(inside);
    }
    await this.play(`remove ${path}`, [sys.unlinkat(directory, name, AT_REMOVEDIR)]);
  }

  private async closeFile(fd: number): Promise<void> {
    await this.place.agent.play([
      step('parent', 'files', 'close', 'default: files of a sandbox', [sys.close(fd)]),
    ]);
  }
}

/** struct linux_dirent64: d_reclen at 16, d_type at 18, d_name at 19. */
function entriesOf(bytes: Bytes): { readonly name: Bytes; readonly type: number }[] {
  const found: { readonly name: Bytes; readonly type: number }[] = [];
  for (let at = 0; at + 19 < bytes.length; ) {
    const length = bytes.charCodeAt(at + 16) | (bytes.charCodeAt(at + 17) << 8);
    if (length <= 19) break;
    const name = bytes.slice(at + 19, bytes.indexOf('\0', at + 19));
    if (name !== '.' && name !== '..') found.push({ name, type: bytes.charCodeAt(at + 18) });
    at += length;
  }
  return found;
}

/** Below the root; `..` goes no further up than that. Throws CaissonError `EUSAGE`. */
function relative(path: string): Bytes {
  if (path.includes('\0')) throw new CaissonError('a NUL byte in a path', { code: 'EUSAGE' });
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return parts.length === 0 ? '.' : utf8ToBytes(parts.join('/'));
}

function split(path: string): { readonly above: Bytes; readonly name: Bytes } {
  const bytes = relative(path);
  const name = nameOf(bytes);
  if (name === '.' || name === '..') throw new CaissonError(`${path} names no file`, { code: 'EUSAGE' });
  return { above: parentOf(bytes), name };
}

const nameOf = (bytes: Bytes): Bytes => bytes.slice(bytes.lastIndexOf('/') + 1);

const parentOf = (bytes: Bytes): Bytes =>
  bytes.includes('/') ? bytes.slice(0, bytes.lastIndexOf('/')) : '.';

/** What the errno of an open means for a person. */
function explained(path: string, error: unknown): unknown {
  if (!(error instanceof CaissonError)) return error;
  const { errno } = error;
  const say = (message: string, code: string): CaissonError =>
    new CaissonError(message, { code, ...(errno === undefined ? {} : { errno }), cause: error });
  if (errno === ERRNO.ENOENT) return say(`${path}: no such file or directory`, 'ENOTFOUND');
  if (errno === ERRNO.ENOTDIR) return say(`${path}: a part of it is no directory`, 'ENOTDIR');
  if (error.syscall === 'CHECK' && errno === ERRNO.EINVAL)
    return say(`${path} is no regular file`, 'ENOTFILE');
  return error;
}
