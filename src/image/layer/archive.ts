// Makes a layer or an export of a tree: the same tree gives the same bytes.
//
// Sorted by name, a directory before what is in it; whiteouts before the other names of their directory (image-spec,
// layer.md, Whiteouts). The first name of a file with several in that order has the content, the others are hard links.
import type { Bytes } from '../../linux/bytes.ts';
import type { Timespec } from '../../plan/syscalls.ts';
import { CaissonError } from '../../spec/error.ts';
import { splitPath } from '../member-path.ts';
import type { TarEntry, TarType } from '../tar.ts';
import { ARCHIVE_END, paddingOf, tarHeader } from '../tar-write.ts';
import { isPortable } from './attributes.ts';
import { isWhiteoutDevice, NO_XATTRS, type TreeNode } from './tree-node.ts';
import type { Read, TreeReader } from './tree-reader.ts';
import { isMark, OPAQUE_NAME, whiteoutName } from './whiteout.ts';

export interface ArchiveOptions {
  /**
   * `overlay`: the tree is the upper directory of an overlay, whose marks become whiteouts: a layer. `plain`: everything
   * as it is: an export.
   */
  readonly form: 'overlay' | 'plain';
  /** No time is later than this (SOURCE_DATE_EPOCH, reproducible-builds.org), in seconds. */
  readonly epoch?: number;
  /** The first member is the tree's own directory, `./`, with its owner and mode. */
  readonly withRoot?: boolean;
  /** Whether a path is left out, with all below it. */
  readonly exclude?: (path: Bytes) => boolean;
  /** Whether a file is left out, with all below it, for what it is. */
  readonly skips?: (node: TreeNode) => boolean;
  /** The name of a path in the archive; default: the path. */
  readonly named?: (path: Bytes) => Bytes;
}

/** What was archived, and what was left out. */
export interface ArchiveSummary {
  members: number;
  /** Sockets, which no archive holds. */
  sockets: number;
}

export class TreeArchive {
  readonly summary: ArchiveSummary = { members: 0, sockets: 0 };
  private readonly reader: TreeReader;
  private readonly options: ArchiveOptions;
  /** The first path of each file that has several. */
  private readonly linked = new Map<string, Bytes>();

  constructor(reader: TreeReader, options: ArchiveOptions) {
    this.reader = reader;
    this.options = options;
  }

  /** The archive. Throws CaissonError EUNSUPPORTED for an overlay that depends on others by more than names. */
  async *bytes(): AsyncGenerator<Uint8Array> {
    if (this.options.form === 'overlay') yield* this.rootMarks();
    if (this.options.withRoot === true) yield* this.rootMember();
    yield* this.directory('');
    yield ARCHIVE_END;
  }

  /** The archive of these names of the root directory alone; what is not there is left out. */
  async *bytesOf(names: readonly Bytes[]): AsyncGenerator<Uint8Array> {
    for await (const read of this.reader.complete('', await this.reader.stats('', names))) {
      yield* this.member(read);
      if (read.node.type === 'directory') yield* this.directory(read.node.path);
    }
    yield ARCHIVE_END;
  }

  /** The archive with the root directory itself as its first member. */
  async *bytesWithRoot(): AsyncGenerator<Uint8Array> {
    const root = await this.reader.directory('');
    if (root !== undefined) yield this.header(this.entryOf(root, 'directory'));
    yield* this.directory('');
    yield ARCHIVE_END;
  }

  private async *rootMarks(): AsyncGenerator<Uint8Array> {
    const root = await this.reader.directory('');
    if (root === undefined) return;
    for await (const { node } of this.reader.complete('', [{ ...root, path: '.' }]))
      if (isOpaque(node)) yield this.whiteout(OPAQUE_NAME, node.mtime);
  }

  private async *rootMember(): AsyncGenerator<Uint8Array> {
    const root = await this.reader.directory('');
    if (root === undefined) return;
    for await (const { node } of this.reader.complete('', [{ ...root, path: '.' }]))
      yield this.header(this.entryOf(node, 'directory'));
  }

  private async *directory(path: Bytes): AsyncGenerator<Uint8Array> {
    const nodes = (await this.reader.entries(path)).filter(
      (node) => this.options.exclude?.(node.path) !== true && this.options.skips?.(node) !== true,
    );
    const removed = this.options.form === 'overlay' ? nodes.filter(isWhiteoutDevice) : [];
    for (const { path: gone, mtime } of removed) yield this.whiteout(whiteoutOfPath(gone), mtime);
    const rest = removed.length === 0 ? nodes : nodes.filter((node) => !isWhiteoutDevice(node));
    for await (const read of this.reader.complete(path, rest)) {
      if (this.options.form === 'overlay' && isWhiteoutFile(read.node)) {
        yield this.whiteout(whiteoutOfPath(read.node.path), read.node.mtime);
        continue;
      }
      yield* this.member(read);
      if (read.node.type === 'directory') yield* this.directory(read.node.path);
    }
  }

