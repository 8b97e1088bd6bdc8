// Removes what is in the way of a member, or what a whiteout names: by descriptors below the target, never through a link.
import type { Bytes } from '../../linux/bytes.ts';
import {
  O_PATH,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { IN_ROOT } from '../../plan/compile/destination.ts';
import { CaissonError } from '../../spec/error.ts';
import type { ExtractOptions } from '../extract-options.ts';
import { refused, splitPath } from '../member-path.ts';
import { tolerating } from './batch-writer.ts';
import { type Conversation, type Failure, slotOf } from './conversation.ts';
import { DT_DIR, DT_UNKNOWN, listDirectory } from './directory-entries.ts';
import { TreeCalls } from './tree-calls.ts';

const PARENT = 3;
const FILE_RESULT = 4;
const DIRECTORY_RESULT = 5;
const BELOW = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
const NO_PARENT = tolerating(ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ELOOP);
const NO_FILE = tolerating(ERRNO.ENOENT, ERRNO.EISDIR, ERRNO.EPERM, ERRNO.EBADF);
const NO_EMPTY_DIRECTORY = tolerating(ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ENOTEMPTY, ERRNO.EBADF);
const UNOPENED = tolerating(ERRNO.EBADF);
const NAMES_PER_BATCH = 1000;

/** Whether a path stays; one that stays keeps the directories above it. */
export type Keep = (path: Bytes) => boolean;

/** What may become of what is in the way. */
type Wish = Pick<ExtractOptions, 'replace' | 'keepKinds'>;

export class Obstacles {
  private readonly conversation: Conversation;
  private readonly root: number;
  private readonly calls: TreeCalls;

  /** `root` is a descriptor of the target. */
  constructor(conversation: Conversation, root: number, arch: TreeCalls['arch']) {
    this.conversation = conversation;
    this.root = root;
    this.calls = new TreeCalls(arch);
  }

  /**
   * After a record that failed because `path` is there already: the record to go on from. A directory stays where one is
   * to be made. Throws CaissonError EARCHIVE for one with something in it, unless it may be replaced.
   */
  async clear(failure: Failure, path: Bytes, wish: Wish): Promise<number> {
    if (wish.keepKinds === true) return await this.pass(failure, path);
    const { index, call } = failure;
    if (call === 'mkdirat') return (await this.removeFile(path)) ? index : index + 1;
    if ((await this.removeOne(path)) === 'gone') return index;
    if (wish.replace !== true) throw refused(path, 'would replace a directory that is not empty');
    await this.remove(path);
    return index;
  }

  /**
   * After a record that failed because `path` is there already, where kinds of files stay: the record to go on from, past
   * a directory that was to be made. Throws CaissonError EARCHIVE, in docker's words, for another kind.
   */
  private async pass({ index, call }: Failure, path: Bytes): Promise<number> {
    const isDirectory = await this.isDirectory(path);
    if (call === 'mkdirat' && isDirectory) return index + 1;
    const [old, made] = call === 'mkdirat' ? ['non-directory', 'directory'] : ['directory', 'non-directory'];
    throw new CaissonError(`cannot overwrite ${old} "/${path}" with ${made} "/${path}"`, {
      code: 'EARCHIVE',
      exitCode: 1,
    });
  }

  private async isDirectory(path: Bytes): Promise<boolean> {
    const { calls } = this;
    const { parent, name } = splitPath(path);
    calls.reset();
    calls.about(`look at /${path}`);
    calls.directory(this.root, parent === '' ? '.' : parent, IN_ROOT, PARENT, NO_PARENT);
    const flags = O_PATH | calls.open.O_DIRECTORY | calls.open.O_NOFOLLOW;
    const tolerate = tolerating(ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ELOOP, ERRNO.EBADF);
    calls.openat(~PARENT, name, flags, 0, { result: FILE_RESULT, tolerate });
    calls.close(~FILE_RESULT, { tolerate: UNOPENED });
    calls.close(~PARENT, { tolerate: UNOPENED });
    return slotOf(await this.conversation.ask(calls), FILE_RESULT) >= 0;
  }

  /** Removes a file or an empty directory; whether a directory with something in it is left. */
  async removeOne(path: Bytes): Promise<'gone' | 'not empty'> {
    const { calls } = this;
    const { parent, name } = splitPath(path);
    calls.reset();
    calls.about(`remove /${path}`);
    calls.directory(this.root, parent === '' ? '.' : parent, IN_ROOT, PARENT, NO_PARENT);
    calls.unlinkat(~PARENT, name, 'file', { result: FILE_RESULT, tolerate: NO_FILE });
    calls.unlinkat(~PARENT, name, 'directory', { result: DIRECTORY_RESULT, tolerate: NO_EMPTY_DIRECTORY });
    calls.close(~PARENT, { tolerate: UNOPENED });
    const data = await this.conversation.ask(calls);
    return slotOf(data, DIRECTORY_RESULT) === -ERRNO.ENOTEMPTY ? 'not empty' : 'gone';
  }

  /** Whether something that is no directory was at `path`; it is gone then. */
  async removeFile(path: Bytes): Promise<boolean> {
    const { calls } = this;
    const { parent, name } = splitPath(path);
    calls.reset();
    calls.about(`remove /${path}`);
    calls.directory(this.root, parent === '' ? '.' : parent, IN_ROOT, PARENT);
    calls.unlinkat(~PARENT, name, 'file', { result: FILE_RESULT, tolerate: NO_FILE });
    calls.close(~PARENT);
    return slotOf(await this.conversation.ask(calls), FILE_RESULT) === 0;
  }

  /** Removes `path` and all below it that does not stay. */
  async remove(path: Bytes, keep?: Keep): Promise<void> {
    if (keep?.(path) !== true && (await this.removeOne(path)) === 'gone') return;
    await this.empty(path, keep);
    if (keep?.(path) !== true) await this.removeOne(path);
  }

  /** Removes all below the directory `path` that does not stay; nothing happens where it is none. */
  async empty(path: Bytes, keep?: Keep): Promise<void> {
    await this.emptyBelow(path, '', keep);
  }

  private async emptyBelow(top: Bytes, below: Bytes, keep: Keep | undefined): Promise<void> {
    const path = `${top}${below}`;
    const open = this.opener(top, below);
    const listed = await listDirectory(this.conversation, this.calls, open);
    if (listed === undefined) return;
    const names: Bytes[] = [];
    for (const { name, type } of listed) {
      const each = path === '' ? name : `${path}/${name}`;
      if (type === DT_DIR || type === DT_UNKNOWN) await this.emptyBelow(top, `${below}/${name}`, keep);
      if (keep?.(each) !== true) names.push(name);
    }
    for (let at = 0; at < names.length; at += NAMES_PER_BATCH)
      await this.removeNames(path, open, names.slice(at, at + NAMES_PER_BATCH));
  }

  /** `top` is looked up as members are; below it nothing but real directories is passed. */
  private opener(top: Bytes, below: Bytes): (calls: TreeCalls, slot: number) => void {
    return (calls, slot) => {
      const flags = O_RDONLY | calls.open.O_DIRECTORY | calls.open.O_NOFOLLOW;
      calls.about(`remove what is in /${top}${below}`);
      calls.openat2(this.root, top === '' ? '.' : top, flags, IN_ROOT, {
        result: PARENT,
        tolerate: NO_PARENT,
      });
      calls.openat2(~PARENT, below === '' ? '.' : below.slice(1), flags, BELOW, {
        result: slot,
        tolerate: tolerating(ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ELOOP, ERRNO.EBADF),
      });
      calls.close(~PARENT, { tolerate: UNOPENED });
    };
  }

  private async removeNames(
    path: Bytes,
    open: (calls: TreeCalls, slot: number) => void,
    names: readonly Bytes[],
  ): Promise<void> {
    const { calls } = this;
    const directory = 1;
    calls.reset();
    open(calls, directory);
    for (const name of names) {
      calls.unlinkat(~directory, name, 'file', { tolerate: NO_FILE });
      calls.unlinkat(~directory, name, 'directory', { tolerate: NO_EMPTY_DIRECTORY });
    }
    calls.close(~directory, { tolerate: UNOPENED });
    calls.about(`remove what is in /${path}`);
    await this.conversation.ask(calls);
  }
}
