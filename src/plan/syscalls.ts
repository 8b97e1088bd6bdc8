// Typed constructors of the system calls that plans are made of, one per call, in the order of their man pages.
import type { Bytes } from '../linux/bytes.ts';
import * as F from '../linux/flags.ts';
import {
  type Call,
  type CallOptions,
  call,
  type Memory,
  NULL,
  number,
  type OutBuffer,
  plain,
  pointer,
  type Slot,
  string,
  struct,
  value,
} from './call.ts';
import { descriptor, type Fd } from './descriptor.ts';

const fd = descriptor;
const NO_MODE = number(0, 'oct');
const out = (buffer: OutBuffer, length: 'fixed' | number) => pointer({ kind: 'out', buffer }, length);
const fixed = (memory: Memory) => pointer(memory, 'fixed');

/** Bytes with their length in the following argument. */
function counted(bytes: Bytes | Uint8Array, lengthAt: number, secret = false) {
  return [pointer({ kind: 'buffer', bytes, secret }, lengthAt), number(bytes.length)] as const;
}

// Files: open(2), openat2(2), read(2), write(2), close(2), fcntl(2)

export const openat = (dir: Fd, path: Bytes | Memory, flags: number, mode = 0, options?: CallOptions): Call =>
  (typeof path === 'string' ? plain : call)(
    'openat',
    [
      fd(dir),
      typeof path === 'string' ? string(path) : pointer(path, 'terminated'),
      number(flags, F.OPEN_FLAGS),
      mode === 0 ? NO_MODE : number(mode, 'oct'),
    ],
    options,
  );

/** struct open_how (openat2(2)). A plan asks in a few ways only: equal ones are one structure. */
function openHow(flags: number, mode: number, resolve: number): Memory {
  for (const known of OPEN_HOWS) {
    if (known.flags === flags && known.mode === mode && known.resolve === resolve) return known.memory;
  }
  const memory = struct(
    { name: 'flags', width: 8, value: flags, format: F.OPEN_FLAGS },
    { name: 'mode', width: 8, value: mode, format: 'oct' },
    { name: 'resolve', width: 8, value: resolve, format: F.RESOLVE_FLAGS },
  );
  if (OPEN_HOWS.length < 16) OPEN_HOWS.push({ flags, mode, resolve, memory });
  return memory;
}

const OPEN_HOWS: { flags: number; mode: number; resolve: number; memory: Memory }[] = [];

/** openat2(2); RETRY because RESOLVE_IN_ROOT answers EAGAIN when a rename races with it. */
export const openat2 = (
  dir: Fd,
  path: Bytes,
  flags: number,
  resolve: number,
  options?: CallOptions,
  mode = 0,
): Call =>
  plain('openat2', [fd(dir), string(path), pointer(openHow(flags, mode, resolve), 3), number(24)], {
    ...options,
    retry: true,
  });

export const close = (from: Fd, options?: CallOptions): Call => plain('close', [fd(from)], options);

export const closeRange = (first: number, last: number, flags: number, options?: CallOptions): Call =>
  call('close_range', [number(first), number(last), number(flags, F.CLOSE_RANGE_FLAGS)], options);

export const write = (
  to: Fd,
  bytes: Bytes | Uint8Array,
  options?: CallOptions & { secret?: boolean },
): Call => call('write', [fd(to), ...counted(bytes, 2, options?.secret)], options);

/** Writes text whose length an earlier DEC gave. */
export const writeDecimal = (to: Fd, memory: Memory, length: Slot, options?: CallOptions): Call =>
  call('write', [fd(to), pointer(memory, 2), value(length)], options);

export const read = (from: Fd, buffer: OutBuffer, options?: CallOptions): Call =>
  call('read', [fd(from), out(buffer, 2), number(buffer.length)], options);

/** sendfile(2) from and to the current offsets; at most `length` bytes. */
export const sendfile = (to: Fd, from: Fd, length: number, options?: CallOptions): Call =>
  call('sendfile', [fd(to), fd(from), NULL, number(length)], options);

export const lseek = (file: Fd, offset: number, whence: number, options?: CallOptions): Call =>
  call('lseek', [fd(file), number(offset), number(whence)], options);

export const ftruncate = (file: Fd, length: number, options?: CallOptions): Call =>
  call('ftruncate', [fd(file), number(length)], options);

