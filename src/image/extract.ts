// Unpacks tar members into a directory by batches of the launcher: every name is one component below a held descriptor.
//
// The launcher holds the root directory. A parent is resolved by openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS) on
// it, so that whatever links the archive itself planted, the kernel keeps the lookup inside; the last component is
// made by calls that follow no link (mkdirat, symlinkat, mknodat, linkat, open with O_CREAT|O_EXCL), after what was
// there has been unlinked: nothing is ever written through a file that is there already. Attributes are set through
// the descriptor of the new file. (CVE-2021-32760, CVE-2025-47290, node-tar's and tar-fs's.)
//
// What is rare costs nothing when it does not happen: a name that exists already makes its record fail, TypeScript
// looks, removes what is in the way, and the batch goes on. One batch is played while the next is written.

import type { Bytes } from '../linux/bytes.ts';
import { O_CREAT, O_EXCL, O_RDONLY, O_WRONLY, S_IFCHR } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { IN_ROOT } from '../plan/compile/destination.ts';
import type { ExtractOptions, ExtractSummary } from './extract-options.ts';
import type { Target } from './extract-target.ts';
import { Attributes } from './layer/attributes.ts';
import { type Place, tolerating } from './layer/batch-writer.ts';
import { clearDirectoryAttributes } from './layer/clear-attributes.ts';
import { ContentWindow } from './layer/content-window.ts';
import type { Conversation, Failure } from './layer/conversation.ts';
import { deviceNumber, typeBits } from './layer/node-type.ts';
import { Obstacles } from './layer/obstacles.ts';
import { OpenDirectories } from './layer/open-directories.ts';
import { TreeCalls } from './layer/tree-calls.ts';
import { OVERLAY_WHITEOUT, type Whiteout, whiteoutOf } from './layer/whiteout.ts';
import { memberPath, refused, splitPath } from './member-path.ts';
import type { TarEntry, TarEvent } from './tar.ts';

export type { ExtractOptions, ExtractSummary } from './extract-options.ts';

const BATCH_RECORDS = 4000;
const BATCH_CONTENT = 1 << 20;
const BATCH_TEXT = 512 << 10;

/** Slots: the file that is being written, what write(2) answered, a directory. */
const FILE = 0;
const PUT = 1;
const DIRECTORY = 2;

const EXISTS = { tolerate: tolerating(ERRNO.EEXIST) };
const NOT_THERE = { tolerate: tolerating(ERRNO.ENOENT, ERRNO.EISDIR, ERRNO.EPERM) };
const REPLACED = tolerating(ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ELOOP);
const CLOSED = tolerating(ERRNO.EBADF);
/** Bytes of memory for a name, beside its own. */
const PER_NAME = 120;
interface Directory {
  /** Absent for one that the archive only implies. */
  entry?: TarEntry;
  opaque?: boolean;
}

interface OpenFile {
  readonly entry: TarEntry;
  readonly path: Bytes;
  place: Place;
  position: number;
}

export class Extractor {
  readonly summary: ExtractSummary = { members: 0, bytes: 0, devices: 0, xattrs: 0, whiteouts: 0 };
  private readonly conversation: Conversation;
  private readonly target: Target;
  private readonly options: ExtractOptions;
  private readonly attributes: Attributes;
  private readonly obstacles: Obstacles;
  private readonly window = new ContentWindow(BATCH_CONTENT);
  private readonly open: OpenDirectories;

  /** The batch that is being written, and the one that may be played meanwhile. */
  private calls: TreeCalls;
  private other: TreeCalls;
  /**
   * Directories that exist because they were made here. Attributes wait for the end: modes may lock us out, and times
   * change with every entry.
   */
  private readonly directories = new Map<Bytes, Directory>([['', {}]]);
  /** What stands for removed files, in overlay's form. */
  private readonly whiteouts = new Set<Bytes>();
  /** Everything that this archive has made. */
  private readonly made = new Set<Bytes>();
  private remembered = 0;
  private file: OpenFile | undefined;
  /** Where the last write ended: in the batch's records, and in its content. */
  private lastWrite = { records: -1, content: -1 };

