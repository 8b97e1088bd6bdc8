// The engine's own files on the host: streams in and out, and the order in which they become durable.
//
// The port (port.ts) has what every command needs and what QuickJS can do, in one piece and without fsync. A store of
// images needs more: files larger than memory, fsync of files and directories, renames at the right moment. Paths are
// byte strings, absolute, of directories that caisson made; nothing inside of a container's root is ever opened here.
import type { Bytes } from '../linux/bytes.ts';

/** A file that is open. */
export interface DiskFile {
  /** Bytes that the file has now. */
  size(): number;
  /** Reads at `position` into the beginning of `into`; how many bytes, 0 at the end. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes all of it at `position`. Returns when the kernel has it, not when the disk has. */
  write(bytes: Uint8Array, position: number): void;
  /** ftruncate(2). */
  truncate(size: number): void;
  /** fsync(2): content and size are on the disk. The name of a new file is not: Disk.syncDirectory. */
  sync(): Promise<void>;
  close(): void;
}

/** What lstat(2) says. */
export interface DiskStat {
  readonly type: 'file' | 'directory' | 'other';
  readonly mode: number;
  readonly uid: number;
  readonly size: number;
  readonly ino: number;
  /** Bytes that are allocated: less than `size` where there are holes. */
  readonly allocated: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

/** One name in a directory. */
export interface DiskName {
  readonly name: Bytes;
  readonly type: DiskStat['type'];
}

/** Space of a file system, in bytes. */
export interface DiskSpace {
  readonly size: number;
  /** What this user may still write. */
  readonly available: number;
}

/**
 * Every function throws CaissonError `EDISK` with the errno, the system call and the path, where nothing else is said.
 * No last component of a path is followed when it is a symbolic link.
 */
export interface Disk {
  /** Opens a file for reading; undefined when there is none. */
  open(path: Bytes): DiskFile | undefined;
  /** Opens a file for reading and writing, and makes it where there is none. */
  update(path: Bytes, mode: number): DiskFile;
  /** Makes a new file and opens it. EEXIST where there is one. */
  create(path: Bytes, mode: number): DiskFile;
  /** The content of a small file; undefined when there is none. EFBIG for more than `limit` bytes. */
  readFile(path: Bytes, limit: number): Uint8Array | undefined;
  /** undefined when there is nothing. */
  stat(path: Bytes): DiskStat | undefined;
  /** Names in a directory, in no order; undefined when there is none. */
  list(path: Bytes): readonly DiskName[] | undefined;
  /** mkdir(2); false when there is one already. */
  makeDirectory(path: Bytes, mode: number): boolean;
  /** rename(2): replaces a file that has the name. */
  rename(from: Bytes, to: Bytes): void;
  /** unlink(2); false when there is nothing. */
  remove(path: Bytes): boolean;
  /** rmdir(2); false when there is nothing. */
  removeDirectory(path: Bytes): boolean;
  /** fsync(2) of a directory: the names in it are on the disk. */
  syncDirectory(path: Bytes): Promise<void>;
  /** statfs(2). */
  space(path: Bytes): DiskSpace;
}