export const dup3 = (from: Fd, to: number, flags: number, options?: CallOptions): Call =>
  call('dup3', [fd(from), number(to), number(flags, F.FD_FLAGS)], options);

export const fcntl = (from: Fd, command: number, argument: number, options?: CallOptions): Call =>
  call('fcntl', [fd(from), number(command, F.FCNTL_COMMANDS), number(argument)], options);

export const ioctl = (from: Fd, command: number, argument: number | Memory, options?: CallOptions): Call =>
  call(
    'ioctl',
    [
      fd(from),
      number(command, F.IOCTL_COMMANDS),
      typeof argument === 'number' ? number(argument) : pointer(argument, 'fixed'),
    ],
    options,
  );

/** pipe2(2): the two ends land as 32-bit numbers in `ends`. */
export const pipe2 = (readEnd: Slot, writeEnd: Slot, flags: number): Call =>
  call('pipe2', [
    fixed(struct({ name: 'read', width: 4, value: readEnd }, { name: 'write', width: 4, value: writeEnd })),
    number(flags, F.FD_FLAGS),
  ]);

// Directories and nodes: mkdir(2), mknod(2), symlink(2), unlink(2), chmod(2), chown(2)

export const mkdirat = (dir: Fd, path: Bytes, mode: number, options?: CallOptions): Call =>
  plain('mkdirat', [fd(dir), string(path), number(mode, F.PERMISSIONS)], options);

export const mknodat = (dir: Fd, path: Bytes, mode: number, device = 0, options?: CallOptions): Call =>
  plain('mknodat', [fd(dir), string(path), number(mode, F.MODE), number(device, 'hex')], options);

export const symlinkat = (target: Bytes, dir: Fd, path: Bytes, options?: CallOptions): Call =>
  plain('symlinkat', [string(target), fd(dir), string(path)], options);

export const linkat = (
  fromDir: Fd,
  from: Bytes,
  dir: Fd,
  path: Bytes,
  flags: number,
  options?: CallOptions,
): Call =>
  plain('linkat', [fd(fromDir), string(from), fd(dir), string(path), number(flags, F.AT_FLAGS)], options);

export const unlinkat = (dir: Fd, path: Bytes, flags: number, options?: CallOptions): Call =>
  plain('unlinkat', [fd(dir), string(path), number(flags, F.AT_FLAGS)], options);

export const fchmodat = (dir: Fd, path: Bytes, mode: number, options?: CallOptions): Call =>
  plain('fchmodat', [fd(dir), string(path), number(mode, F.PERMISSIONS)], options);

export const fchownat = (
  dir: Fd,
  path: Bytes,
  uid: number,
  gid: number,
  flags: number,
  options?: CallOptions,
): Call =>
  plain('fchownat', [fd(dir), string(path), number(uid), number(gid), number(flags, F.AT_FLAGS)], options);

export const fchmod = (file: Fd, mode: number, options?: CallOptions): Call =>
  call('fchmod', [fd(file), number(mode, 'oct')], options);

export const fchown = (file: Fd, uid: number, gid: number, options?: CallOptions): Call =>
  call('fchown', [fd(file), number(uid), number(gid)], options);

