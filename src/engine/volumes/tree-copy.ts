// Copies a tree to another place of the host by one launcher that holds both roots: bytes go from file to file in the
// kernel, names are one component below a held descriptor, and no link is followed on either side.
//
// Owner, mode, times, extended attributes, hard links and holes stay what they are. The source is an image's (T36): what
// is in it may be anything that a file system holds.
import { Attributes } from '../../image/layer/attributes.ts';
import { tolerating } from '../../image/layer/batch-writer.ts';
import type { Conversation } from '../../image/layer/conversation.ts';
import { slotOf } from '../../image/layer/conversation.ts';
import { deviceNumber, typeBits } from '../../image/layer/node-type.ts';
import { TreeCalls } from '../../image/layer/tree-calls.ts';
import { isWhiteoutDevice, type TreeNode } from '../../image/layer/tree-node.ts';
import { TreeReader } from '../../image/layer/tree-reader.ts';
import { splitPath } from '../../image/member-path.ts';
import type { TarEntry } from '../../image/tar.ts';
import type { FileLauncher } from '../../image/user-namespace.ts';
import type { Bytes } from '../../linux/bytes.ts';
import {
  O_CREAT,
  O_EXCL,
  O_NOCTTY,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  S_IFSOCK,
  SEEK_DATA,
  SEEK_HOLE,
} from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';

const BELOW = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;

/** Slots: directories and files of a batch, and what calls answered. */
const FROM = 1;
const TO = 2;
const IN = 3;
const OUT = 4;
const PUT = 5;
const LINK = 6;
const DATA = 7;
const HOLE = 8;

/** Names in one batch, and bytes in one sendfile(2), which moves at most 2 GiB. */
const NAMES = 200;
const PIECE = 1 << 30;

/** Descriptors that the launcher holds: a tree's root, and one to use. */
export interface HeldTree {
  readonly root: number;
  readonly spare: number;
}

export class TreeCopy {
  private readonly conversation: Conversation;
  private readonly from: HeldTree;
  private readonly to: HeldTree;
  private readonly reader: TreeReader;
  private readonly calls: TreeCalls;
  private readonly attributes: Attributes;
  private readonly devices: boolean;
  /** The first path of each file that has several. */
  private readonly linked = new Map<string, Bytes>();
  /** Their attributes are set at the end: modes may lock us out, and times change with every entry. */
  private readonly directories: TreeNode[] = [];

  constructor(
    conversation: Conversation,
    trees: { readonly from: HeldTree; readonly to: HeldTree },
    arch: TreeCalls['arch'],
    { owners, devices }: Pick<FileLauncher, 'owners' | 'devices'>,
  ) {
    this.conversation = conversation;
    this.from = trees.from;
    this.to = trees.to;
    this.reader = new TreeReader(conversation, trees.from, arch);
    this.calls = new TreeCalls(arch);
    this.devices = devices;
    const summary = { members: 0, bytes: 0, devices: 0, xattrs: 0, whiteouts: 0 };
    this.attributes = new Attributes({ cause: 'default: copy-up', owners, devices }, summary);
  }

