// What the store needs of the kernel that node:fs does not have: locks, syncfs(2), and work inside layer trees.
import type { Bytes } from '../../linux/bytes.ts';

export type LockKind = 'shared' | 'exclusive';

/** A lock that is held until it is released, or until this program ends, however it ends. */
export interface StoreLock {
  /**
   * Makes it shared or exclusive. flock(2) may let it go in between, and others may have changed things. False when
   * others held it all of `patience` milliseconds: it is then held no more.
   */
  convert(kind: LockKind, patience: number): Promise<boolean>;
  release(): Promise<void>;
}

export interface LockOptions {
  /** Milliseconds to wait for others; default: for ever. */
  readonly patience?: number;
  /** Called once when there is something to wait for. */
  readonly waiting?: () => void;
}

export interface StoreKernel {
  /** Locks the file `path`, which is made where it is not there; undefined when others held it all the time. */
  lock(path: Bytes, kind: LockKind, options?: LockOptions): Promise<StoreLock | undefined>;
  /** Throws CaissonError `ELAUNCHER` when the locks are no longer held, because their holder was killed. */
  check(): Promise<void>;
  /** Makes a directory that everybody may enter, mode 0755 whatever the umask: the root of a layer. */
  makeTree(path: Bytes): Promise<void>;
  /**
   * Gives the directory `from` the name `to`, which is not there yet, and leaves a symbolic link to it in its place: at
   * no moment is nothing at `from`. `link` is the link's text. Throws CaissonError `ESYSCALL`, EXDEV for another file
   * system.
   */
  moveTree(from: Bytes, to: Bytes, link: Bytes): Promise<void>;
  /** syncfs(2) of the file system that `directory` is on. Throws CaissonError `ESYSCALL` when something was not written. */
  syncFileSystem(directory: Bytes): Promise<void>;
  /**
   * Removes a directory with everything in it, whatever it holds: names that are not text, paths longer than the
   * kernel takes, modes that lock us out, files of subordinate users.
   */
  removeTree(path: Bytes): Promise<void>;
  /** Releases all locks. */
  close(): Promise<void>;
}
