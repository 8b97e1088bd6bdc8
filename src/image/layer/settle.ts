// Whether the upper directory of an overlay is what its own layer would unpack to, and the last touch that makes it so.
//
// An upper directory and an unpacked layer have the same form (whiteouts, opaque directories, owners, times). What an
// overlay leaves besides are notes to itself (overlayfs.rst: `origin`, `impure`, `uuid`), which are removed here.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { O_RDONLY } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { IN_ROOT } from '../../plan/compile/destination.ts';
import type { Pointer } from '../../spec/error.ts';
import { openTarget } from '../extract-target.ts';
import { splitPath } from '../member-path.ts';
import { type FileLauncher, openFileLauncher } from '../user-namespace.ts';
import { isOpaque } from './archive.ts';
import { isPortable } from './attributes.ts';
import { tolerating } from './batch-writer.ts';
import { Conversation } from './conversation.ts';
import { TreeCalls } from './tree-calls.ts';
import type { TreeNode } from './tree-node.ts';
import { TreeReader } from './tree-reader.ts';
import { isMark } from './whiteout.ts';

/** What unpacking would have told of it (LayerFacts of the store). */
export interface SettledTree {
  readonly members: number;
  /** Bytes of the files. */
  readonly bytes: number;
  readonly owners: 'keep' | 'squash';
  readonly xattrs: 'trusted' | 'user';
}

/** A tree that may be a layer. */
export interface Candidate {
  readonly directory: Bytes;
  readonly cause: Pointer;
}

/** The root of an unpacked layer whose archive does not name it (extract-target.ts). */
const ROOT_MODE = 0o755;
const NOTES: ReadonlySet<Bytes> = new Set(['origin', 'impure', 'uuid']);
const DIRECTORY = 1;
const GONE = tolerating(ERRNO.ENODATA);

/** An attribute that is to be removed. */
interface Note {
  readonly name: Bytes;
  readonly attribute: Bytes;
}

/**
 * Takes overlay's notes away from trees. The result is undefined for a tree that differs from what its archive unpacks to
 * (sockets, times later than `epoch`, in seconds; attributes that no archive carries): nobody may take it for the layer
 * then. Throws CaissonError ESYSCALL where a call fails.
 */
export async function settleTrees(
  port: Port,
  trees: readonly Candidate[],
  epoch: number | undefined,
): Promise<(SettledTree | undefined)[]> {
  const [first] = trees;
  if (first === undefined) return [];
  const launcher = await openFileLauncher(port, first.cause);
  try {
    const settled: (SettledTree | undefined)[] = [];
    for (const tree of trees) settled.push(await settleTree(port, launcher, tree, epoch));
    return settled;
  } finally {
    await launcher.channel.close();
  }
}

async function settleTree(
  port: Port,
  { channel, userxattr, owners }: FileLauncher,
  { directory, cause }: Candidate,
  epoch: number | undefined,
): Promise<SettledTree | undefined> {
  const conversation = new Conversation(channel, cause);
  const calls = new TreeCalls(port.arch);
  const opened = await openTarget(conversation, calls, directory, { confine: false, fresh: false });
  const xattrs = userxattr ? 'user' : 'trusted';
  const reader = new TreeReader(conversation, opened, port.arch);
  const walk = new Walk({ conversation, calls, reader, root: opened.root }, `${xattrs}.overlay.`, epoch);
  const same = (await walk.root()) && (await walk.directory(''));
  calls.reset();
  calls.close(opened.root);
  calls.close(opened.spare);
  await conversation.ask(calls);
  return same ? { members: walk.members, bytes: walk.bytes, owners: owners.kind, xattrs } : undefined;
}

/** The launcher's side of a walk. */
interface Tools {
  readonly conversation: Conversation;
  readonly calls: TreeCalls;
  readonly reader: TreeReader;
  /** The descriptor of the tree. */
  readonly root: number;
}

class Walk {
  members = 0;
  bytes = 0;
  private readonly tools: Tools;
  /** `trusted.overlay.` or `user.overlay.` */
  private readonly prefix: Bytes;
  private readonly epoch: number | undefined;
  private readonly seen = new Set<string>();

  constructor(tools: Tools, prefix: Bytes, epoch: number | undefined) {
    this.tools = tools;
    this.prefix = prefix;
    this.epoch = epoch;
  }

  /** No member of the archive says what the root is like: it must be as it is made for a layer. */
  async root(): Promise<boolean> {
    const { reader } = this.tools;
    const node = await reader.directory('');
    if (node === undefined || node.mode !== ROOT_MODE || node.uid !== 0 || node.gid !== 0) return false;
    const notes: Note[] = [];
    for await (const read of reader.complete('', [{ ...node, path: '.' }], false)) {
      for (const attribute of read.node.xattrs.keys()) {
        if (!this.isNote(attribute)) return false;
        notes.push({ name: '.', attribute });
      }
    }
    await this.remove('', notes);
    return true;
  }

  /** False where something in it is not what would be unpacked. */
  async directory(path: Bytes): Promise<boolean> {
    const { reader } = this.tools;
    const nodes = await reader.entries(path);
    const notes: Note[] = [];
    const below: Bytes[] = [];
    for await (const { node } of reader.complete(path, nodes, false)) {
      const { name } = splitPath(node.path);
      if (isMark(name) || node.type === 'socket' || this.isLater(node)) return false;
      for (const [attribute, content] of node.xattrs) {
        if (this.isNote(attribute)) notes.push({ name, attribute });
        else if (!this.isKept(node, attribute, content)) return false;
      }
      this.count(node);
      if (node.type === 'directory') below.push(node.path);
    }
    await this.remove(path, notes);
    for (const each of below) if (!(await this.directory(each))) return false;
    return true;
  }

  private isLater({ mtime }: TreeNode): boolean {
    const { epoch } = this;
    if (epoch === undefined || mtime.seconds < epoch) return false;
    return mtime.seconds > epoch || mtime.nanoseconds > 0;
  }

  private isNote(attribute: Bytes): boolean {
    return attribute.startsWith(this.prefix) && NOTES.has(attribute.slice(this.prefix.length));
  }

  /** What an archive carries, and the mark of an opaque directory. */
  private isKept({ type }: TreeNode, attribute: Bytes, content: Bytes): boolean {
    if (attribute === `${this.prefix}opaque`) return type === 'directory' && content === 'y';
    return isPortable(attribute) && (type === 'file' || type === 'directory');
  }

  private count(node: TreeNode): void {
    this.members += node.type === 'directory' && isOpaque(node) ? 2 : 1;
    if (node.type !== 'file' || this.seen.has(node.identity)) return;
    if (node.links > 1) this.seen.add(node.identity);
    this.bytes += node.size;
  }

  private async remove(path: Bytes, notes: readonly Note[]): Promise<void> {
    if (notes.length === 0) return;
    const { calls, conversation, root } = this.tools;
    const flags = O_RDONLY | calls.open.O_DIRECTORY | calls.open.O_NOFOLLOW;
    calls.reset();
    calls.about(`finish /${path}`);
    calls.openat2(root, path === '' ? '.' : path, flags, IN_ROOT, { result: DIRECTORY });
    // Names are looked up in the current directory, which follows no link: links have such notes, too.
    calls.fchdir(~DIRECTORY);
    for (const { name, attribute } of notes) calls.lremovexattr(name, attribute, { tolerate: GONE });
    calls.fchdir(root);
    calls.close(~DIRECTORY);
    await conversation.ask(calls);
  }
}
