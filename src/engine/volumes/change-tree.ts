// Gives a tree of the host another owner (option U) or another SELinux label (z, Z): by descriptors below its root, no
// link followed, nothing that is mounted in it touched. Containers may change the tree meanwhile (T32).

import type { Port } from '../../host/port.ts';
import { openTarget } from '../../image/extract-target.ts';
import { type Place, tolerating } from '../../image/layer/batch-writer.ts';
import { Conversation } from '../../image/layer/conversation.ts';
import { TreeCalls } from '../../image/layer/tree-calls.ts';
import { TreeReader } from '../../image/layer/tree-reader.ts';
import { openFileLauncher } from '../../image/user-namespace.ts';
import type { Bytes } from '../../linux/bytes.ts';
import {
  AT_EMPTY_PATH,
  O_CLOEXEC,
  O_PATH,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { call, number, pointer, slot, string } from '../../plan/call.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { Player } from '../../runtime/player.ts';

/** What all files of a tree get. */
export type TreeChange =
  | { readonly kind: 'owner'; readonly uid: number; readonly gid: number }
  | { readonly kind: 'label'; readonly label: Bytes };

const BELOW = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
const NAMES = 500;
const DIRECTORY = 1;
const GONE = tolerating(ERRNO.ENOENT, ERRNO.EBADF);
const ATTRIBUTE = 'security.selinux';

/**
 * Changes `path`, a file or directory of the host, and all that is below it. Owners are ids of the launcher's user
 * namespace. Throws CaissonError `ESYSCALL` where one cannot be changed; the rest is then as it was.
 */
export async function changeTree(port: Port, path: Bytes, change: TreeChange, cause: string): Promise<void> {
  const { channel } = await openFileLauncher(port, cause);
  try {
    const player = new Player(port, channel);
    if (port.stat(path)?.type === 'directory') {
      const conversation = new Conversation(channel, cause);
      const calls = new TreeCalls(port.arch);
      const tree = await openTarget(conversation, calls, path, {
        confine: false,
        fresh: false,
        writable: false,
      });
      await changeBelow(conversation, calls, tree, change);
    }
    // Last, so that a start that was killed in between does it again.
    await changeTop(player, path, change, cause);
  } finally {
    await channel.close();
  }
}

async function changeTop(player: Player, path: Bytes, change: TreeChange, cause: string): Promise<void> {
  const top = slot('top');
  const open = sys.openat(sys.AT_FDCWD, path, O_PATH | O_CLOEXEC, 0, { result: top });
  const calls =
    change.kind === 'owner'
      ? [open, sys.fchownat(top, '', change.uid, change.gid, AT_EMPTY_PATH)]
      : [open, labelOf(path, change.label)];
  await player.play([step('parent', 'change', `change ${path}`, cause, [...calls, sys.close(top)])]);
}

/** By path: the caller's own word. */
function labelOf(path: Bytes, label: Bytes) {
  const content = `${label}\0`;
  return call('setxattr', [
    string(path),
    string(ATTRIBUTE),
    pointer({ kind: 'buffer', bytes: content }, 'fixed'),
    number(content.length),
    number(0),
  ]);
}

async function changeBelow(
  conversation: Conversation,
  calls: TreeCalls,
  tree: { readonly root: number; readonly spare: number },
  change: TreeChange,
): Promise<void> {
  const reader = new TreeReader(conversation, tree, calls.arch);
  const waiting: Bytes[] = [''];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const nodes = await reader.entries(path);
    const pending = nodes.filter(
      (node) => change.kind !== 'owner' || node.uid !== change.uid || node.gid !== change.gid,
    );
    for (let at = 0; at < pending.length; at += NAMES) {
      calls.reset();
      calls.about(`change /${path}`);
      const flags = O_RDONLY | calls.open.O_DIRECTORY | calls.open.O_NOFOLLOW;
      calls.openat2(tree.root, path === '' ? '.' : path, flags, BELOW, { result: DIRECTORY });
      calls.fchdir(~DIRECTORY);
      for (const node of pending.slice(at, at + NAMES)) {
        calls.about(`change /${node.path}`);
        changeName(calls, ~DIRECTORY, node.path.slice(path === '' ? 0 : path.length + 1), change);
      }
      calls.fchdir(tree.root);
      calls.close(~DIRECTORY);
      await conversation.ask(calls);
    }
    waiting.push(...nodes.filter(({ type }) => type === 'directory').map((node) => node.path));
  }
}

function changeName(calls: TreeCalls, directory: Place, name: Bytes, change: TreeChange): void {
  if (change.kind === 'owner') calls.fchownat(directory, name, change.uid, change.gid, { tolerate: GONE });
  else calls.lsetxattr(name, ATTRIBUTE, `${change.label}\0`, { tolerate: GONE });
}