  /** The launcher holds the target's descriptors. */
  constructor(conversation: Conversation, target: Target, arch: TreeCalls['arch'], options: ExtractOptions) {
    this.conversation = conversation;
    this.target = target;
    this.options = options;
    this.attributes = new Attributes(options, this.summary);
    this.obstacles = new Obstacles(conversation, target.root, arch);
    this.open = new OpenDirectories(target.root, IN_ROOT);
    this.calls = new TreeCalls(arch);
    this.other = new TreeCalls(arch);
  }

  /** What the archive says of the root directory: that nothing below is to be seen, and whose it is. */
  get rootDirectory(): { readonly opaque: boolean; readonly named: boolean } {
    const { opaque = false, entry } = this.directories.get('') ?? {};
    return { opaque, named: entry !== undefined };
  }

  /** Takes what a TarReader makes of `chunk`, whose memory must stay as it is until two batches later. */
  async take(chunk: Uint8Array, events: Iterable<TarEvent>): Promise<void> {
    this.window.enter(chunk);
    for (const event of events) {
      if (event.kind === 'entry') {
        const waiting = this.begin(event.entry);
        if (waiting !== undefined) await waiting;
      } else if (event.kind === 'data') {
        await this.content(event.offset, event.bytes);
      } else {
        this.end();
      }
      if (this.isFull()) await this.flush();
    }
  }

  /** Sets the attributes of the directories, deepest first. */
  async finish(): Promise<ExtractSummary> {
    if (this.options.whiteouts === 'apply') await this.clearAttributes();
    for (const path of [...this.directories.keys()].sort().reverse()) {
      this.directoryAttributes(path, this.directories.get(path) as Directory);
      if (this.isFull()) await this.flush();
    }
    await this.flush();
    await this.conversation.settle();
    return this.summary;
  }

  /** A directory of a layer below gets the attributes of this one's entry, and keeps no others. */
  private async clearAttributes(): Promise<void> {
    await this.flush();
    await this.conversation.settle();
    const described = [...this.directories].flatMap(([path, { entry }]) => (entry ? [{ path, entry }] : []));
    await clearDirectoryAttributes(this.conversation, this.target.root, this.calls, described);
  }

  private isFull(): boolean {
    const { calls } = this;
    return calls.records >= BATCH_RECORDS || calls.length >= BATCH_TEXT + 64 * BATCH_RECORDS;
  }

  private async flush(): Promise<void> {
    const { calls, file, target } = this;
    if (file !== undefined && file.place !== target.spare) {
      calls.about(`write /${file.path}`);
      calls.dup3(file.place, target.spare);
      calls.close(file.place);
      file.place = target.spare;
    }
    this.open.end(calls);
    const content = this.window.cut();
    this.lastWrite = { records: -1, content: -1 };
    if (calls.records === 0) return;
    await this.conversation.post(calls, content, (failure) => this.repair(failure));
    this.calls = this.other;
    this.other = calls;
    this.calls.reset();
    if (this.file !== undefined) this.calls.about(`write /${this.file.path}`);
  }

  private begin(entry: TarEntry): Promise<void> | undefined {
    this.count(entry.path, entry.size);
    this.attributes.checkOwner(entry);
    const path = memberPath(entry.path);
    const { whiteouts = 'plain' } = this.options;
    if (whiteouts !== 'plain') {
      const whiteout = whiteoutOf(path);
      if (whiteout !== undefined) return this.whiteout(whiteout);
      if (whiteouts === 'apply') this.remember(path);
    }
    this.calls.about(`unpack /${path}`);
    if (path === '') this.beginRoot(entry);
    else if (entry.type === 'directory') this.directory(path, entry);
    else this.node(path, entry);
    return undefined;
  }

  private count(path: Bytes, size: number): void {
    this.summary.members++;
    this.summary.bytes += size;
    if (this.summary.members > (this.options.memberLimit ?? 10_000_000))
      throw refused(path, 'is one too many');
    if (this.summary.bytes > (this.options.byteLimit ?? 2 ** 40))
      throw refused(path, 'makes the root too large');
  }

  private spend(name: Bytes, more = 0): void {
    this.remembered += name.length + PER_NAME + more;
    const limit = this.options.nameLimit ?? (this.options.whiteouts === 'apply' ? 256 << 20 : 64 << 20);
    if (this.remembered > limit) throw refused(name, 'is one name too many to be remembered');
  }

