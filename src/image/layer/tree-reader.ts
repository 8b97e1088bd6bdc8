// Reads a tree through the launcher: names, attributes and content, by descriptors below its root, links never followed.
//
// A tree may change while it is read (a container runs). Directories are opened with RESOLVE_BENEATH and
// RESOLVE_NO_SYMLINKS, files with O_NOFOLLOW, so that a name that has become a link is left out; what has gone is left
// out; a file that shrinks ends with zeros. (CVE-2018-15664, CVE-2023-0778.)
import { type Bytes, fromArray } from '../../linux/bytes.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  STATX_BASIC_STATS,
} from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { CaissonError } from '../../spec/error.ts';
import { tolerating } from './batch-writer.ts';
import { type Conversation, slotOf } from './conversation.ts';
import { listDirectory } from './directory-entries.ts';
import { STATX_SIZE, TreeCalls } from './tree-calls.ts';
import { nodeOfStatx, type TreeNode } from './tree-node.ts';

/** A file with its content, where that is short. */
export interface Read {
  readonly node: TreeNode;
  readonly content?: Uint8Array;
}

const DIRECTORY = 1;
const FILE = 2;
const COUNT = 3;
/** Of one file system: what is mounted in a tree is not of the tree. */
const BELOW = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
/** With what is mounted in it. */
const BELOW_MOUNTS = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
const GONE = tolerating(ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ELOOP, ERRNO.EXDEV);
const CLOSED = tolerating(ERRNO.EBADF);
const VANISHED = tolerating(ERRNO.ENOENT, ERRNO.ELOOP, ERRNO.ENXIO, ERRNO.EINVAL);
const NO_NAMES = tolerating(ERRNO.ENOENT, ERRNO.EOPNOTSUPP, ERRNO.ERANGE);
const NO_VALUE = tolerating(ERRNO.ENOENT, ERRNO.ENODATA, ERRNO.EOPNOTSUPP, ERRNO.ERANGE);
const NAMES_ROOM = 512;
/** XATTR_LIST_MAX and XATTR_SIZE_MAX of <linux/limits.h>. */
const MOST = 65536;
const VALUE_ROOM = 1024;
const ENTRIES = 500;
/** Content of so many bytes comes with the attributes, and so much in one batch. */
const SHORT = 128 << 10;
const SHORT_TOGETHER = 512 << 10;
const PIECE = 512 << 10;

interface Names {
  readonly node: TreeNode;
  readonly name: Bytes;
  xattrs: Bytes[];
}

export class TreeReader {
  private readonly conversation: Conversation;
  private readonly root: number;
  private readonly spare: number;
  private readonly calls: TreeCalls;
  private readonly below: number;

  /**
   * `root` and `spare` are descriptors that the launcher holds: the tree's root, and one to use. What is mounted in the
   * tree is of it only where it `crosses`.
   */
  constructor(
    conversation: Conversation,
    { root, spare }: { root: number; spare: number },
    arch: TreeCalls['arch'],
    crosses = false,
  ) {
    this.below = crosses ? BELOW_MOUNTS : BELOW;
    this.conversation = conversation;
    this.root = root;
    this.spare = spare;
    this.calls = new TreeCalls(arch);
  }

  private readonly openerOf = (path: Bytes) => (calls: TreeCalls, slot: number) => {
    calls.about(`read /${path}`);
    const flags = O_RDONLY | calls.open.O_DIRECTORY | calls.open.O_NOFOLLOW;
    calls.openat2(this.root, path === '' ? '.' : path, flags, this.below, { result: slot, tolerate: GONE });
  };

  /** Attributes of all that is in the directory `path`, sorted by name; without the values of links and attributes. */
  async entries(path: Bytes): Promise<TreeNode[]> {
    const listed = (await listDirectory(this.conversation, this.calls, this.openerOf(path))) ?? [];
    const names = listed.map(({ name }) => name).sort();
    const found: TreeNode[] = [];
    for (let at = 0; at < names.length; at += ENTRIES)
      found.push(...(await this.stats(path, names.slice(at, at + ENTRIES))));
    return found;
  }

  /** What there is of the names in a directory. */
  async stats(path: Bytes, names: readonly Bytes[]): Promise<TreeNode[]> {
    const { calls } = this;
    calls.reset();
    this.openerOf(path)(calls, DIRECTORY);
    const at = names.map((name) => {
      const buffer = calls.reserve(STATX_SIZE);
      const tolerate = tolerating(ERRNO.ENOENT, ERRNO.EBADF);
      calls.statx(~DIRECTORY, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, buffer, { tolerate });
      return buffer;
    });
    calls.close(~DIRECTORY, { tolerate: CLOSED });
    const data = await this.conversation.ask(calls);
    return names.flatMap(
      (name, index) => nodeOfStatx(data, at[index] as number, path === '' ? name : `${path}/${name}`) ?? [],
    );
  }

