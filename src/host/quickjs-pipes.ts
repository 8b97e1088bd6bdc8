// Pipes of the QuickJS host, filled and emptied by its loop.
import type { Bytes } from '../linux/bytes.ts';
import { AT_FDCWD, F_SETFL, O_CLOEXEC, O_NONBLOCK, O_RDWR, O_WRONLY } from '../linux/constants/open.ts';
import { POLLIN, POLLOUT } from '../linux/constants/poll.ts';
import { ERRNO } from '../linux/errno.ts';
import { watch } from './quickjs-loop.ts';
import { call, callAgain, engine, osError } from './quickjs-native.ts';

const CHUNK = 64 << 10;

/** A pipe's two ends: to read from, to write to. Throws Error when there are no descriptors left. */
export function makePipe(): [number, number] {
  const ends = new Int32Array(2);
  const made = call('pipe2', ends, O_CLOEXEC);
  if (made < 0) throw osError(made, 'pipe2', '');
  return [ends[0] ?? -1, ends[1] ?? -1];
}

/** /dev/null, to read from and to write to. */
export function openNull(): number {
  return call('openat', AT_FDCWD, '/dev/null', O_RDWR | O_CLOEXEC);
}

/** Everything that comes out of a pipe, or the first `limit` bytes; closes it at the end. With `take` that gets it all. */
export function collect(fd: number, limit: number, take?: (piece: Bytes) => void): Promise<Bytes> {
  return new Promise((resolve) => {
    const buffer = new Uint8Array(CHUNK);
    let content = '';
    const end = watch(fd, POLLIN, () => {
      const got = callAgain('read', fd, buffer, buffer.length);
      if (got > 0 && take !== undefined) {
        take(engine.string(buffer, 0, got));
        return;
      }
      if (got > 0) {
        content += engine.string(buffer, 0, Math.min(got, limit - content.length));
        return;
      }
      end();
      call('close', fd);
      resolve(content);
    });
  });
}

/** Writes all of it as room comes up, then closes the pipe. */
export function feed(fd: number, bytes: Bytes): void {
  let rest = bytes;
  call('fcntl', fd, F_SETFL, O_WRONLY | O_NONBLOCK);
  const end = watch(fd, POLLOUT, () => {
    const put = rest === '' ? 0 : call('write', fd, rest, rest.length);
    if (put > 0) rest = rest.slice(put);
    if (rest !== '' && (put > 0 || put === -ERRNO.EINTR || put === -ERRNO.EAGAIN)) return;
    end();
    call('close', fd);
  });
}
