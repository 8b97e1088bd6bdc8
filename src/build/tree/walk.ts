// Lists a tree below a descriptor: names, attributes, targets of links, extended attributes; links are never followed.
//
// Many directories are read in one batch. A context may hold anything, and may change meanwhile: what is gone when it
// is looked at is left out, and what became a link is a link.
import { type Bytes, bytesToUtf8, fromArray } from '../../linux/bytes.ts';
import {
  AT_EMPTY_PATH,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import {
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
import { O_DIRECTORY, O_NOFOLLOW } from '../../plan/compile/destination.ts';
import * as sys from '../../plan/syscalls.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseNames, parseStatx, STATX_BASIC, STATX_SIZE, type TreeEntry } from './entry.ts';
import type { TreeWorker } from './worker.ts';

/** What a filter says of a path. */
export interface Choice<State> {
  readonly keep: boolean;
  /** Whether something below it may be kept; asked of directories only. */
  readonly descend: boolean;
  readonly state: State;
}

/** Decides about a path, by what it said of the directory above (`undefined` at the top). */
export type Filter<State> = (path: string, above: State | undefined) => Choice<State>;

const NAMES = 8 << 10;
const WIDTH = 24;
const STATS = 128;
const LINK = 4096;
const XATTRS = 256;
const MOST_ENTRIES = 5_000_000;

/** Nothing on the way is followed, and nothing leads out. */
export const STRICT = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

const ABSENT = [ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ELOOP];

interface Directory<State> {
  readonly path: Bytes;
  readonly state: State | undefined;
}

interface Found<State> {
  readonly path: Bytes;
  readonly name: Bytes;
  readonly choice: Choice<State>;
}

const EVERYTHING: Filter<undefined> = () => ({ keep: true, descend: true, state: undefined });

/**
 * Everything below the directory `top`, a descriptor of the worker: parents before what is in them, otherwise in the
 * order of bytes. Directories that are not kept are listed where something in them is. Throws CaissonError `ESYSCALL`,
 * and `EUNSUPPORTED` for more than five million entries.
 */
export async function walk(worker: TreeWorker, top: number): Promise<TreeEntry[]>;
export async function walk<State>(
  worker: TreeWorker,
  top: number,
  filter: Filter<State>,
): Promise<TreeEntry[]>;
export async function walk<State>(
  worker: TreeWorker,
  top: number,
  filter?: Filter<State>,
): Promise<TreeEntry[]> {
  return filter === undefined
    ? await new Walk(worker, top, EVERYTHING).run()
    : await new Walk(worker, top, filter).run();
}

class Walk<State> {
  private readonly worker: TreeWorker;
  private readonly top: number;
  private readonly filter: Filter<State>;
  private readonly kept: TreeEntry[] = [];
  /** Directories that are not kept themselves, by path. */
  private readonly passed = new Map<Bytes, TreeEntry>();
  private queue: Directory<State>[] = [{ path: '', state: undefined }];

  constructor(worker: TreeWorker, top: number, filter: Filter<State>) {
    this.worker = worker;
    this.top = top;
    this.filter = filter;
  }

  async run(): Promise<TreeEntry[]> {
    while (this.queue.length > 0) {
      const some = this.queue.splice(0, WIDTH);
      await this.directories(some);
      if (this.kept.length + this.passed.size > MOST_ENTRIES)
        throw new CaissonError(`more than ${MOST_ENTRIES} files`, { code: 'EUNSUPPORTED' });
    }
    return this.sorted();
  }

  private async directories(some: readonly Directory<State>[]): Promise<void> {
    const parts = some.map(({ path }) => ({
      opened: slot(`directory /${path}`, { reply: true }),
      lists: [0, 1].map((n) => ({
        buffer: outBuffer(`names ${n} /${path}`, NAMES),
        length: slot(`length ${n} /${path}`, { reply: true }),
      })),
    }));
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const reply = await this.worker.steps(
      some.map(({ path }, index) => {
        const { opened, lists } = parts[index] as (typeof parts)[number];
        return this.worker.step(`read the directory /${path}`, [
          sys.openat2(this.top, path === '' ? '.' : path, flags, STRICT, {
            result: opened,
            tolerate: ABSENT,
          }),
          ...lists.map(({ buffer, length }) => getdents(opened, buffer, length)),
        ]);
      }),
    );
    for (const [index, directory] of some.entries()) {
      const { opened, lists } = parts[index] as (typeof parts)[number];
      const descriptor = reply.value(opened);
      if (descriptor < 0) continue;
      const names = lists.flatMap(({ buffer, length }) =>
        reply.value(length) > 0 ? parseNames(reply.array(buffer, reply.value(length))) : [],
      );
      if (reply.value(lists[1]?.length ?? missing()) > 0) names.push(...(await this.more(descriptor)));
      await this.entries(descriptor, directory, names);
      await this.worker.shut(descriptor);
    }
  }

  private async more(descriptor: number): Promise<Bytes[]> {
    const names: Bytes[] = [];
    for (;;) {
      const buffer = outBuffer('names', 32 * NAMES);
      const length = slot('length', { reply: true });
      const reply = await this.worker.play('read a directory', [getdents(descriptor, buffer, length)]);
      const count = reply.value(length);
      if (count <= 0) return names;
      names.push(...parseNames(reply.array(buffer, count)));
      if (names.length > MOST_ENTRIES) return names;
    }
  }

  private async entries(
    descriptor: number,
    { path: above, state }: Directory<State>,
    names: Bytes[],
  ): Promise<void> {
    const found: Found<State>[] = [];
    for (const name of names) {
      const path = above === '' ? name : `${above}/${name}`;
      const choice = this.filter(bytesToUtf8(path), state);
      if (choice.keep || choice.descend) found.push({ path, name, choice });
    }
    for (let at = 0; at < found.length; at += STATS) await this.look(descriptor, found.slice(at, at + STATS));
  }

  private async look(descriptor: number, found: readonly Found<State>[]): Promise<void> {
    const parts = found.map(({ path }) => ({
      stat: outBuffer(`stat /${path}`, STATX_SIZE),
      known: slot(`known /${path}`, { reply: true }),
      names: outBuffer(`xattrs /${path}`, XATTRS),
      length: slot(`xattrs length /${path}`, { reply: true }),
    }));
    const calls: Call[] = [sys.fchdir(descriptor)];
    for (const [index, { name }] of found.entries()) {
      const { stat, known, names, length } = parts[index] as (typeof parts)[number];
      calls.push(
        statxOf(descriptor, name, AT_SYMLINK_NOFOLLOW, stat, { result: known, tolerate: ABSENT }),
        listXattrs(name, names, length),
      );
    }
    const reply = await this.worker.play('look at files', calls);
    const links: TreeEntry[] = [];
    for (const [index, one] of found.entries()) {
      const { stat, known, names, length } = parts[index] as (typeof parts)[number];
      if (reply.value(known) < 0) continue;
      const entry = parseStatx(reply.array(stat), one.path);
      const some = reply.value(length);
      const listed = some > 0 ? fromArray(reply.array(names, some)) : some === -ERRNO.ERANGE ? undefined : '';
      const whole = await this.whole(descriptor, one.name, entry, listed);
      if (whole.type === 'symlink') links.push(whole);
      this.put(whole, one.choice);
    }
  }

  private put(entry: TreeEntry, { keep, descend, state }: Choice<State>): void {
    if (keep) this.kept.push(entry);
    else if (entry.type === 'directory') this.passed.set(entry.path, entry);
    if (entry.type === 'directory' && descend) this.queue.push({ path: entry.path, state });
  }

  /** The entry with what takes further calls: most files need none. */
  private async whole(
    descriptor: number,
    name: Bytes,
    entry: TreeEntry,
    listed: Bytes | undefined,
  ): Promise<TreeEntry> {
    const target = entry.type === 'symlink' ? await readLink(this.worker, descriptor, name) : '';
    if (listed === '') return target === '' ? entry : { ...entry, target };
    return { ...entry, target, xattrs: await readXattrs(this.worker, descriptor, name, listed) };
  }

  /** Kept entries and the directories that they are in. */
  private sorted(): TreeEntry[] {
    for (const { path } of [...this.kept]) {
      for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
        const above = this.passed.get(path.slice(0, at));
        if (above === undefined) continue;
        this.passed.delete(above.path);
        this.kept.push(above);
      }
    }
    return this.kept
      .map((entry) => ({ entry, key: entry.path.replaceAll('/', '\0') }))
      .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
      .map(({ entry }) => entry);
  }
}

function missing(): never {
  throw new Error('two lists are asked for');
}

function getdents(directory: sys.Fd, buffer: OutBuffer, length: Slot): Call {
  return call(
    'getdents64',
    [value(directory as number | Slot), pointer({ kind: 'out', buffer }, 2), number(buffer.length)],
    { result: length, tolerate: [ERRNO.EBADF, ERRNO.ENOENT] },
  );
}

/** statx(2) of a name, or of the descriptor itself where the name is empty. */
export function statxOf(
  descriptor: number | Slot,
  name: Bytes,
  flags: number,
  buffer: OutBuffer,
  options: { readonly result?: Slot; readonly tolerate?: readonly number[] } = {},
): Call {
  return sys.statx(descriptor, name, name === '' ? AT_EMPTY_PATH : flags, STATX_BASIC, buffer, options);
}

const NO_XATTRS = [ERRNO.EOPNOTSUPP, ERRNO.ERANGE, ERRNO.ENOENT, ERRNO.EACCES];

/** Of a name in the current directory. */
function listXattrs(name: Bytes, buffer: OutBuffer, length: Slot): Call {
  return call('llistxattr', [string(name), pointer({ kind: 'out', buffer }, 2), number(buffer.length)], {
    result: length,
    tolerate: NO_XATTRS,
  });
}

async function readLink(worker: TreeWorker, descriptor: number, name: Bytes): Promise<Bytes> {
  const buffer = outBuffer('target', LINK);
  const length = slot('target length', { reply: true });
  const reply = await worker.play(`read the link ${name}`, [
    call(
      'readlinkat',
      [number(descriptor), string(name), pointer({ kind: 'out', buffer }, 3), number(LINK)],
      { result: length },
    ),
  ]);
  return fromArray(reply.array(buffer, reply.value(length)));
}

const XATTR_LIST_MAX = 65_536;

/**
 * Extended attributes that belong to a file's content: the user's own and file capabilities. Others are this host's
 * (labels, signatures, overlay's own).
 */
async function readXattrs(
  worker: TreeWorker,
  descriptor: number,
  name: Bytes,
  listed: Bytes | undefined,
): Promise<[Bytes, Bytes][]> {
  const names = (listed ?? (await longList(worker, descriptor, name)))
    .split('\0')
    .filter(
      (each) =>
        each === 'security.capability' || (each.startsWith('user.') && !each.startsWith('user.overlay.')),
    )
    .sort();
  const found: [Bytes, Bytes][] = [];
  for (const attribute of names) {
    const buffer = outBuffer('xattr', XATTR_LIST_MAX);
    const length = slot('xattr length', { reply: true });
    const reply = await worker.play(`read ${attribute} of ${name}`, [
      sys.fchdir(descriptor),
      call(
        'lgetxattr',
        [string(name), string(attribute), pointer({ kind: 'out', buffer }, 3), number(XATTR_LIST_MAX)],
        { result: length, tolerate: [ERRNO.ENODATA] },
      ),
    ]);
    const count = reply.value(length);
    if (count >= 0) found.push([attribute, fromArray(reply.array(buffer, count))]);
  }
  return found;
}

async function longList(worker: TreeWorker, descriptor: number, name: Bytes): Promise<Bytes> {
  const buffer = outBuffer('names of xattrs', XATTR_LIST_MAX);
  const length = slot('length', { reply: true });
  const reply = await worker.play(`read the attributes of ${name}`, [
    sys.fchdir(descriptor),
    listXattrs(name, buffer, length),
  ]);
  return fromArray(reply.array(buffer, Math.max(0, reply.value(length))));
}
