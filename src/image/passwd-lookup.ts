// Reads /etc/passwd and /etc/group of a root, before the run, to look users up in them.
//
// They are the image's, and may be anything: a link to a file of the host, a FIFO that never answers, a device, a
// sparse file of 10 GiB (CVE-2024-9676, T35). So: resolved in the root, no link in the last component, looked at
// before it is opened, never waited for, a regular file or nothing, and a bound on its size.
import { openFlags } from '../linux/abi/index.ts';
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_NONBLOCK, O_PATH, O_RDONLY } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { type Call, type OutBuffer, outBuffer, type Slot, slot } from '../plan/call.ts';
import { IN_ROOT } from '../plan/compile/destination.ts';
import { type Step, step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import type { Pointer } from '../spec/error.ts';
import { regularFile } from './regular-file.ts';

/** A file has fewer bytes than this, a power of two; a larger one is refused (EFBIG). */
export const PASSWD_LIMIT = 1 << 20;

/** What is read without a second batch. */
export const PASSWD_ROOM = 16 << 10;

/** One file: where to find it in the answer. */
export interface LookedUp {
  readonly path: Bytes;
  /** The descriptor, or the negative errno (-ENOENT, -ELOOP: it is a link) when there is nothing to read. */
  readonly opened: Slot;
  /** Bytes in `content`, or negative when there is nothing to read. */
  readonly length: Slot;
  /** Bytes that the file has: read again with more room when `length` is less. */
  readonly size: Slot;
  readonly content: OutBuffer;
}

export interface PasswdLookup {
  readonly steps: readonly Step[];
  readonly passwd: LookedUp;
  readonly group: LookedUp;
}

const { O_DIRECTORY, O_NOFOLLOW } = openFlags('x86_64');
const ABSENT = [ERRNO.ENOENT, ERRNO.ELOOP, ERRNO.ENOTDIR, ERRNO.EACCES];
const UNOPENED = { tolerate: [ERRNO.EBADF] };

/**
 * Parent steps that read both files of the root directory `rootDir`, a host path. They fail with EINVAL where one is
 * not a regular file, and with EFBIG where it has PASSWD_LIMIT bytes or more.
 */
export function passwdLookup(rootDir: Bytes, cause: Pointer, room = PASSWD_ROOM): PasswdLookup {
  const root = slot('lookup_root');
  const [passwd, group] = [lookUp('etc/passwd', room), lookUp('etc/group', room)];
  const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  return {
    steps: [
      step('parent', 'lookup-root', `open the root ${rootDir}`, cause, [
        sys.openat(sys.AT_FDCWD, rootDir, flags, 0, { result: root }),
      ]),
      step('parent', 'lookup', 'read /etc/passwd of the root', cause, readCalls(root, passwd)),
      step('parent', 'lookup', 'read /etc/group of the root', cause, [
        ...readCalls(root, group),
        sys.close(root),
      ]),
    ],
    passwd,
    group,
  };
}

/** The same for /etc/passwd alone, which is all that a home directory needs. */
export function homeLookup(
  rootDir: Bytes,
  cause: Pointer,
  room = PASSWD_ROOM,
): { readonly steps: readonly Step[]; readonly passwd: LookedUp } {
  const root = slot('lookup_root');
  const passwd = lookUp('etc/passwd', room);
  const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  const calls = [
    sys.openat(sys.AT_FDCWD, rootDir, flags, 0, { result: root }),
    ...readCalls(root, passwd),
    sys.close(root),
  ];
  return { steps: [step('parent', 'lookup', `read /etc/passwd of ${rootDir}`, cause, calls)], passwd };
}

function lookUp(path: Bytes, room: number): LookedUp {
  return {
    path,
    opened: slot(path, { reply: true }),
    length: slot(`${path}_length`, { reply: true }),
    size: slot(`${path}_size`, { reply: true }),
    content: outBuffer(path, Math.min(room, PASSWD_LIMIT)),
  };
}

function readCalls(root: Slot, { path, opened, length, size, content }: LookedUp): Call[] {
  const there = slot(`${path}_there`);
  const flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
  const regular = regularFile(opened);
  return [
    // Opening a device may do something, so it is looked at first; O_PATH does not open it.
    sys.openat2(root, path, O_PATH | O_CLOEXEC, IN_ROOT, { result: there, tolerate: ABSENT }),
    ...regularFile(there).calls,
    sys.close(there, UNOPENED),
    sys.openat2(root, path, flags, IN_ROOT, { result: opened, tolerate: ABSENT }),
    ...regular.calls,
    sys.check(regular.size, 'EQ', 0, ERRNO.EFBIG, { result: size, mask: -BigInt(PASSWD_LIMIT) }),
    sys.read(opened, content, { result: length, tolerate: [ERRNO.EBADF] }),
    sys.close(opened, UNOPENED),
  ];
}