/** A point in time as struct timespec has it: nanoseconds 0..999999999, or UTIME_NOW, UTIME_OMIT. */
export interface Timespec {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** utimensat(2); without a path the times are those of the descriptor `dir` itself. */
export const utimensat = (
  dir: Fd,
  path: Bytes | null,
  access: Timespec,
  modification: Timespec,
  flags: number,
  options?: CallOptions,
): Call =>
  call(
    'utimensat',
    [
      fd(dir),
      path === null ? NULL : string(path),
      fixed(
        struct(
          { name: 'atime.tv_sec', width: 8, value: access.seconds },
          { name: 'atime.tv_nsec', width: 8, value: access.nanoseconds },
          { name: 'mtime.tv_sec', width: 8, value: modification.seconds },
          { name: 'mtime.tv_nsec', width: 8, value: modification.nanoseconds },
        ),
      ),
      number(flags, F.AT_FLAGS),
    ],
    options,
  );

export const fsetxattr = (file: Fd, name: Bytes, content: Bytes, options?: CallOptions): Call =>
  call('fsetxattr', [fd(file), string(name), ...counted(content, 3), number(0)], options);

/** statx(2) into a structure whose fields are slots, so that CHECK can look at them. */
export const statxFields = (
  dir: Fd,
  path: Bytes,
  flags: number,
  mask: number,
  fields: Memory,
  options?: CallOptions,
): Call =>
  call(
    'statx',
    [fd(dir), string(path), number(flags, F.AT_FLAGS), number(mask, 'hex'), fixed(fields)],
    options,
  );

export const statx = (
  dir: Fd,
  path: Bytes,
  flags: number,
  mask: number,
  buffer: OutBuffer,
  options?: CallOptions,
): Call =>
  call(
    'statx',
    [fd(dir), string(path), number(flags, F.STATX_FLAGS), number(mask, F.STATX_MASK), out(buffer, 'fixed')],
    options,
  );

export const fchdir = (dir: Fd): Call => plain('fchdir', [fd(dir)]);

export const chdir = (path: Bytes, options?: CallOptions): Call => plain('chdir', [string(path)], options);

export const chroot = (path: Bytes, options?: CallOptions): Call => call('chroot', [string(path)], options);

export const getcwd = (buffer: OutBuffer, options?: CallOptions): Call =>
  call('getcwd', [out(buffer, 1), number(buffer.length)], options);

export const umask = (mask: number): Call => plain('umask', [number(mask, 'oct')]);

// Processes and namespaces: clone3(2), unshare(2), setns(2), execve(2), waitid(2), pidfd_open(2)

/** An int of its own, for the kernel to put a descriptor in. */
const cell = (from: Slot): Memory => struct({ name: from.name, width: 4, value: from });

/** struct clone_args (88 bytes, clone(2)). */
export interface CloneArguments {
  readonly flags: number | bigint;
  /** Where the kernel stores the pidfd: a slot of 4 bytes. */
  readonly pidfd: Slot;
  readonly cgroup?: Fd;
}

/** The pseudo-operation FORK: clone3(2), after which the child plays the child's part of the plan. */
export const fork = (clone: CloneArguments, options: CallOptions): Call =>
  call(
    'FORK',
    [
      pointer(
        struct(
          { name: 'flags', width: 8, value: clone.flags, format: F.CLONE_FLAGS },
          { name: 'pidfd', width: 8, value: cell(clone.pidfd) },
          { name: 'child_tid', width: 8, value: 0 },
          { name: 'parent_tid', width: 8, value: 0 },
          { name: 'exit_signal', width: 8, value: 17, format: F.SIGNALS },
          { name: 'stack', width: 8, value: 0 },
          { name: 'stack_size', width: 8, value: 0 },
          { name: 'tls', width: 8, value: 0 },
          { name: 'set_tid', width: 8, value: 0 },
          { name: 'set_tid_size', width: 8, value: 0 },
          { name: 'cgroup', width: 8, value: clone.cgroup ?? 0 },
        ),
        1,
      ),
      number(88),
      number(0),
    ],
    options,
  );

export const unshare = (flags: number, options?: CallOptions): Call =>
  call('unshare', [number(flags, F.NAMESPACE_FLAGS)], options);

export const setns = (from: Fd, flags: number, options?: CallOptions): Call =>
  call('setns', [fd(from), number(flags, F.NAMESPACE_FLAGS)], options);

export const execve = (path: Bytes, args: readonly Bytes[], env: Memory, options?: CallOptions): Call =>
  call(
    'execve',
    [
      string(path),
      fixed({ kind: 'pointers', items: args.map((bytes) => ({ kind: 'string', bytes })) }),
      fixed(env),
    ],
    options,
  );

export const exitGroup = (code: number): Call => call('exit_group', [number(code)]);

export const prctl = (operation: number, argument: number | Memory = 0, options?: CallOptions): Call =>
  call(
    'prctl',
    [
      number(operation, F.PRCTL_OPERATIONS),
      typeof argument === 'number' ? number(argument) : pointer(argument, 'terminated'),
      number(0),
      number(0),
      number(0),
    ],
    options,
  );

export { number, string, value } from './call.ts';
export { AT_FDCWD, type Fd } from './descriptor.ts';
export * from './mount-calls.ts';
export * from './operations.ts';