  private remember(path: Bytes): void {
    for (let each = path; each !== '' && !this.made.has(each); each = splitPath(each).parent) {
      this.spend(each);
      this.made.add(each);
    }
  }

  private beginRoot(entry: TarEntry): void {
    if (entry.type !== 'directory') throw refused(entry.path, 'would replace the root directory');
    this.describe('', entry);
  }

  private directoryOf(path: Bytes): Directory {
    if (!this.directories.has(path)) {
      this.spend(path);
      this.directories.set(path, {});
    }
    return this.directories.get(path) as Directory;
  }

  /** A descriptor of the directory `path`, made with its parents where the archive has not named them before. */
  private parent(path: Bytes): Place {
    const opened = this.open.get(path);
    if (opened !== undefined) return opened;
    if (!this.directories.has(path)) {
      const { parent, name } = splitPath(path);
      this.count(path, 0);
      const above = this.parent(parent);
      this.dropWhiteout(above, path, name);
      this.calls.mkdirat(above, name, 0o755, EXISTS);
      this.directoryOf(path);
    }
    return this.open.add(this.calls, path);
  }

  private directory(path: Bytes, entry: TarEntry): void {
    const { calls } = this;
    const { parent, name } = splitPath(path);
    const above = this.parent(parent);
    // It may have been a link to one.
    this.open.drop(calls, path);
    this.dropWhiteout(above, path, name);
    // What is there and is no directory gives way to one; a directory stays (EISDIR).
    const { fresh = false, keepKinds = false } = this.options;
    if (!fresh && !keepKinds) calls.unlinkat(above, name, 'file', NOT_THERE);
    calls.mkdirat(above, name, 0o700, fresh || keepKinds ? {} : EXISTS);
    this.describe(path, entry);
  }

  private describe(path: Bytes, entry: TarEntry): void {
    for (const [name, content] of entry.xattrs) this.spend(name, content.length);
    this.directoryOf(path).entry = entry;
  }

  /** A directory in the place of a whiteout hides what is below: it is opaque. */
  private dropWhiteout(parent: Place, path: Bytes, name: Bytes, makesOpaque = true): void {
    if (!this.whiteouts.delete(path)) return;
    this.calls.unlinkat(parent, name, 'file', NOT_THERE);
    if (makesOpaque) this.directoryOf(path).opaque = true;
  }

  private node(path: Bytes, entry: TarEntry): void {
    if (!this.options.devices && (entry.type === 'character' || entry.type === 'block')) {
      this.summary.devices++;
      return;
    }
    const { calls } = this;
    const { parent: above, name } = splitPath(path);
    if (path !== '' && this.directories.delete(path)) this.open.drop(calls, path);
    const from = entry.type === 'hardlink' ? this.linkTarget(entry) : undefined;
    const parent = this.parent(above);
    this.dropWhiteout(parent, path, name, false);
    if (this.options.fresh !== true) calls.unlinkat(parent, name, 'file', NOT_THERE);
    if (from !== undefined) this.hardlink(from, parent, name);
    else if (entry.type === 'symlink') calls.symlinkat(entry.linkName, parent, name);
    else if (entry.type === 'file') this.createFile(path, parent, name, entry);
    else calls.mknodat(parent, name, typeBits(entry.type) | entry.mode, deviceNumber(entry));
    if (entry.type !== 'file' && from === undefined) this.attributes.ofNode(calls, parent, name, entry);
  }

  private linkTarget(entry: TarEntry): Bytes {
    const target = memberPath(entry.linkName);
    if (target === '') throw refused(entry.path, 'is a hard link to the root directory');
    return target;
  }

  private hardlink(target: Bytes, parent: Place, name: Bytes): void {
    const { parent: above, name: from } = splitPath(target);
    // Not made where it is missing: a link to nothing is an error of the archive.
    const directory = this.open.get(above) ?? this.open.add(this.calls, above);
    this.calls.linkat(directory, from, parent, name);
  }

  private createFile(path: Bytes, parent: Place, name: Bytes, entry: TarEntry): void {
    const flags = O_WRONLY | O_CREAT | O_EXCL | this.calls.open.O_NOFOLLOW;
    this.calls.openat(parent, name, flags, this.attributes.modeAtOnce(entry) ?? 0o600, { result: FILE });
    this.file = { entry, path, place: ~FILE, position: 0 };
  }