  /** The directory itself. */
  async directory(path: Bytes): Promise<TreeNode | undefined> {
    const [node] = await this.stats(path, ['.']);
    return node === undefined ? undefined : { ...node, path };
  }

  /**
   * The nodes of one directory (`path` above all of them), complete: link targets, attributes, and short content where
   * that is wanted.
   */
  async *complete(path: Bytes, nodes: readonly TreeNode[], withContent = true): AsyncGenerator<Read> {
    for (let at = 0; at < nodes.length; ) {
      let bytes = 0;
      let end = at;
      for (; end < nodes.length && end - at < ENTRIES && bytes < SHORT_TOGETHER; end++)
        bytes += withContent ? shortLength(nodes[end] as TreeNode) : 0;
      yield* this.completeSome(path, nodes.slice(at, end), withContent);
      at = end;
    }
  }

  private async *completeSome(
    path: Bytes,
    nodes: readonly TreeNode[],
    withContent: boolean,
  ): AsyncGenerator<Read> {
    const named = await this.attributeNames(path, nodes, NAMES_ROOM);
    this.enter(path);
    const places = named.map(({ node, name }) => this.askContent(node, name, withContent));
    const data = await this.leave();
    if (data === undefined) return;
    const values = await this.attributeValues(path, named, VALUE_ROOM);
    for (const [index, { node }] of named.entries()) {
      const read = readOf(data, node, places[index]);
      const xattrs = values.get(node);
      if (read !== undefined) yield xattrs === undefined ? read : { ...read, node: { ...read.node, xattrs } };
    }
  }

  /** The directory becomes the current one, where llistxattr(2) looks names up. */
  private enter(path: Bytes): void {
    this.calls.reset();
    this.openerOf(path)(this.calls, DIRECTORY);
    this.calls.fchdir(~DIRECTORY);
  }

  /** Plays what is written since `enter`; undefined when the directory had gone, and nothing was looked up. */
  private async leave(): Promise<Uint8Array | undefined> {
    const { calls } = this;
    calls.fchdir(this.root);
    calls.close(~DIRECTORY);
    const entered = { there: true };
    const data = await this.conversation.ask(calls, async ({ call, errno }) => {
      entered.there = !(call === 'fchdir' && errno === ERRNO.EBADF);
      return entered.there ? undefined : calls.records;
    });
    return entered.there ? data : undefined;
  }

  private askContent(
    node: TreeNode,
    name: Bytes,
    withContent: boolean,
  ): readonly [number, number, number] | undefined {
    const { calls } = this;
    if (node.type === 'symlink') {
      const length = calls.reserve(8);
      const buffer = calls.reserve(node.size + 1);
      const allowance = { result: length >> 3, tolerate: VANISHED };
      calls.readlinkat(AT_FDCWD, name, buffer, node.size + 1, allowance);
      return [length, buffer, 0];
    }
    if (!withContent || shortLength(node) === 0) return undefined;
    const length = calls.reserve(8);
    const stat = calls.reserve(STATX_SIZE);
    const buffer = calls.reserve(node.size);
    this.openFile(AT_FDCWD, name);
    calls.statx(~FILE, '', AT_EMPTY_PATH, STATX_BASIC_STATS, stat, { tolerate: CLOSED });
    calls.read(~FILE, buffer, node.size, { result: length >> 3, tolerate: CLOSED });
    calls.close(~FILE, { tolerate: CLOSED });
    return [length, buffer, stat];
  }

  /** O_NONBLOCK: it may have become a fifo. */
  private openFile(directory: number, name: Bytes): void {
    const flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | this.calls.open.O_NOFOLLOW;
    this.calls.openat(directory, name, flags, 0, { result: FILE, tolerate: VANISHED });
  }

  private async attributeNames(path: Bytes, nodes: readonly TreeNode[], room: number): Promise<Names[]> {
    const { calls } = this;
    this.enter(path);
    const named = nodes.map((node) => ({ node, name: node.path.slice(path === '' ? 0 : path.length + 1) }));
    const places = named.map(({ name }) => {
      const [length, buffer] = [calls.reserve(8), calls.reserve(room)];
      calls.llistxattr(name, buffer, room, { result: length >> 3, tolerate: NO_NAMES });
      return [length, buffer] as const;
    });
    const data = await this.leave();
    if (data === undefined) return [];
    const found: Names[] = [];
    for (const [index, { node, name }] of named.entries()) {
      const [lengthAt, buffer] = places[index] as readonly [number, number];
      const length = slotOf(data, lengthAt >> 3);
      if (length === -ERRNO.ERANGE && room < MOST)
        found.push(...(await this.attributeNames(path, [node], MOST)));
      else
        found.push({
          node,
          name,
          xattrs:
            length > 0
              ? fromArray(data, buffer, buffer + length)
                  .split('\0')
                  .slice(0, -1)
              : [],
        });
    }
    return found;
  }

