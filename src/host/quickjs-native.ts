// What quickjs/engine.c hands to TypeScript: system calls, spawn, byte strings.
import { type Arch, type SyscallName, syscallNumbers } from '../linux/abi/index.ts';
import type { Bytes } from '../linux/bytes.ts';
import { ERRNO, errnoName, errnoText } from '../linux/errno.ts';

/** Memory that the kernel reads or writes, by its address. */
export type Memory = Uint8Array | Int32Array | ArrayBuffer;

/** A number as it is; the address of a byte string (NUL-terminated; the kernel must not write there) or of memory. */
export type Argument = number | Bytes | Memory | null;

interface Native {
  readonly arch: Arch;
  /** The programs that an executable carries: the launcher, PID 1, and the monitor where containers may stay. */
  readonly programs: readonly Bytes[];
  /** Room for what is read and taken out at once: 64 KiB that cost nothing until they are used. */
  readonly room: ArrayBuffer;
  syscall(number: number, ...args: Argument[]): number;
  /** Bytes `start..end` of the buffer. Throws RangeError outside. */
  string(buffer: Memory, start: number, end: number): Bytes;
  /** Writes the bytes of `text` at `offset`. Throws RangeError outside. */
  copy(buffer: Memory, offset: number, text: Bytes): void;
  /** 0: the arguments; 1: the environment; 2: the name that it was called by, then the arguments. */
  words(which: 0 | 1 | 2): Bytes[];
  /** execve(2): the negative errno where it fails. */
  execute(path: Bytes, argv: readonly Bytes[], environment: readonly Bytes[]): number;
  /** Takes so many blocks of 64 bytes into the eight words of a running SHA-256 (FIPS 180-4). */
  blocks(state: Uint32Array, bytes: Uint8Array, count: number): void;
  /**
   * Executes a path or a descriptor with `descriptors` as its 0, 1, ... (-1: closed) and an empty signal mask.
   * The process id, or the negative errno of whatever failed.
   */
  spawn(
    program: Bytes | number,
    argv: readonly Bytes[],
    environment: readonly Bytes[],
    descriptors: readonly number[],
    directory: Bytes | null,
  ): number;
}

declare global {
  var native: Native;
}

/** The engine's functions and programs. */
export const engine: Native = native;

const [launcher = '', init = '', monitor] = engine.programs;

/** What the executable carries; without the monitor it has no containers that stay. */
export const carried = { launcher, init, monitor };

const NUMBERS = syscallNumbers(engine.arch);
const { syscall: enter } = engine;
const { EINTR } = ERRNO;

/** One system call: its result, or the negative errno. Not `...args`, which would make an array of each call. */
export function call(
  name: SyscallName,
  a: Argument = 0,
  b: Argument = 0,
  c: Argument = 0,
  d: Argument = 0,
  e: Argument = 0,
  f: Argument = 0,
): number {
  const number = NUMBERS[name];
  if (number === undefined) throw new RangeError(`${engine.arch} has no system call named ${name}`);
  return enter(number, a, b, c, d, e, f);
}

/** The same, again as long as it is interrupted. */
export function callAgain(
  name: SyscallName,
  a: Argument = 0,
  b: Argument = 0,
  c: Argument = 0,
  d: Argument = 0,
  e: Argument = 0,
): number {
  for (;;) {
    const result = call(name, a, b, c, d, e);
    if (result !== -EINTR) return result;
  }
}

/** A failed call as node:fs words it, with `code`. */
export function osError(negative: number, name: string, what: Bytes): Error {
  const code = errnoName(-negative);
  return Object.assign(new Error(`${code}: ${errnoText(-negative)}, ${name} '${what}'`), { code });
}

/** `path` as the kernel takes it. Throws Error where a NUL would cut it short. */
export function pathOf(path: Bytes): Bytes {
  if (path.includes('\0')) throw osError(-ERRNO.EINVAL, 'path', path);
  return path;
}
