// Descriptors of the QuickJS host: pipes, what comes out of them, and lending them to a shell by fixed numbers.
import { type Bytes, fromArray } from '../linux/bytes.ts';
import { ERRNO } from '../linux/errno.ts';
import type { Os } from './quickjs-modules.ts';

const CHUNK = 64 << 10;

/** A pipe's two ends: to read from, to write to. Throws Error when there are no descriptors left. */
export function makePipe(os: Os): [number, number] {
  const pipe = os.pipe();
  if (pipe === null) throw new Error('there are no descriptors left for a pipe');
  return pipe;
}

/** What is there now, at least a byte; undefined at the end, or when reading fails. */
export function readSome(os: Os, fd: number): Uint8Array | undefined {
  const buffer = new Uint8Array(CHUNK);
  for (;;) {
    const got = os.read(fd, buffer.buffer, 0, buffer.length);
    if (got > 0) return buffer.subarray(0, got);
    if (got !== -ERRNO.EINTR) return undefined;
  }
}

/** Everything that comes out of a pipe, or the first `limit` bytes; closes it at the end. The loop reads it. */
export function collect(os: Os, fd: number, limit: number): Promise<Bytes> {
  return new Promise((resolve) => {
    let content = '';
    os.setReadHandler(fd, () => {
      const piece = readSome(os, fd);
      if (piece === undefined) {
        os.setReadHandler(fd, null);
        os.close(fd);
        resolve(content);
      } else if (content.length < limit) {
        content += fromArray(piece).slice(0, limit - content.length);
      }
    });
  });
}

/** PIPE_BUF of pipe(7): select(2) promises room for so much. */
const PIPE_BUF = 4096;

/** Writes all of it as room comes up, then closes the pipe. */
export function feed(os: Os, fd: number, bytes: Uint8Array): void {
  let done = 0;
  os.setWriteHandler(fd, () => {
    const rest = Math.min(PIPE_BUF, bytes.length - done);
    const put = rest > 0 ? os.write(fd, bytes.buffer, bytes.byteOffset + done, rest) : 0;
    if (put > 0) done += put;
    if (done < bytes.length && (put > 0 || put === -ERRNO.EINTR)) return;
    os.setWriteHandler(fd, null);
    os.close(fd);
  });
}

/** sh(1) of Debian takes only one digit in `3<&9`. */
const BEYOND = 10;

/** A copy of a descriptor that is none of one digit; negative errno when there is no such descriptor. */
function highCopy(os: Os, fd: number): number {
  const copy = os.dup(fd);
  if (copy < 0 || copy >= BEYOND) return copy;
  const higher = highCopy(os, fd);
  os.close(copy);
  return higher;
}

/** Calls `action` while these numbers are other descriptors: `[number, descriptor]`; then all is as before. */
export function lend<Result>(
  os: Os,
  loans: readonly (readonly [number, number])[],
  action: () => Result,
): Result {
  const copies = loans.map(([, fd]) => highCopy(os, fd));
  const hidden = loans.map(([number]) => highCopy(os, number));
  try {
    for (const [index, [number, fd]] of loans.entries()) {
      const copy = copies[index] ?? -1;
      if (copy < 0 || os.dup2(copy, number) < 0) throw new Error(`descriptor ${fd} cannot be passed on`);
    }
    return action();
  } finally {
    for (const [index, [number]] of loans.entries()) {
      const before = hidden[index] ?? -1;
      if (before >= 0) os.dup2(before, number);
      else os.close(number);
    }
    for (const fd of [...copies, ...hidden]) if (fd >= 0) os.close(fd);
  }
}
