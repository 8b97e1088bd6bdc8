// System calls and posix_spawn(3) of the Bun host, by way of the C library.
//
// One foreign function, syscall(2), serves for all calls: each function that is looked up costs a start 25 us, and
// `node:fs` 0.9 ms (measured), which a start therefore does without.
import { dlopen, ptr, read } from 'bun:ffi';
import { type SyscallName, syscallNumber } from '../linux/abi/index.ts';
import type { Bytes } from '../linux/bytes.ts';
import { ERRNO, errnoName, errnoText } from '../linux/errno.ts';

const { symbols: libc } = dlopen('libc.so.6', {
  syscall: { args: ['i64', 'ptr', 'ptr', 'ptr', 'ptr', 'ptr', 'ptr'], returns: 'i64_fast' },
  __errno_location: { args: [], returns: 'ptr' },
  posix_spawn: { args: ['ptr', 'ptr', 'ptr', 'ptr', 'ptr', 'ptr'], returns: 'i32' },
  posix_spawn_file_actions_init: { args: ['ptr'], returns: 'i32' },
  posix_spawn_file_actions_adddup2: { args: ['ptr', 'i32', 'i32'], returns: 'i32' },
  posix_spawn_file_actions_destroy: { args: ['ptr'], returns: 'i32' },
});

/** The architecture of this process. */
export const ARCH = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

/** An integer, or memory of the caller. */
type Argument = number | Uint8Array | Int32Array | null;

/** The result of a system call, -1 when it failed. */
export function syscall(
  name: SyscallName,
  a: Argument = 0,
  b: Argument = 0,
  c: Argument = 0,
  d: Argument = 0,
  e: Argument = 0,
  f: Argument = 0,
): number {
  return Number(libc.syscall(syscallNumber(ARCH, name), a, b, c, d, e, f));
}

/**
 * The errno of the call that has just failed. The engine may have made calls of its own since (futex(2)), so that
 * only an errno which those never have (ENOENT, EEXIST) is worth believing.
 */
export function errno(): number {
  return read.i32(Number(libc.__errno_location()), 0);
}

// Methods of Buffer on plain arrays: making the first Buffer takes Bun 0.2 ms (measured).
const { latin1Slice, latin1Write } = Buffer.prototype;

/** A byte string in memory. */
export function memoryOf(bytes: Bytes): Uint8Array {
  const memory = new Uint8Array(bytes.length);
  latin1Write.call(memory, bytes, 0, bytes.length);
  return memory;
}

/** A NUL-terminated string in memory. */
export function cstring(bytes: Bytes): Uint8Array {
  const memory = new Uint8Array(bytes.length + 1);
  latin1Write.call(memory, bytes, 0, bytes.length);
  return memory;
}

/** Copies a byte string into `target` (src/linux/bytes.ts: writeBytes). */
export function writeBytes(target: Uint8Array, offset: number, bytes: Bytes): void {
  latin1Write.call(target, bytes, offset, bytes.length);
}

/** The byte string of `memory[start..end)`. */
export function bytesOf(memory: Uint8Array, start: number, end: number): Bytes {
  return latin1Slice.call(memory, start, end);
}

/** A failed call as node:fs words it, with `code`. */
export function osError(number: number, name: string, what: Bytes): Error {
  const code = errnoName(number);
  return Object.assign(new Error(`${code}: ${errnoText(number)}, ${name} '${what}'`), { code });
}

/** sizeof(posix_spawn_file_actions_t) in glibc is 80. */
const FILE_ACTIONS_SIZE = 128;
/** Descriptors are first moved above every target, so that no dup2 overwrites the source of a later one. */
const SAFE = 16;
const F_DUPFD_CLOEXEC = 1030;

/**
 * Executes `path` without arguments and environment, with these descriptors as 0, 1, ...; the process id.
 * Throws Error when it fails.
 */
export function spawnWith(
  path: Bytes,
  words: readonly [Bytes, ...Bytes[]],
  descriptors: readonly number[],
): number {
  const actions = new Uint8Array(FILE_ACTIONS_SIZE);
  libc.posix_spawn_file_actions_init(actions);
  const moved = descriptors.map((fd, target) =>
    fd === target ? fd : syscall('fcntl', fd, F_DUPFD_CLOEXEC, SAFE),
  );
  // fcntl(2): EINVAL where the limit of descriptors is not above SAFE.
  if (moved.some((fd) => fd < 0)) throw osError(ERRNO.EMFILE, 'start', words[0] ?? '');
  moved.forEach((fd, target) => {
    libc.posix_spawn_file_actions_adddup2(actions, fd, target);
  });
  const strings = words.map(cstring);
  const argv = new BigUint64Array([...strings.map((string) => BigInt(ptr(string))), 0n]);
  const pid = new Int32Array(1);
  const failed = Number(libc.posix_spawn(pid, cstring(path), actions, null, argv, new BigUint64Array(1)));
  libc.posix_spawn_file_actions_destroy(actions);
  moved.forEach((fd, target) => {
    if (fd !== target) syscall('close', fd);
  });
  if (failed !== 0) throw osError(failed, 'start', words[0] ?? '');
  return pid[0] ?? -1;
}
