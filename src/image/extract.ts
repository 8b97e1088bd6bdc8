// Unpacks tar members into a directory by steps of the launcher: every name is one component below a held descriptor.
//
// The launcher holds the root directory. A parent is resolved by openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS) on
// it, so that whatever links the archive itself planted, the kernel keeps the lookup inside; the last component is
// made by calls that follow no link (mkdirat, symlinkat, mknodat, linkat, open with O_CREAT|O_EXCL), after what was
// there has been unlinked: nothing is ever written through a file that is there already. Attributes are set through
// the descriptor of the new file. (CVE-2021-32760, CVE-2025-47290, node-tar's and tar-fs's.)

import { openFlags } from '../linux/abi/index.ts';
import type { Bytes } from '../linux/bytes.ts';
import {
  AT_REMOVEDIR,
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
  SEEK_SET,
  UTIME_OMIT,
} from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { type Call, type Slot, slot } from '../plan/call.ts';
import { IN_ROOT } from '../plan/compile/destination.ts';
import { type Step, step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import type { Pointer } from '../spec/error.ts';
import { memberPath, refused, splitPath } from './member-path.ts';
import type { TarEntry, TarEvent } from './tar.ts';

/** What plays a batch and answers the values of its reply slots. Throws CaissonError where a call fails. */
export interface BatchPlayer {
  play(steps: readonly Step[]): Promise<BatchReplies> | BatchReplies;
}

export interface BatchReplies {
  /** The result of a call whose slot was made with `reply`. */
  value(of: Slot): number;
}

export interface ExtractOptions {
  /** Where the archive came from: `/root/path`, `--rootfs-tar FILE`. */
  readonly cause: Pointer;
  /**
   * `keep` gives each file the owner that the archive names, of `ids` ids that exist (all, without a user namespace);
   * `squash` leaves everything to whoever unpacks.
   */
  readonly owners: { readonly kind: 'keep'; readonly ids?: number } | { readonly kind: 'squash' };
  /** Whether device nodes are made: only root of the first user namespace may (mknod(2)). */
  readonly devices: boolean;
  /** Bytes that all files together may have, holes included; default 1 TiB. */
  readonly byteLimit?: number;
  /** Members; default 10 million. */
  readonly memberLimit?: number;
}

/** What was unpacked, and what was left out. */
export interface ExtractSummary {
  members: number;
  bytes: number;
  /** Device nodes that were not made. */
  devices: number;
  /** Extended attributes that are not for an archive to set. */
  xattrs: number;
}

const BATCH_CALLS = 500;
const BATCH_BYTES = 1 << 20;

const { O_DIRECTORY, O_NOFOLLOW } = openFlags('x86_64');
const OMIT = { seconds: 0, nanoseconds: UTIME_OMIT };
const GONE = { tolerate: [ERRNO.ENOENT, ERRNO.EISDIR, ERRNO.EPERM] };
const NO_EMPTY_DIRECTORY = { tolerate: [ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ENOTEMPTY, ERRNO.EEXIST] };
const EXISTS = { tolerate: [ERRNO.EEXIST] };
const UNOPENED = { tolerate: [ERRNO.EBADF] };

export class Extractor {
  readonly summary: ExtractSummary = { members: 0, bytes: 0, devices: 0, xattrs: 0 };
  private readonly player: BatchPlayer;
  private readonly root: sys.Fd;
  private readonly options: ExtractOptions;

  private steps: Step[] = [];
  private calls = 0;
  private bytes = 0;
  /** Descriptors of directories that are open in this batch. */
  private open = new Map<Bytes, Slot>();
  /** Directories that exist because they were made here. */
  private readonly known = new Set<Bytes>(['']);
  /** Attributes of directories wait for the end: modes may lock us out, and times change with every entry. */
  private readonly directories = new Map<Bytes, TarEntry>();
  private file: { entry: TarEntry; fd: sys.Fd; slot: Slot; position: number } | undefined;

  /** `root` is a descriptor that the launcher holds, of an existing directory. */
  constructor(player: BatchPlayer, root: sys.Fd, options: ExtractOptions) {
    this.player = player;
    this.root = root;
    this.options = options;
  }

  /** Takes what TarReader gives. The bytes of a `data` event are used until the next batch has been played. */
  async take(event: TarEvent): Promise<void> {
    if (event.kind === 'entry') this.begin(event.entry);
    else if (event.kind === 'data') await this.content(event.offset, event.bytes);
    else this.end();
    if (this.calls >= BATCH_CALLS) await this.flush();
  }

  /** Sets the attributes of the directories, deepest first. */
  async finish(): Promise<ExtractSummary> {
    const deepestFirst = [...this.directories.keys()].sort().reverse();
    for (const path of deepestFirst) {
      this.directoryAttributes(path, this.directories.get(path) as TarEntry);
      if (this.calls >= BATCH_CALLS) await this.flush();
    }
    await this.flush();
    return this.summary;
  }

  private add(title: string, calls: readonly Call[]): void {
    this.steps.push(step('parent', 'unpack', title, this.options.cause, calls));
    this.calls += calls.length;
  }

  private async flush(): Promise<void> {
    const open = [...this.open.values()];
    if (open.length > 0)
      this.add(
        'close directories',
        open.map((fd) => sys.close(fd)),
      );
    const steps = this.steps;
    this.steps = [];
    this.calls = 0;
    this.bytes = 0;
    this.open = new Map();
    if (steps.length === 0) return;
    const replies = await this.player.play(steps);
    if (this.file !== undefined && typeof this.file.fd !== 'number')
      this.file.fd = replies.value(this.file.slot);
  }

  private begin(entry: TarEntry): void {
    this.summary.members++;
    this.summary.bytes += entry.size;
    if (this.summary.members > (this.options.memberLimit ?? 10_000_000))
      throw refused(entry.path, 'is one too many');
    if (this.summary.bytes > (this.options.byteLimit ?? 2 ** 40))
      throw refused(entry.path, 'makes the root too large');
    this.checkOwner(entry);
    const path = memberPath(entry.path);
    if (path === '') this.beginRoot(entry);
    else if (entry.type === 'directory') this.directory(path, entry);
    else this.node(path, entry);
  }

  private beginRoot(entry: TarEntry): void {
    if (entry.type !== 'directory') throw refused(entry.path, 'would replace the root directory');
    this.directories.set('', entry);
  }

  private checkOwner(entry: TarEntry): void {
    const { owners } = this.options;
    if (owners.kind !== 'keep' || owners.ids === undefined) return;
    if (entry.uid < owners.ids && entry.gid < owners.ids) return;
    const owner = `${entry.uid}:${entry.gid}`;
    throw refused(
      entry.path,
      `belongs to ${owner}, and ${owners.ids} ids are mapped here: add subordinate ids (/etc/subuid, /etc/subgid)`,
    );
  }

  /** A descriptor of the directory `path`, made with its parents where the archive has not named them before. */
  private parent(path: Bytes, make = true): sys.Fd {
    if (path === '') return this.root;
    const opened = this.open.get(path);
    if (opened !== undefined) return opened;
    const calls: Call[] = [];
    if (make && !this.known.has(path)) {
      const { parent, name } = splitPath(path);
      calls.push(sys.mkdirat(this.parent(parent), name, 0o755, EXISTS));
      this.known.add(path);
    }
    const fd = slot(`/${path}`);
    calls.push(sys.openat2(this.root, path, O_PATH | O_DIRECTORY | O_CLOEXEC, IN_ROOT, { result: fd }));
    this.add(`open /${path}`, calls);
    this.open.set(path, fd);
    return fd;
  }

  private directory(path: Bytes, entry: TarEntry): void {
    const { parent, name } = splitPath(path);
    const calls = [sys.mkdirat(this.parent(parent), name, 0o700, EXISTS)];
    // What is there and is no directory gives way to one; a directory stays (EISDIR).
    if (!this.known.has(path)) calls.unshift(sys.unlinkat(this.parent(parent), name, 0, GONE));
    this.add(`unpack /${path}`, calls);
    this.known.add(path);
    this.directories.set(path, entry);
  }

  /** Everything but a directory: takes the place of what is there, unless that is a directory with something in it. */
  private node(path: Bytes, entry: TarEntry): void {
    if (!this.options.devices && (entry.type === 'character' || entry.type === 'block')) {
      this.summary.devices++;
      return;
    }
    const { parent: above, name } = splitPath(path);
    if (this.known.delete(path)) {
      // It was empty, so nothing below it is known; another name of it may be open still, which is harmless.
      this.directories.delete(path);
      this.open.delete(path);
    }
    const parent = this.parent(above);
    const calls = [
      sys.unlinkat(parent, name, 0, GONE),
      sys.unlinkat(parent, name, AT_REMOVEDIR, NO_EMPTY_DIRECTORY),
    ];
    this.add(`unpack /${path}`, [...calls, ...this.nodeCalls(parent, name, entry)]);
  }

  private nodeCalls(parent: sys.Fd, name: Bytes, entry: TarEntry): Call[] {
    switch (entry.type) {
      case 'symlink':
        return [sys.symlinkat(entry.linkName, parent, name), ...this.linkAttributes(parent, name, entry)];
      case 'hardlink': {
        const target = memberPath(entry.linkName);
        if (target === '') throw refused(entry.path, 'is a hard link to the root directory');
        const from = splitPath(target);
        return [sys.linkat(this.parent(from.parent, false), from.name, parent, name, 0)];
      }
      case 'file': {
        const fd = slot('file', { reply: true });
        this.file = { entry, fd, slot: fd, position: 0 };
        const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        return [sys.openat(parent, name, flags, 0o600, { result: fd })];
      }
      default: {
        const device = makeDevice(entry);
        const mode = modeOf(entry.type) | entry.mode;
        return [sys.mknodat(parent, name, mode, device), ...this.linkAttributes(parent, name, entry)];
      }
    }
  }

  /** Owner and times of what cannot be opened without side effects: set by name, never through a link. */
  private linkAttributes(parent: sys.Fd, name: Bytes, entry: TarEntry): Call[] {
    const calls =
      this.options.owners.kind === 'keep'
        ? [sys.fchownat(parent, name, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW)]
        : [];
    return [...calls, sys.utimensat(parent, name, OMIT, entry.mtime, AT_SYMLINK_NOFOLLOW)];
  }

  private async content(offset: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { file } = this;
      if (file === undefined) return;
      const piece = bytes.subarray(at, at + BATCH_BYTES - this.bytes);
      const put = slot('put');
      const calls = [
        sys.write(file.fd, piece, { result: put }),
        // A short write of a regular file means that there is no room for more.
        sys.check(put, 'EQ', piece.length, ERRNO.ENOSPC),
      ];
      if (file.position !== offset + at) calls.unshift(sys.lseek(file.fd, offset + at, SEEK_SET));
      this.add(`write /${memberPath(file.entry.path)}`, calls);
      at += piece.length;
      file.position = offset + at;
      this.bytes += piece.length;
      if (this.bytes >= BATCH_BYTES) await this.flush();
    }
  }

  private end(): void {
    const { file } = this;
    if (file === undefined) return;
    this.file = undefined;
    const calls: Call[] = [];
    if (file.position < file.entry.size) calls.push(sys.ftruncate(file.fd, file.entry.size));
    calls.push(...this.attributes(file.fd, file.entry), sys.close(file.fd));
    this.add(`finish /${memberPath(file.entry.path)}`, calls);
  }

  /** Owner first, because a change of it takes set-user-ID and file capabilities away (chown(2)); times last. */
  private attributes(fd: sys.Fd, entry: TarEntry, options: { tolerate?: readonly number[] } = {}): Call[] {
    const calls: Call[] = [];
    const squash = this.options.owners.kind === 'squash';
    if (!squash) calls.push(sys.fchown(fd, entry.uid, entry.gid, options));
    for (const [name, content] of entry.xattrs) {
      if (!isPortable(name)) {
        this.summary.xattrs++;
        continue;
      }
      // A file system without them (tmpfs before 6.6), and a user who may not give capabilities away.
      const tolerate = [ERRNO.EOPNOTSUPP, ...(squash ? [ERRNO.EPERM] : []), ...(options.tolerate ?? [])];
      calls.push(sys.fsetxattr(fd, name, content, { tolerate }));
    }
    calls.push(sys.fchmod(fd, entry.mode, options), sys.utimensat(fd, null, OMIT, entry.mtime, 0, options));
    return calls;
  }

  private directoryAttributes(path: Bytes, entry: TarEntry): void {
    const fd = slot('directory');
    // A later member may have replaced it; then there is nothing to do.
    const tolerate = [ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ELOOP];
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    this.add(`finish /${path}`, [
      sys.openat2(this.root, path === '' ? '.' : path, flags, IN_ROOT, { result: fd, tolerate }),
      ...this.attributes(fd, entry, UNOPENED),
      sys.close(fd, UNOPENED),
    ]);
  }
}

/**
 * Attributes that a root is unpacked with: the user's own, and file capabilities. Others belong to this host: labels
 * and signatures (security.*), overlay's own (trusted.overlay.*, user.overlay.*), which would redirect lookups.
 */
function isPortable(name: Bytes): boolean {
  return name === 'security.capability' || (name.startsWith('user.') && !name.startsWith('user.overlay.'));
}

function modeOf(type: TarEntry['type']): number {
  return type === 'character' ? S_IFCHR : type === 'block' ? S_IFBLK : S_IFIFO;
}

/** The kernel's 32-bit encoding, makedev(3). */
function makeDevice({ device: { major, minor }, path, type }: TarEntry): number {
  if (type === 'fifo') return 0;
  if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff)
    throw refused(path, 'is a device with no such number');
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
