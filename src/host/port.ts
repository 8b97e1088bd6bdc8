// The port: the only way in which the core touches the world. Each host (Node, Bun, QuickJS) implements it.
import type { Arch } from '../linux/abi/index.ts';
import type { Bytes } from '../linux/bytes.ts';

/** A value now, or a promise of one: hosts that block return values, hosts with an event loop promises. */
export type Awaitable<T> = T | Promise<T>;

/** What stat(2) says of a host path, links followed. */
export interface FileStat {
  readonly type: 'file' | 'directory' | 'character' | 'block' | 'fifo' | 'socket' | 'other';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Device number of a character or block device, as the kernel encodes it in 32 bits (makedev(3)). */
  readonly rdev: number;
  readonly dev: number;
  readonly ino: number;
}

/** One name in a directory of the host, links not followed (lstat(2)). */
export interface DirectoryEntry {
  readonly name: Bytes;
  readonly type: 'directory' | 'symlink' | 'file' | 'other';
  /** Permission bits, 0..07777. */
  readonly mode: number;
  readonly size: number;
  /** Whether the caller may read it, and search it where it is a directory (access(2)). */
  readonly readable: boolean;
  readonly target?: Bytes;
}

/** A launcher at the other end of a private descriptor. Batches go in, answers (frames with data) come out. */
export interface Channel {
  readonly pid: number;
  send(bytes: Uint8Array): Awaitable<void>;
  /**
   * The next frame and its data, raw; undefined when the launcher has gone.
   * `brief` says that the answer comes in microseconds to milliseconds, so that a host may block for it;
   * otherwise the host keeps handling signals and timers.
   */
  receive(brief: boolean): Awaitable<RawAnswer | undefined>;
  /** Ends the launcher (it sees the end of its channel) and reaps it. */
  close(): Awaitable<void>;
  /** Leaves the process to itself: it has become a program that lives on. A host may leave this out. */
  release?(): void;
  /** After `close`: what was written, where the channel was opened with `capture`; both empty otherwise. */
  captured(): Promise<{ readonly stdout: Bytes; readonly stderr: Bytes }>;
}

export interface RawAnswer {
  readonly frame: Uint8Array;
  readonly data: Uint8Array;
}

/** The terminal that a person sits at. */
export interface CallerTerminal {
  /** Rows and columns of characters. */
  size(): { readonly rows: number; readonly columns: number };
  /** Raw mode alone: somebody else reads it. The result puts everything back. A host may leave this out. */
  raw?(): () => void;
  /** Raw mode, and every byte of input to `handler`; the result puts everything back. */
  capture(handler: (bytes: Bytes) => void): () => void;
}

/** What a new launcher inherits. */
export interface ChannelOptions {
  /** Descriptors of the caller that become 0, 1 and 2; default: the caller's own. */
  readonly stdio?: readonly [number, number, number];
  /** Standard output and error are collected (and input is empty) instead of being the caller's. */
  readonly capture?: boolean;
  /** With `capture`: what is written goes here, piece by piece, and is not kept. */
  readonly output?: (stream: 1 | 2, bytes: Bytes) => void;
  /** Standard input is /dev/null. */
  readonly noInput?: boolean;
  /** So are standard output and error. A host that runs nothing in the background may leave this out. */
  readonly noOutput?: boolean;
  /** The caller has other work while the launcher plays: waiting for an answer that is not brief never blocks. */
  readonly concurrent?: boolean;
  /** So many descriptors of the caller, from 3 on, are passed as they are; the channel lies behind them. */
  readonly keep?: number;
}

/** The result of a host program that has ended. */
export interface Ended {
  readonly exitCode: number;
  readonly signal: number;
  readonly stdout: Bytes;
  readonly stderr: Bytes;
}

export interface SpawnOptions {
  readonly env: readonly Bytes[];
  readonly cwd?: Bytes;
  readonly stdin?: Bytes;
  /** Milliseconds after which the program is killed. */
  readonly timeout?: number;
}

