// Opens the directory that an archive is unpacked into, in a launcher that is for this work only.

import type { Bytes } from '../linux/bytes.ts';
import { AT_FDCWD, F_DUPFD_CLOEXEC, O_PATH, O_RDONLY } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { tolerating } from './layer/batch-writer.ts';
import { type Conversation, slotOf } from './layer/conversation.ts';
import type { TreeCalls } from './layer/tree-calls.ts';

/** Descriptors that the launcher holds from now on. */
export interface Target {
  readonly root: number;
  /** Is the root's until a file that takes several batches needs it. */
  readonly spare: number;
}

const ROOT = 0;
const SPARE = 1;
const FILE = 2;
const NO_LIST = tolerating(ERRNO.ENODATA, ERRNO.EOPNOTSUPP);

/**
 * Leaves the launcher with umask 0, because modes are the archive's and not the caller's, and when confined with the
 * target as its root, as a second wall. A fresh target is made root's, without a default access list that new files
 * would inherit (acl(5)).
 */
export async function openTarget(
  conversation: Conversation,
  calls: TreeCalls,
  path: Bytes,
  { confine, fresh, writable = true }: { confine: boolean; fresh: boolean; writable?: boolean },
): Promise<Target> {
  const { O_DIRECTORY } = calls.open;
  calls.reset();
  calls.about(`open ${path}`);
  calls.openat(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0, { result: ROOT });
  calls.fcntl(~ROOT, F_DUPFD_CLOEXEC, 0, { result: SPARE });
  if (writable) calls.umask(0);
  if (fresh) {
    calls.openat(~ROOT, '.', O_RDONLY | O_DIRECTORY, 0, { result: FILE });
    calls.fchown(~FILE, 0, 0);
    calls.fchmod(~FILE, 0o755);
    calls.fremovexattr(~FILE, 'system.posix_acl_default', { tolerate: NO_LIST });
    calls.close(~FILE);
  }
  if (confine) {
    calls.fchdir(~ROOT);
    calls.chroot('.');
  }
  const data = await conversation.ask(calls);
  return { root: slotOf(data, ROOT), spare: slotOf(data, SPARE) };
}