  private async *member({ node, content }: Read): AsyncGenerator<Uint8Array> {
    if (node.type === 'socket') {
      this.summary.sockets++;
      return;
    }
    if (this.options.form === 'overlay') refuseInLayer(node);
    const first = node.type === 'file' && node.links > 1 ? this.linked.get(node.identity) : undefined;
    if (first !== undefined) {
      yield this.header({
        ...this.entryOf(node, 'hardlink'),
        size: 0,
        linkName: this.named(first),
        xattrs: NO_XATTRS,
      });
      return;
    }
    if (node.type === 'file' && node.links > 1) this.linked.set(node.identity, node.path);
    yield this.header(this.entryOf(node, node.type));
    if (node.type === 'directory' && this.options.form === 'overlay' && isOpaque(node))
      yield this.whiteout(`${node.path}/${OPAQUE_NAME}`, node.mtime);
    if (node.type !== 'file' || node.size === 0) return;
    if (content === undefined) yield* this.reader.content(node);
    else yield content;
    yield paddingOf(node.size);
  }

  private header(entry: TarEntry): Uint8Array {
    this.summary.members++;
    return tarHeader(entry);
  }

  private whiteout(path: Bytes, mtime: Timespec): Uint8Array {
    return this.header({
      path,
      type: 'file',
      mode: 0o600,
      uid: 0,
      gid: 0,
      size: 0,
      mtime: this.clamped(mtime),
      linkName: '',
      device: { major: 0, minor: 0 },
      xattrs: NO_XATTRS,
    });
  }

  private entryOf(node: TreeNode, type: TarType): TarEntry {
    const isDevice = type === 'character' || type === 'block';
    return {
      path: type === 'directory' ? `${this.named(node.path)}/` : this.named(node.path),
      type,
      mode: node.mode,
      uid: node.uid,
      gid: node.gid,
      size: type === 'file' ? node.size : 0,
      mtime: this.clamped(node.mtime),
      linkName: node.linkName,
      device: isDevice ? node.device : { major: 0, minor: 0 },
      xattrs: new Map([...node.xattrs].filter(([name]) => isPortable(name))),
    };
  }

  private named(path: Bytes): Bytes {
    return this.options.named?.(path) ?? path;
  }

  private clamped(time: Timespec): Timespec {
    const { epoch } = this.options;
    return epoch !== undefined && time.seconds >= epoch ? { seconds: epoch, nanoseconds: 0 } : time;
  }
}

function whiteoutOfPath(path: Bytes): Bytes {
  const { parent, name } = splitPath(path);
  return parent === '' ? whiteoutName(name) : `${parent}/${whiteoutName(name)}`;
}

/** An attribute of overlayfs, under root's name or a user's (overlayfs.rst). */
export function overlayAttribute({ xattrs }: TreeNode, name: Bytes): Bytes | undefined {
  return xattrs.get(`trusted.overlay.${name}`) ?? xattrs.get(`user.overlay.${name}`);
}

/** Whether overlayfs shows nothing of the layers below in this directory. */
export function isOpaque(node: TreeNode): boolean {
  return overlayAttribute(node, 'opaque') === 'y';
}

/** The newer form of a whiteout: an empty file with an attribute (overlayfs.rst, since 6.7). */
export function isWhiteoutFile(node: TreeNode): boolean {
  return node.type === 'file' && node.size === 0 && overlayAttribute(node, 'whiteout') !== undefined;
}

/** What a layer cannot hold: a name that would remove another file (image-spec, layer.md), a file without its content. */
function refuseInLayer(node: TreeNode): void {
  if (isMark(splitPath(node.path).name)) {
    throw new CaissonError(
      `/${node.path} cannot be in a layer, where its name means that another file is removed: rename it`,
      { code: 'EUNSUPPORTED' },
    );
  }
  for (const name of ['redirect', 'metacopy']) {
    if (overlayAttribute(node, name) === undefined) continue;
    throw new CaissonError(
      `/${node.path} depends on a lower layer by overlayfs's attribute ${name}, which no image can hold: mount without redirect_dir and metacopy`,
      { code: 'EUNSUPPORTED' },
    );
  }
}
