// Finds what a path of a user leads to: inside the root of a container by openat2(2), or on the host as its user sees it.
import type { Target } from '../../image/extract-target.ts';
import { tolerating } from '../../image/layer/batch-writer.ts';
import { type Conversation, slotOf } from '../../image/layer/conversation.ts';
import { STATX_SIZE, TreeCalls } from '../../image/layer/tree-calls.ts';
import { nodeOfStatx, type TreeNode } from '../../image/layer/tree-node.ts';
import { type Bytes, fromArray } from '../../linux/bytes.ts';
import { AT_EMPTY_PATH, AT_FDCWD, O_PATH, STATX_BASIC_STATS } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { IN_ROOT } from '../../plan/compile/destination.ts';
import { CaissonError } from '../../spec/error.ts';

const FILE = 0;
const LENGTH = 1;
const SPARE = 2;
const LINK_ROOM = 4096;
/** As the kernel's (path_resolution(7)). */
const MOST_LINKS = 40;
const ABSENT = tolerating(ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ELOOP, ERRNO.EXDEV);
const CLOSED = tolerating(ERRNO.EBADF);
const NO_LINK = tolerating(ERRNO.EBADF, ERRNO.EINVAL, ERRNO.ENOENT);

/** `a/b` of an absolute path; the last part may not be there. */
export interface Located {
  /** Of the directory above, absolute. */
  readonly parent: Bytes;
  /** Empty for the root. */
  readonly name: Bytes;
  /** Absolute. */
  readonly path: Bytes;
  readonly node: TreeNode | undefined;
}

/** The directory above, and the name in it. */
export function splitAbsolute(path: Bytes): { readonly parent: Bytes; readonly name: Bytes } {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  const name = parts.pop() ?? '';
  return { parent: `/${parts.join('/')}`, name };
}

export class Lookup {
  private readonly conversation: Conversation;
  private readonly calls: TreeCalls;
  private readonly root: number;
  private readonly resolve: number;

  private constructor(conversation: Conversation, arch: TreeCalls['arch'], root: number, resolve: number) {
    this.conversation = conversation;
    this.calls = new TreeCalls(arch);
    this.root = root;
    this.resolve = resolve;
  }

  /** In a root: links stay inside, magic links are refused. */
  static inRoot(conversation: Conversation, { root }: Pick<Target, 'root'>, arch: TreeCalls['arch']): Lookup {
    return new Lookup(conversation, arch, root, IN_ROOT);
  }

  /** On the host, whose paths the caller chose. */
  static onHost(conversation: Conversation, arch: TreeCalls['arch']): Lookup {
    return new Lookup(conversation, arch, AT_FDCWD, 0);
  }

  /** What is at an absolute path; a link in the last part is followed where `follows`. Opens nothing but names (O_PATH). */
  async look(path: Bytes, follows: boolean): Promise<TreeNode | undefined> {
    const { calls } = this;
    calls.reset();
    calls.about(`look at ${path}`);
    const flags = O_PATH | (follows ? 0 : calls.open.O_NOFOLLOW);
    calls.openat2(this.root, path, flags, this.resolve, { result: FILE, tolerate: ABSENT });
    const stat = calls.reserve(STATX_SIZE);
    calls.statx(~FILE, '', AT_EMPTY_PATH, STATX_BASIC_STATS, stat, { tolerate: CLOSED });
    const target = calls.reserve(LINK_ROOM);
    calls.readlinkat(~FILE, '', target, LINK_ROOM, { result: LENGTH, tolerate: NO_LINK });
    calls.close(~FILE, { tolerate: CLOSED });
    const data = await this.conversation.ask(calls);
    const node = nodeOfStatx(data, stat, path);
    const length = slotOf(data, LENGTH);
    if (node?.type !== 'symlink' || length < 0) return node;
    return { ...node, linkName: fromArray(data, target, target + length) };
  }

  /** Where a path leads; through links in its last part where `follows`. Throws CaissonError ELOOP for too many of them. */
  async locate(path: Bytes, follows: boolean): Promise<Located> {
    let at = path;
    for (let links = 0; links <= MOST_LINKS; links++) {
      const { parent, name } = splitAbsolute(at);
      // `..` is the kernel's to resolve, and the name of no file.
      if (name === '' || name === '..') {
        const node = await this.look(at, true);
        return { parent: at, name: '', path: at, node };
      }
      const node = await this.look(at, false);
      if (!follows || node?.type !== 'symlink') return { parent, name, path: at, node };
      at = node.linkName.startsWith('/') ? node.linkName : `${parent}/${node.linkName}`;
    }
    throw new CaissonError(`${path}: too many levels of symbolic links`, { code: 'ELOOP', exitCode: 1 });
  }

  /** Opens a directory to read or write in: descriptors that the launcher holds from now on. Throws CaissonError ESYSCALL. */
  async open(path: Bytes): Promise<Target> {
    const { calls } = this;
    calls.reset();
    calls.about(`open ${path}`);
    const flags = O_PATH | calls.open.O_DIRECTORY;
    for (const result of [FILE, SPARE]) calls.openat2(this.root, path, flags, this.resolve, { result });
    const data = await this.conversation.ask(calls);
    return { root: slotOf(data, FILE), spare: slotOf(data, SPARE) };
  }
}
