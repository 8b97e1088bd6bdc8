// Removes a directory tree by descriptors, however deep it is and whatever its names are.
//
// Layers come from strangers: a path in one may be longer than PATH_MAX, so that no path leads there, and a name may be
// any bytes. Each directory inside is first renamed to be a direct child of the top; so nothing is deeper than one
// level, a batch holds a few descriptors at a time, and no symbolic link is ever followed.
import { openFlags } from '../../linux/abi/index.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { AT_REMOVEDIR, O_CLOEXEC, O_PATH, O_RDONLY } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { RENAME_FLAGS } from '../../linux/flags.ts';
import {
  type Arg,
  type Call,
  call,
  number,
  type OutBuffer,
  outBuffer,
  pointer,
  type Slot,
  slot,
  string,
  value,
} from '../../plan/call.ts';
import { descriptor } from '../../plan/descriptor.ts';
import { bufferBytes, slotValue } from '../../plan/encode.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import type { Played, Player } from '../../runtime/player.ts';

const { O_DIRECTORY, O_NOFOLLOW } = openFlags('x86_64');
const CAUSE = 'default: the image store';

/** Directories of one round, and bytes of names that are asked of each. */
const WIDTH = 32;
const NAMES = 8 << 10;

/** linux_dirent64 of getdents64(2): where its length, its type and its name are. */
const DIRENT = { length: 16, type: 18, name: 19 };
const DT_UNKNOWN = 0;
const DT_DIR = 4;

interface Listed {
  readonly name: Bytes;
  readonly type: number;
}

/**
 * Removes the directory `path` and all in it; nothing happens when there is none. `unique` is a name that nothing in it
 * has, random. Throws CaissonError `ESYSCALL`.
 */
export async function removeTree(player: Player, path: Bytes, unique: Bytes): Promise<void> {
  const top = slot('top', { reply: true });
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  const reads = [reading(), reading()] as const;
  const opened = await player.play([
    step('parent', 'open', `open ${path}`, CAUSE, [
      sys.openat(sys.AT_FDCWD, path, flags, 0, { result: top, tolerate: [ERRNO.ENOENT] }),
      ...reads.map(({ buffer, got }) => getdents64(value(top), buffer, got)),
    ]),
  ]);
  const fd = slotValue(opened.batch, opened.answer, top);
  if (fd < 0) return;
  const first = reads.map((read) => entriesOf(opened, read));
  const close = step('parent', 'close', `close ${path}`, CAUSE, [sys.close(fd)]);
  try {
    // An empty answer is the end of the directory.
    await new Removal(player, fd, path, unique).all(first.flat(), (first[1] ?? []).length === 0);
  } catch (error) {
    await player.attempt([close]);
    throw error;
  }
  await player.play([
    close,
    step('parent', 'remove', `remove ${path}`, CAUSE, [
      sys.unlinkat(sys.AT_FDCWD, path, AT_REMOVEDIR, { tolerate: [ERRNO.ENOENT] }),
    ]),
  ]);
}

/** Where a look at a directory comes. */
function reading() {
  return { got: slot('got', { reply: true }), buffer: outBuffer('names', NAMES) };
}

function entriesOf({ batch, answer }: Played, { got, buffer }: ReturnType<typeof reading>): Listed[] {
  const length = slotValue(batch, answer, got);
  return length <= 0 ? [] : parseEntries(bufferBytes(batch, answer, buffer, length));
}

class Removal {
  private readonly player: Player;
  private readonly top: number;
  private readonly path: Bytes;
  private readonly unique: Bytes;
  /** Children of the top that are directories, still to be emptied and removed. */
  private readonly waiting: Bytes[] = [];
  private moved = 0;

  constructor(player: Player, top: number, path: Bytes, unique: Bytes) {
    this.player = player;
    this.top = top;
    this.path = path;
    this.unique = unique;
  }

  /** `first` are names of the top, all of them where `whole`. */
  async all(first: readonly Listed[], whole: boolean): Promise<void> {
    const files: Call[] = [];
    for (const { name, type } of whole ? first : [...first, ...(await this.names())]) {
      if (type === DT_DIR) this.waiting.push(name);
      else files.push(...this.take(this.top, name, type));
    }
    while (files.length > 0) await this.play(files.splice(0, WIDTH));
    while (this.waiting.length > 0) await this.round(this.waiting.splice(-WIDTH));
  }

