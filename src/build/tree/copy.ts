// Copies files from one tree into another, by the launcher, on descriptors: the content goes from file to file in the kernel.
//
// Each file is looked at again when it is opened: another inode, size or time than when it was listed means that the
// cache would keep something under a wrong key, and is an error. What is in the way at the destination goes first;
// nothing is written through a file that is there already, and no link below the destination is followed.
import type { Bytes } from '../../linux/bytes.ts';
import {
  AT_EMPTY_PATH,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  UTIME_OMIT,
} from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { type Call, type Slot, slot, struct } from '../../plan/call.ts';
import { O_DIRECTORY, O_NOFOLLOW } from '../../plan/compile/destination.ts';
import type { Step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { CaissonError } from '../../spec/error.ts';
import { changedMode } from '../mode.ts';
import { changed, READ } from './content.ts';
import type { Owner } from './directories.ts';
import type { TreeEntry } from './entry.ts';
import { STATX_BASIC } from './entry.ts';
import { STRICT } from './walk.ts';
import type { TreeWorker } from './worker.ts';

/** One file, and where it goes: below a directory that is open. */
export interface CopyItem {
  readonly entry: TreeEntry;
  /** Without a slash in front. */
  readonly to: Bytes;
}

export interface CopyOptions {
  /** Where the paths of entries begin. */
  readonly from: number;
  /** The destination, open. */
  readonly to: number;
  /** The owner of everything; without one files keep theirs. */
  readonly owner: Owner | undefined;
  /** `--chmod`. */
  readonly mode: string;
}

const BATCH_CALLS = 400;
/** sendfile(2) moves at most this at once. */
const MOST_AT_ONCE = 0x7ffff000;
const OMIT = { seconds: 0, nanoseconds: UTIME_OMIT };

export async function copyFiles(
  worker: TreeWorker,
  items: readonly CopyItem[],
  options: CopyOptions,
): Promise<void> {
  await new Copier(worker, options).run(items);
}

class Copier {
  private readonly worker: TreeWorker;
  private readonly options: CopyOptions;
  private steps: Step[] = [];
  private calls = 0;
  /** Destination directories that are open in this batch. */
  private open = new Map<Bytes, Slot>();
  /** Where the first name of a file with several went. */
  private readonly links = new Map<number, Bytes>();
  private readonly directories: CopyItem[] = [];

  constructor(worker: TreeWorker, options: CopyOptions) {
    this.worker = worker;
    this.options = options;
  }

  async run(items: readonly CopyItem[]): Promise<void> {
    for (const item of items) {
      this.item(item);
      if (this.calls >= BATCH_CALLS) await this.flush();
    }
    await this.flush();
    // Deepest first: modes may lock us out, and times change with every entry.
    for (const item of this.directories.reverse()) {
      this.finishDirectory(item);
      if (this.calls >= BATCH_CALLS) await this.flush();
    }
    await this.flush();
  }

  private add(title: string, calls: readonly Call[]): void {
    this.steps.push(this.worker.step(title, calls));
    this.calls += calls.length;
  }

  private async flush(): Promise<void> {
    const open = [...this.open.values()];
    if (open.length > 0)
      this.add(
        'close',
        open.map((fd) => sys.close(fd)),
      );
    const { steps } = this;
    this.steps = [];
    this.calls = 0;
    this.open = new Map();
    if (steps.length === 0) return;
    try {
      await this.worker.steps(steps);
    } catch (error) {
      throw explained(error);
    }
  }

  private parent(path: Bytes): sys.Fd {
    const cut = path.lastIndexOf('/');
    if (cut < 0) return this.options.to;
    const directory = path.slice(0, cut);
    const opened = this.open.get(directory);
    if (opened !== undefined) return opened;
    const fd = slot(`to ${directory}`);
    this.add(`open ${directory}`, [
      sys.openat2(this.options.to, directory, O_PATH | O_DIRECTORY | O_CLOEXEC, STRICT, { result: fd }),
    ]);
    this.open.set(directory, fd);
    return fd;
  }

  private item(item: CopyItem): void {
    const { entry, to } = item;
    if (entry.type === 'socket') return;
    const parent = this.parent(to);
    const name = to.slice(to.lastIndexOf('/') + 1);
    if (entry.type === 'directory') {
      this.add(`make the directory ${to}`, [sys.mkdirat(parent, name, 0o700, { tolerate: [ERRNO.EEXIST] })]);
      this.directories.push(item);
      return;
    }
    const gone = sys.unlinkat(parent, name, 0, { tolerate: [ERRNO.ENOENT] });
    if (entry.type === 'file') this.file(item, parent, name, gone);
    else this.add(`copy ${entry.path} to ${to}`, [gone, ...this.node(entry, parent, name)]);
  }

  private file({ entry, to }: CopyItem, parent: sys.Fd, name: Bytes, gone: Call): void {
    const title = `copy ${entry.path} to ${to}`;
    const first = entry.links > 1 ? this.links.get(entry.ino) : undefined;
    if (first !== undefined) {
      const from = this.parent(first);
      const firstName = first.slice(first.lastIndexOf('/') + 1);
      this.add(title, [gone, sys.linkat(from, firstName, parent, name, 0)]);
      return;
    }
    if (entry.links > 1) this.links.set(entry.ino, to);
    const source = slot('source');
    const target = slot('target');
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    this.add(title, [
      gone,
      sys.openat2(this.options.from, entry.path, READ, STRICT, { result: source }),
      ...sameFile(source, entry),
      sys.openat(parent, name, flags, 0o600, { result: target }),
      ...contentCalls(source, target, entry.size),
      ...this.attributes(target, entry),
      // Written to while it was copied: its time is another.
      ...sameFile(source, entry),
      sys.close(target),
      sys.close(source),
    ]);
  }

  private node(entry: TreeEntry, parent: sys.Fd, name: Bytes): Call[] {
    const times = sys.utimensat(parent, name, OMIT, entry.modified, AT_SYMLINK_NOFOLLOW);
    const owner = this.owner(entry);
    const own =
      owner === undefined ? [] : [sys.fchownat(parent, name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW)];
    if (entry.type === 'symlink') return [sys.symlinkat(entry.target, parent, name), ...own, times];
    const kind = entry.type === 'character' ? S_IFCHR : entry.type === 'block' ? S_IFBLK : S_IFIFO;
    const mode = kind | changedMode(this.options.mode, entry.mode, false);
    return [sys.mknodat(parent, name, mode, device(entry)), ...own, times];
  }

  private owner(entry: TreeEntry): Owner | undefined {
    const { owners } = this.worker.rights;
    if (owners.kind === 'squash') return undefined;
    const owner = this.options.owner ?? entry;
    if (owners.ids !== undefined && (owner.uid >= owners.ids || owner.gid >= owners.ids))
      throw new CaissonError(
        `${entry.path} is to belong to ${owner.uid}:${owner.gid}, and ${owners.ids} ids are mapped here`,
        { code: 'EIDMAP', details: ['add subordinate ids (/etc/subuid, /etc/subgid)'] },
      );
    return owner;
  }

  /** Owner first, because a change of it takes set-user-ID and file capabilities away (chown(2)); times last. */
  private attributes(file: sys.Fd, entry: TreeEntry): Call[] {
    const owner = this.owner(entry);
    const tolerate = [ERRNO.EOPNOTSUPP, ...(this.worker.rights.devices ? [] : [ERRNO.EPERM])];
    return [
      ...(owner === undefined ? [] : [sys.fchown(file, owner.uid, owner.gid)]),
      ...entry.xattrs.map(([name, content]) => sys.fsetxattr(file, name, content, { tolerate })),
      sys.fchmod(file, changedMode(this.options.mode, entry.mode, entry.type === 'directory')),
      sys.utimensat(file, null, OMIT, entry.modified, 0),
    ];
  }

  private finishDirectory({ entry, to }: CopyItem): void {
    const directory = slot('directory');
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    this.add(`finish the directory ${to}`, [
      sys.openat2(this.options.to, to, flags, STRICT, { result: directory }),
      ...this.attributes(directory, entry),
      sys.close(directory),
    ]);
  }
}

/** Fails with ESTALE when the open file is not the one that was listed. */
function sameFile(file: Slot, entry: TreeEntry): Call[] {
  const [ino, size, seconds] = [slot('ino'), slot('size'), slot('seconds')];
  const nanoseconds = slot('nanoseconds', { width: 4 });
  const fields = struct(
    { name: 'stx_head', width: 32, value: 0 },
    { name: 'stx_ino', width: 8, value: ino },
    { name: 'stx_size', width: 8, value: size },
    { name: 'stx_middle', width: 64, value: 0 },
    { name: 'stx_mtime.tv_sec', width: 8, value: seconds },
    { name: 'stx_mtime.tv_nsec', width: 4, value: nanoseconds },
    { name: 'stx_rest', width: 132, value: 0 },
  );
  return [
    sys.statxFields(file, '', AT_EMPTY_PATH, STATX_BASIC, fields),
    sys.check(ino, 'EQ', entry.ino, ERRNO.ESTALE),
    sys.check(size, 'EQ', entry.size, ERRNO.ESTALE),
    sys.check(seconds, 'EQ', entry.modified.seconds, ERRNO.ESTALE),
    sys.check(nanoseconds, 'EQ', entry.modified.nanoseconds, ERRNO.ESTALE),
  ];
}

function contentCalls(source: Slot, target: Slot, size: number): Call[] {
  const calls: Call[] = [];
  for (let left = size; left > 0; left -= MOST_AT_ONCE) {
    const length = Math.min(left, MOST_AT_ONCE);
    const sent = slot('sent');
    // Less was sent: there is no room for more.
    calls.push(
      sys.sendfile(target, source, length, { result: sent }),
      sys.check(sent, 'EQ', length, ERRNO.ENOSPC),
    );
  }
  return calls;
}

/** The kernel's 32-bit encoding, makedev(3). */
function device({ type, major, minor }: TreeEntry): number {
  return type === 'fifo' ? 0 : ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

function explained(error: unknown): unknown {
  if (!(error instanceof CaissonError)) return error;
  const title = error.message.replace(/: [^:]*$/, '');
  if (error.errno === ERRNO.ESTALE) return changed(title);
  if (error.errno === ERRNO.EISDIR)
    return new CaissonError(`${title}: a directory is in the way`, { code: 'ECOPY', cause: error });
  if (error.errno === ERRNO.ENOTDIR || error.errno === ERRNO.ELOOP)
    return new CaissonError(`${title}: something that is no directory is in the way`, {
      code: 'ECOPY',
      cause: error,
    });
  return error;
}
