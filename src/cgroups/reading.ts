// Reads a file inside a batch, for those who must not leave the launcher's view of the host.
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_RDONLY } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { type Call, type OutBuffer, outBuffer, type Slot, slot } from '../plan/call.ts';
import { AT_FDCWD, close, openat, read } from '../plan/syscalls.ts';

/** How to look at the answer to a batch (src/plan/encode.ts: slotValue, bufferBytes). */
export interface Replies {
  readonly value: (slot: Slot) => number;
  readonly bytes: (buffer: OutBuffer, length: number) => Bytes;
}

export interface Reading {
  readonly calls: readonly Call[];
  /** The content, undefined for a file that does not exist, or that cannot be read any more (ENODEV: cgroup gone). */
  readonly content: (replies: Replies) => Bytes | undefined;
}

/** The first `room` bytes of the file at `path`. */
export function reading(path: Bytes, room = 4096): Reading {
  const fd = slot(path);
  const length = slot(`length of ${path}`, { reply: true });
  const buffer = outBuffer(path, room);
  const gone = { tolerate: [ERRNO.EBADF] };
  return {
    calls: [
      openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0, { result: fd, tolerate: [ERRNO.ENOENT, ERRNO.ENODEV] }),
      read(fd, buffer, { result: length, tolerate: [ERRNO.EBADF, ERRNO.ENODEV] }),
      close(fd, gone),
    ],
    content: (replies) => {
      const bytes = replies.value(length);
      return bytes < 0 ? undefined : replies.bytes(buffer, bytes);
    },
  };
}
