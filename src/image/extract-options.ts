// What is asked of an extraction, and what it answers.
import type { Pointer } from '../spec/error.ts';

/**
 * What the names that stand for removed files mean (image-spec, layer.md, Whiteouts):
 * `plain` nothing, they are files like others; `overlay` they become overlayfs's own marks; `apply` what they name is
 * removed from the target.
 */
export type Whiteouts = 'plain' | 'overlay' | 'apply';

/** Extraction into a directory. */
export interface ExtractOptions {
  /** Where the archive came from: `/root/path`, `--rootfs-tar FILE`. */
  readonly cause: Pointer;
  /**
   * `keep` gives each file the owner that the archive names, of `ids` ids that exist (all, without a user namespace);
   * `squash` leaves everything to whoever unpacks.
   */
  readonly owners: { readonly kind: 'keep'; readonly ids?: number } | { readonly kind: 'squash' };
  /** Whether device nodes are made: only root of the first user namespace may (mknod(2)). */
  readonly devices: boolean;
  /** Default `plain`. */
  readonly whiteouts?: Whiteouts;
  /** Overlay's attributes are `user.overlay.*`, as in a user namespace, and not `trusted.overlay.*`. */
  readonly userxattr?: boolean;
  /** The target is a new, empty directory of our own: its owner and mode become root's and 0755, nothing is in the way. */
  readonly fresh?: boolean;
  /** What is in the way of a member that is no directory is removed, a directory with all that is in it. */
  readonly replace?: boolean;
  /** A directory is never replaced by another kind of file, nor the other way round: an error (docker cp). */
  readonly keepKinds?: boolean;
  /** Bytes that all files together may have, holes included; default 1 TiB. */
  readonly byteLimit?: number;
  /** Members, and directories that they imply; default 10 million. */
  readonly memberLimit?: number;
  /** Bytes of memory for names that must be remembered; default 64 MiB, 256 MiB where whiteouts are applied. */
  readonly nameLimit?: number;
}

/** What was unpacked, and what was left out. */
export interface ExtractSummary {
  members: number;
  bytes: number;
  /** Device nodes that were not made. */
  devices: number;
  /** Extended attributes that are not for an archive to set. */
  xattrs: number;
  /** Whiteouts and opaque directories. */
  whiteouts: number;
}