  private async play(calls: readonly Call[]) {
    const batch = [step('parent', 'remove', `remove what is below ${this.path}`, CAUSE, calls)];
    return await this.player.play(batch);
  }

  /** The further names of the top. */
  private async names(): Promise<Listed[]> {
    const all: Listed[] = [];
    for (;;) {
      const read = reading();
      const found = entriesOf(await this.play([getdents64(number(this.top), read.buffer, read.got)]), read);
      if (found.length === 0) return all;
      all.push(...found);
    }
  }

  /** Empties some directories as far as one look at each goes, and removes those that are empty then. */
  private async round(directories: readonly Bytes[]): Promise<void> {
    const results = new Map<Bytes, Slot>();
    const found = await this.look(directories);
    const calls = directories.flatMap((directory, index) => {
      const gone = slot('gone', { reply: true });
      results.set(directory, gone);
      return [
        ...this.empty(directory, found[index] ?? []),
        sys.unlinkat(this.top, directory, AT_REMOVEDIR, {
          result: gone,
          tolerate: [ERRNO.ENOTEMPTY, ERRNO.EEXIST, ERRNO.ENOENT],
        }),
      ];
    });
    const { batch, answer } = await this.play(calls);
    for (const [directory, gone] of results) {
      const result = slotValue(batch, answer, gone);
      if (result === -ERRNO.ENOTEMPTY || result === -ERRNO.EEXIST) this.waiting.unshift(directory);
    }
  }

  /** Names in each of the directories, as many as fit. */
  private async look(directories: readonly Bytes[]): Promise<Listed[][]> {
    const reads = directories.map((name) => ({ name, fd: slot('directory'), ...reading() }));
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const played = await this.play(
      reads.flatMap(({ name, fd, got, buffer }) => [
        sys.openat(this.top, name, flags, 0, { result: fd, tolerate: [ERRNO.ENOENT] }),
        getdents64(value(fd), buffer, got),
        sys.close(fd, { tolerate: [ERRNO.EBADF] }),
      ]),
    );
    return reads.map((read) => entriesOf(played, read));
  }

  private empty(directory: Bytes, found: readonly Listed[]): Call[] {
    if (found.length === 0) return [];
    const fd = slot('directory');
    return [
      sys.openat(this.top, directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, { result: fd }),
      ...found.flatMap(({ name, type }) => this.take(fd, name, type)),
      sys.close(fd),
    ];
  }

  /** Removes what is no directory, and makes a directory a child of the top. */
  private take(from: sys.Fd, name: Bytes, type: number): Call[] {
    const unlink = (tolerate: number[]) => sys.unlinkat(from, name, 0, { tolerate });
    if (type !== DT_DIR && type !== DT_UNKNOWN) return [unlink([ERRNO.ENOENT])];
    const target = `${this.unique}-${this.moved++}`;
    this.waiting.push(target);
    const move = renameat2(from, name, this.top, target);
    // A file system that tells no types: what unlink does not take is a directory.
    return type === DT_DIR ? [move] : [unlink([ERRNO.ENOENT, ERRNO.EISDIR, ERRNO.EPERM]), move];
  }
}

function getdents64(from: Arg, buffer: OutBuffer, result: Slot): Call {
  const args = [from, pointer({ kind: 'out', buffer }, 2), number(buffer.length)];
  return call('getdents64', args, { result, tolerate: [ERRNO.EBADF] });
}

function renameat2(from: sys.Fd, name: Bytes, to: sys.Fd, target: Bytes): Call {
  return call(
    'renameat2',
    [descriptor(from), string(name), descriptor(to), string(target), number(0, RENAME_FLAGS)],
    { tolerate: [ERRNO.ENOENT] },
  );
}

/** The linux_dirent64 records of getdents64(2), without `.` and `..`. */
function parseEntries(bytes: Bytes): Listed[] {
  const found: Listed[] = [];
  for (let at = 0; at + DIRENT.name < bytes.length; ) {
    const length = bytes.charCodeAt(at + DIRENT.length) | (bytes.charCodeAt(at + DIRENT.length + 1) << 8);
    if (length <= DIRENT.name) return found;
    const name = bytes.slice(at + DIRENT.name, bytes.indexOf('\0', at + DIRENT.name));
    if (name !== '.' && name !== '..') found.push({ name, type: bytes.charCodeAt(at + DIRENT.type) });
    at += length;
  }
  return found;
}