export interface Port {
  readonly arch: Arch;
  readonly arguments: readonly Bytes[];
  /** `NAME=value` byte strings. */
  readonly environment: readonly Bytes[];
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** The working directory, absolute. */
  readonly cwd: Bytes;
  /** The absolute path of a helper program of the host in the system's own directories; undefined when it is not there. */
  findProgram(name: Bytes): Bytes | undefined;
  /** PID 1 for `--init`: the bytes of a static program. */
  initProgram(): Bytes;
  /** The monitor of a container that outlives its command: the bytes of a static program. A host may leave this out. */
  monitorProgram?(): Bytes;
  /** How caisson's command line is run again, by an absolute path and first arguments. A host may leave this out. */
  readonly ownCommand?: readonly Bytes[];

  openChannel(options?: ChannelOptions): Awaitable<Channel>;
  /** The content of a host file, at most `limit` bytes (default 16 MiB); undefined when there is none (ENOENT, ENOTDIR). */
  readFile(path: Bytes, limit?: number): Bytes | undefined;
  /** Standard input to its end, whatever it is: a socket cannot be opened again by a path. Throws Error beyond 16 MiB. */
  readInput(): Bytes;
  /** Standard input of any length, piece by piece. A host may leave this out. */
  readInputChunks?(): AsyncIterable<Uint8Array>;
  stat(path: Bytes): FileStat | undefined;
  /** Names in a host directory; empty when there is none. */
  list(path: Bytes): readonly Bytes[];
  /** What is in a host directory; undefined when it cannot be read. */
  entries(path: Bytes): readonly DirectoryEntry[] | undefined;
  /** Where a symbolic link of the host leads (readlink(2)); undefined for what is none. A host may leave this out. */
  readLink?(path: Bytes): Bytes | undefined;
  /** The content of a host file of any size, piece by piece. */
  readChunks(path: Bytes): AsyncIterable<Uint8Array>;
  /** Makes a host directory, its parents too, mode 0700; false when it was there already. */
  makeDirectory(path: Bytes): boolean;
  /** Writes a temporary file beside `path` and renames it over it: readers see the old or the new content. */
  replaceFile(path: Bytes, content: Bytes, mode?: number): void;
  /** The same, and on the disk when it returns. A host may leave this out. */
  replaceFileDurably?(path: Bytes, content: Bytes, mode?: number): void;
  /** Adds to the end of a file in one write(2), and makes it first where there is none. A host may leave this out. */
  appendFile?(path: Bytes, content: Bytes, mode: number): void;
  /** Removes a host file, or a directory of caisson's own with what is in it; nothing happens when there is none. */
  remove(path: Bytes): void;
  /** Runs a host program to its end; `program` is its path. */
  /** rmdir(2) of a host directory: whether it is gone. A host may leave this out. */
  removeEmpty?(path: Bytes): boolean;
  spawn(program: Bytes, args: readonly Bytes[], options: SpawnOptions): Awaitable<Ended>;
  /** Nanoseconds of CLOCK_MONOTONIC. */
  monotonic(): number;
  random(length: number): Uint8Array;
  write(fd: 1 | 2, bytes: Bytes): void;
  /** Whether a write has failed because nobody reads any more (EPIPE). A host may leave this out. */
  readerGone?(fd: 1 | 2): boolean;
  /** Copies a byte string into memory by the engine's own means, where it has any. */
  writeBytes?(target: Uint8Array, offset: number, bytes: Bytes): void;
  /** Calls `handler` for the signals of this process that are meant for a container; returns what ends that. */
  onSignals(signals: readonly number[], handler: (signal: number) => void): () => void;
  /** Calls `handler` once after so many milliseconds, unless the result is called before. */
  after(milliseconds: number, handler: () => void): () => void;
  /** The caller's terminal (descriptor 0), undefined when that is none. */
  readonly terminal: CallerTerminal | undefined;
  /** Set by who wants to know each step that a launcher is given to play: its actor and its title, one line each. */
  told?: (step: string) => void;
}