  private async attributeValues(
    path: Bytes,
    named: readonly Names[],
    room: number,
  ): Promise<Map<TreeNode, Map<Bytes, Bytes>>> {
    const wanted = named.flatMap(({ node, name, xattrs }) => xattrs.map((xattr) => ({ node, name, xattr })));
    const values = new Map<TreeNode, Map<Bytes, Bytes>>();
    const { calls } = this;
    const together = Math.floor(SHORT_TOGETHER / room);
    for (let from = 0; from < wanted.length; from += together) {
      const some = wanted.slice(from, from + together);
      this.enter(path);
      const places = some.map(({ name, xattr }) => {
        const [length, buffer] = [calls.reserve(8), calls.reserve(room)];
        calls.lgetxattr(name, xattr, buffer, room, { result: length >> 3, tolerate: NO_VALUE });
        return [length, buffer] as const;
      });
      const data = await this.leave();
      if (data === undefined) return values;
      for (const [index, { node, name, xattr }] of some.entries()) {
        const [lengthAt, buffer] = places[index] as readonly [number, number];
        const length = slotOf(data, lengthAt >> 3);
        const of = values.get(node) ?? new Map<Bytes, Bytes>();
        values.set(node, of);
        if (length >= 0) of.set(xattr, fromArray(data, buffer, buffer + length));
        else if (length === -ERRNO.ERANGE && room < MOST) {
          const larger = await this.attributeValues(path, [{ node, name, xattrs: [xattr] }], MOST);
          for (const [key, value] of larger.get(node) ?? []) of.set(key, value);
        }
      }
    }
    return values;
  }

  /** The content of a file that `complete` left out, `node.size` bytes whatever becomes of it meanwhile. */
  async *content(node: TreeNode): AsyncGenerator<Uint8Array> {
    const { calls, conversation, spare } = this;
    const cut = node.path.lastIndexOf('/');
    calls.reset();
    this.openerOf(cut < 0 ? '' : node.path.slice(0, cut))(calls, DIRECTORY);
    this.openFile(~DIRECTORY, node.path.slice(cut + 1));
    const stat = calls.reserve(STATX_SIZE);
    calls.statx(~FILE, '', AT_EMPTY_PATH, STATX_BASIC_STATS, stat, { tolerate: CLOSED });
    calls.dup3(~FILE, spare, { tolerate: CLOSED });
    calls.close(~FILE, { tolerate: CLOSED });
    calls.close(~DIRECTORY, { tolerate: CLOSED });
    const opened = nodeOfStatx(await conversation.ask(calls), stat, node.path);
    let left = node.size;
    if (opened?.type === 'file' && opened.identity === node.identity) {
      for await (const piece of this.pieces(node.size)) {
        left -= piece.length;
        yield piece;
      }
    }
    for (; left > 0; left -= Math.min(left, PIECE)) yield new Uint8Array(Math.min(left, PIECE));
    calls.reset();
    calls.dup3(this.root, spare);
    await conversation.ask(calls);
  }

  /** What `spare` has, at most `size` bytes; the next piece is read while one is used. */
  private async *pieces(size: number): AsyncGenerator<Uint8Array> {
    const { calls, conversation } = this;
    let asked = 0;
    let buffer = 0;
    const post = async () => {
      calls.reset();
      const length = Math.min(PIECE, size - asked);
      buffer = calls.reserve(length);
      calls.read(this.spare, buffer, length, { result: COUNT });
      asked += length;
      await conversation.post(calls);
    };
    if (size > 0) await post();
    for (let done = 0; done < size; ) {
      const data = await conversation.settle();
      if (data === undefined) throw new CaissonError('a read was not answered', { code: 'ELAUNCHER' });
      const length = slotOf(data, COUNT);
      if (length <= 0) return;
      const piece = data.subarray(buffer, buffer + length);
      done += length;
      // A short read: the rest is still wanted.
      asked = done;
      if (done < size) await post();
      yield piece;
    }
  }
}

/** What of a node is read with its attributes. */
function shortLength({ type, size }: TreeNode): number {
  return type === 'file' && size <= SHORT ? size : 0;
}

/** What the answer holds of a node; undefined where it has gone. */
function readOf(
  data: Uint8Array,
  node: TreeNode,
  places: readonly [number, number, number] | undefined,
): Read | undefined {
  if (places === undefined) return { node };
  const [lengthAt, buffer, stat] = places;
  const length = slotOf(data, lengthAt >> 3);
  if (length < 0) return undefined;
  if (node.type === 'symlink')
    return { node: { ...node, linkName: fromArray(data, buffer, buffer + length), size: 0 } };
  const opened = nodeOfStatx(data, stat, node.path);
  if (opened === undefined || opened.type !== 'file') return undefined;
  return { node: { ...opened, size: length }, content: data.subarray(buffer, buffer + length) };
}
