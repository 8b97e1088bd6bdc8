// The parts of QuickJS's own modules `std` and `os` (2025-04-26) that its host uses; a program hands them in.
//
// Results below zero are negative errnos. Text goes to the kernel as UTF-8.

/** A stdio stream; here always one end of a popen(3). */
export interface StdFile {
  fileno(): number;
  /** pclose(3): waits for the program. */
  close(): number;
}

/** `import * as std from 'std'`. */
export interface Std {
  popen(command: string, mode: 'r' | 'w'): StdFile | null;
  exit(code: number): never;
}

/** struct stat of stat(2), numbers as glibc has them. */
export interface OsStat {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly rdev: number;
  readonly dev: number;
  readonly ino: number;
}

export interface ExecOptions {
  readonly block: boolean;
  readonly usePath: boolean;
  readonly file: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: number;
  readonly stdout: number;
  readonly stderr: number;
}

declare const timer: unique symbol;

/** What os.setTimeout returns. */
export interface OsTimer {
  readonly [timer]: true;
}

/** `import * as os from 'os'`. */
export interface Os {
  readonly WNOHANG: number;
  open(path: string, flags: number, mode?: number): number;
  close(fd: number): number;
  read(fd: number, buffer: ArrayBufferLike, offset: number, length: number): number;
  write(fd: number, buffer: ArrayBufferLike, offset: number, length: number): number;
  dup(fd: number): number;
  dup2(from: number, to: number): number;
  pipe(): [number, number] | null;
  stat(path: string): [OsStat | null, number];
  lstat(path: string): [OsStat | null, number];
  readdir(path: string): [string[], number];
  readlink(path: string): [string, number];
  mkdir(path: string, mode: number): number;
  rename(from: string, to: string): number;
  remove(path: string): number;
  getpid(): number;
  /** Milliseconds of CLOCK_MONOTONIC, with fractions. */
  now(): number;
  exec(args: readonly string[], options: ExecOptions): number;
  waitpid(pid: number, options: number): [number, number];
  kill(pid: number, signal: number): number;
  /** `null` puts the default back. The handler is called by the loop, never in the middle of other code. */
  signal(signal: number, handler: (() => void) | null): void;
  setReadHandler(fd: number, handler: (() => void) | null): void;
  setWriteHandler(fd: number, handler: (() => void) | null): void;
  setTimeout(handler: () => void, milliseconds: number): OsTimer;
  clearTimeout(timer: OsTimer): void;
}