  /** Copies all that is in the source, and the attributes of its root, to an empty directory. Throws CaissonError. */
  async all(): Promise<void> {
    const root = await this.reader.directory('');
    if (root === undefined) return;
    for await (const { node } of this.reader.complete('', [{ ...root, path: '.' }]))
      this.directories.push({ ...node, path: '' });
    const waiting: Bytes[] = [''];
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop())
      waiting.push(...(await this.directory(path)));
    await this.finish();
  }

  /** Copies what is in one directory; the directories among it, which are empty yet. */
  private async directory(path: Bytes): Promise<Bytes[]> {
    const found: Bytes[] = [];
    const nodes = (await this.reader.entries(path)).filter((node) => !isWhiteoutDevice(node));
    for (let at = 0; at < nodes.length; at += NAMES) {
      const some: TreeNode[] = [];
      for await (const { node } of this.reader.complete(path, nodes.slice(at, at + NAMES), false))
        some.push(node);
      const whole = some.filter((node) => !this.hasHoles(node));
      await this.names(path, whole);
      for (const node of some) {
        if (this.hasHoles(node)) await this.sparse(path, node);
        if (node.type !== 'directory') continue;
        this.directories.push(node);
        found.push(node.path);
      }
    }
    return found;
  }

  /** A file with holes that is not another name of one that has been copied. */
  private hasHoles(node: TreeNode): boolean {
    return node.type === 'file' && node.allocated < node.size && !this.isCopied(node);
  }

  private isCopied(node: TreeNode): boolean {
    const first = this.linked.get(node.identity);
    return node.links > 1 && first !== undefined && first !== node.path;
  }

  private async names(path: Bytes, nodes: readonly TreeNode[]): Promise<void> {
    if (nodes.length === 0) return;
    const { calls } = this;
    calls.reset();
    this.enter(path);
    for (const node of nodes) {
      calls.about(`copy /${node.path}`);
      this.node(node, splitPath(node.path).name);
    }
    this.leave();
    await this.conversation.ask(calls);
  }

  private enter(path: Bytes): void {
    const { calls } = this;
    const flags = calls.open.O_DIRECTORY | calls.open.O_NOFOLLOW;
    const name = path === '' ? '.' : path;
    calls.about(`copy /${path}`);
    calls.openat2(this.from.root, name, O_RDONLY | flags, BELOW, { result: FROM });
    calls.openat2(this.to.root, name, O_PATH | flags, BELOW, { result: TO });
  }

  private leave(): void {
    this.calls.close(~FROM);
    this.calls.close(~TO);
  }

  private node(node: TreeNode, name: Bytes): void {
    const { calls } = this;
    if (node.type === 'directory') {
      calls.mkdirat(~TO, name, 0o700);
      return;
    }
    if (node.type === 'file') {
      this.file(node, name);
      return;
    }
    const entry = entryOf(node);
    if (node.type === 'symlink') calls.symlinkat(node.linkName, ~TO, name);
    else if (node.type === 'socket') calls.mknodat(~TO, name, S_IFSOCK | node.mode, 0);
    else if (node.type === 'fifo' || this.devices)
      calls.mknodat(~TO, name, typeBits(entry.type) | node.mode, deviceNumber(entry));
    else return;
    this.attributes.ofNode(calls, ~TO, name, entry);
  }

  private file(node: TreeNode, name: Bytes): void {
    const { calls } = this;
    if (this.isCopied(node)) {
      const first = splitPath(this.linked.get(node.identity) as Bytes);
      const flags = O_PATH | calls.open.O_DIRECTORY | calls.open.O_NOFOLLOW;
      calls.openat2(this.to.root, first.parent === '' ? '.' : first.parent, flags, BELOW, { result: LINK });
      calls.linkat(~LINK, first.name, ~TO, name);
      calls.close(~LINK);
      return;
    }
    this.openBoth(node, name);
    for (let left = node.size; left > 0; left -= PIECE) calls.sendfile(~OUT, ~IN, Math.min(left, PIECE), PUT);
    this.attributes.ofFile(calls, ~OUT, entryOf(node));
    calls.close(~IN);
    calls.close(~OUT);
  }

  private openBoth(node: TreeNode, name: Bytes): void {
    const { calls } = this;
    if (node.links > 1) this.linked.set(node.identity, node.path);
    const from = O_RDONLY | O_NONBLOCK | O_NOCTTY | calls.open.O_NOFOLLOW;
    calls.openat(~FROM, name, from, 0, { result: IN });
    calls.openat(~TO, name, O_WRONLY | O_CREAT | O_EXCL | calls.open.O_NOFOLLOW, 0o600, { result: OUT });
  }

  /** Of a file with holes only the data is copied, extent by extent (lseek(2), SEEK_DATA). */
  private async sparse(path: Bytes, node: TreeNode): Promise<void> {
    const { calls, conversation, from, to } = this;
    calls.reset();
    this.enter(path);
    calls.about(`copy /${node.path}`);
    this.openBoth(node, splitPath(node.path).name);
    calls.dup3(~IN, from.spare);
    calls.dup3(~OUT, to.spare);
    calls.close(~IN);
    calls.close(~OUT);
    this.leave();
    this.findExtent(0);
    let data = await conversation.ask(calls);
    for (;;) {
      const [begin, end] = [slotOf(data, DATA), Math.min(slotOf(data, HOLE), node.size)];
      if (begin < 0 || begin >= node.size || end <= begin) break;
      calls.reset();
      calls.about(`copy /${node.path}`);
      calls.lseek(from.spare, begin);
      calls.lseek(to.spare, begin);
      for (let left = end - begin; left > 0; left -= PIECE)
        calls.sendfile(to.spare, from.spare, Math.min(left, PIECE), PUT);
      this.findExtent(end);
      data = await conversation.ask(calls);
    }
    calls.reset();
    calls.about(`copy /${node.path}`);
    calls.ftruncate(to.spare, node.size);
    this.attributes.ofFile(calls, to.spare, entryOf(node));
    calls.dup3(from.root, from.spare);
    calls.dup3(to.root, to.spare);
    await conversation.ask(calls);
  }

  /** ENXIO: there is no data behind the offset. */
  private findExtent(offset: number): void {
    const tolerate = tolerating(ERRNO.ENXIO, ERRNO.EINVAL);
    this.calls.seek(this.from.spare, offset, SEEK_DATA, { result: DATA, tolerate });
    this.calls.seek(this.from.spare, ~DATA, SEEK_HOLE, { result: HOLE, tolerate });
  }

  /** Attributes of directories, deepest first. */
  private async finish(): Promise<void> {
    const { calls } = this;
    const nodes = this.directories.sort((a, b) => (a.path < b.path ? 1 : -1));
    for (let at = 0; at < nodes.length; at += NAMES) {
      calls.reset();
      for (const node of nodes.slice(at, at + NAMES)) {
        calls.about(`finish /${node.path}`);
        const flags = O_RDONLY | calls.open.O_DIRECTORY | calls.open.O_NOFOLLOW;
        calls.openat2(this.to.root, node.path === '' ? '.' : node.path, flags, BELOW, { result: OUT });
        this.attributes.ofFile(calls, ~OUT, entryOf(node));
        calls.close(~OUT);
      }
      await this.conversation.ask(calls);
    }
  }
}

/** What the code for archives knows of a file; a socket has no type there. */
function entryOf(node: TreeNode): TarEntry {
  return { ...node, type: node.type === 'socket' ? 'fifo' : node.type };
}