  private async content(offset: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && this.file !== undefined; ) {
      const rest = bytes.subarray(at);
      const room = this.window.room(rest);
      if (room === 0) {
        await this.flush();
        continue;
      }
      this.put(this.file, offset + at, rest.subarray(0, room));
      at += room;
    }
  }

  private put(file: OpenFile, offset: number, piece: Uint8Array): void {
    const { calls, lastWrite } = this;
    const at = this.window.take(piece);
    const goesOn =
      file.position === offset && lastWrite.records === calls.records && lastWrite.content === at;
    if (goesOn) {
      calls.lengthenWrite(piece.length);
    } else {
      if (file.position !== offset) calls.lseek(file.place, offset);
      calls.write(file.place, at, piece.length, PUT);
    }
    file.position = offset + piece.length;
    this.lastWrite = { records: calls.records, content: at + piece.length };
  }

  private end(): void {
    const { file, calls } = this;
    if (file === undefined) return;
    this.file = undefined;
    const { entry, place } = file;
    if (file.position < entry.size) calls.ftruncate(place, entry.size);
    if (this.attributes.modeAtOnce(entry) === undefined) this.attributes.ofFile(calls, place, entry);
    else calls.utimensat(place, null, entry.mtime);
    if (place === this.target.spare) calls.dup3(this.target.root, place);
    else calls.close(place);
  }

  private directoryAttributes(path: Bytes, { entry, opaque = false }: Directory): void {
    if (entry === undefined && !opaque) return;
    const { calls } = this;
    const flags = O_RDONLY | calls.open.O_DIRECTORY | calls.open.O_NOFOLLOW;
    calls.about(`finish /${path}`);
    // A later member may have replaced it; then there is nothing to do.
    const allowance = { result: DIRECTORY, tolerate: REPLACED };
    calls.openat2(this.target.root, path === '' ? '.' : path, flags, IN_ROOT, allowance);
    if (opaque) {
      const name = `${this.options.userxattr === true ? 'user' : 'trusted'}.overlay.opaque`;
      calls.fsetxattr(~DIRECTORY, name, 'y', { tolerate: CLOSED });
    }
    if (entry !== undefined) this.attributes.ofFile(calls, ~DIRECTORY, entry, ERRNO.EBADF);
    calls.close(~DIRECTORY, { tolerate: CLOSED });
  }

  private whiteout(whiteout: Whiteout): Promise<void> | undefined {
    if (whiteout.kind === 'metadata') return undefined;
    this.summary.whiteouts++;
    const { path } = whiteout;
    if (this.options.whiteouts === 'apply') return this.applyWhiteout(whiteout);
    this.calls.about(`whiteout /${path}`);
    if (whiteout.kind === 'opaque') {
      this.parent(path);
      this.directoryOf(path).opaque = true;
      return undefined;
    }
    const known = this.directories.get(path);
    if (known !== undefined) {
      known.opaque = true;
      return undefined;
    }
    if (this.whiteouts.has(path)) return undefined;
    const { parent, name } = splitPath(path);
    const above = this.parent(parent);
    this.spend(path);
    this.whiteouts.add(path);
    this.calls.mknodat(above, name, S_IFCHR, OVERLAY_WHITEOUT);
    return undefined;
  }

  /** A whiteout is about the layers below: what this one has made stays. */
  private async applyWhiteout({ kind, path }: Exclude<Whiteout, { kind: 'metadata' }>): Promise<void> {
    await this.flush();
    await this.conversation.settle();
    const keep = (each: Bytes) => this.made.has(each);
    if (kind === 'opaque') await this.obstacles.empty(path, keep);
    else await this.obstacles.remove(path, keep);
  }

  /** What was there already is removed, and the record played again. */
  private async repair(failure: Failure): Promise<number | undefined> {
    if (failure.errno !== ERRNO.EEXIST) return undefined;
    const cut = failure.subject.indexOf('/');
    const path = failure.subject.slice(cut + 1);
    if (failure.subject.slice(0, cut) === 'unpack ') return this.obstacles.clear(failure, path, this.options);
    // A whiteout: it is there in this layer, a file that hides what is below, or a directory that shall.
    this.whiteouts.delete(path);
    const known = this.directories.get(path);
    if (known !== undefined) known.opaque = true;
    return failure.index + 1;
  }
}
