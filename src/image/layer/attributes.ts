// Owner, mode, times and extended attributes of what is unpacked, in the one order that keeps them.
import type { Bytes } from '../../linux/bytes.ts';
import { ERRNO } from '../../linux/errno.ts';
import type { ExtractOptions, ExtractSummary } from '../extract-options.ts';
import { refused } from '../member-path.ts';
import type { TarEntry } from '../tar.ts';
import { type Place, tolerating } from './batch-writer.ts';
import type { TreeCalls } from './tree-calls.ts';

const SPECIAL_BITS = 0o7000;

/**
 * Attributes that a root is unpacked with: the user's own, access lists, and file capabilities. Others belong to this
 * host: labels and signatures (security.*), overlay's own (trusted.overlay.*, user.overlay.*), which would redirect
 * lookups.
 */
export function isPortable(name: Bytes): boolean {
  if (name.startsWith('user.')) return !name.startsWith('user.overlay.');
  return name === 'security.capability' || name.startsWith('system.posix_acl_');
}

/** How attributes are set with these options. */
export class Attributes {
  private readonly options: ExtractOptions;
  private readonly summary: ExtractSummary;
  private readonly tolerated: number;

  constructor(options: ExtractOptions, summary: ExtractSummary) {
    this.options = options;
    this.summary = summary;
    // A file system without them (tmpfs before 6.6), and a user who may not give capabilities away.
    const squash = options.owners.kind === 'squash';
    this.tolerated = squash ? tolerating(ERRNO.EOPNOTSUPP, ERRNO.EPERM) : tolerating(ERRNO.EOPNOTSUPP);
  }

  /** Throws CaissonError EARCHIVE for an owner who does not exist in the user namespace. */
  checkOwner(entry: TarEntry): void {
    const { owners } = this.options;
    if (owners.kind !== 'keep' || owners.ids === undefined) return;
    if (entry.uid < owners.ids && entry.gid < owners.ids) return;
    throw refused(
      entry.path,
      `belongs to ${entry.uid}:${entry.gid}, and ${owners.ids} ids are mapped here: add subordinate ids (/etc/subuid, /etc/subgid)`,
    );
  }

  /** The mode to make a file with, where that is all: nothing is to be changed afterwards but its time. */
  modeAtOnce(entry: TarEntry): number | undefined {
    const plain = (entry.mode & SPECIAL_BITS) === 0 && entry.xattrs.size === 0;
    return plain && this.isOwnedAlready(entry) ? entry.mode : undefined;
  }

  /** What is made in a directory of our own belongs to root, who makes it. */
  private isOwnedAlready({ uid, gid }: TarEntry): boolean {
    const { owners, fresh } = this.options;
    return owners.kind === 'squash' || (fresh === true && uid === 0 && gid === 0);
  }

  /** Owner first, because a change of it takes set-user-ID and file capabilities away (chown(2)); times last. */
  ofFile(calls: TreeCalls, file: Place, entry: TarEntry, gone?: number): void {
    const allowance = gone === undefined ? {} : { tolerate: tolerating(gone) };
    if (!this.isOwnedAlready(entry)) calls.fchown(file, entry.uid, entry.gid, allowance);
    for (const [name, content] of entry.xattrs) {
      if (isPortable(name))
        calls.fsetxattr(file, name, content, { tolerate: this.tolerated | ((gone ?? 0) << 16) });
      else this.summary.xattrs++;
    }
    calls.fchmod(file, entry.mode, allowance);
    calls.utimensat(file, null, entry.mtime, allowance);
  }

  /** Of what cannot be opened without side effects: set by name, never through a link. */
  ofNode(calls: TreeCalls, parent: Place, name: Bytes, entry: TarEntry): void {
    this.summary.xattrs += entry.xattrs.size;
    if (!this.isOwnedAlready(entry)) calls.fchownat(parent, name, entry.uid, entry.gid);
    calls.utimensat(parent, name, entry.mtime);
  }
}
