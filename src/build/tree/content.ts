// The content of files of a tree: read by the launcher, hashed here, many small ones in one batch.
import { createHash } from 'node:crypto';
import type { Bytes } from '../../linux/bytes.ts';
import { O_CLOEXEC, O_NONBLOCK, O_RDONLY } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { outBuffer, slot } from '../../plan/call.ts';
import { O_NOFOLLOW } from '../../plan/compile/destination.ts';
import * as sys from '../../plan/syscalls.ts';
import { CaissonError } from '../../spec/error.ts';
import type { TreeEntry } from './entry.ts';
import { STRICT } from './walk.ts';
import type { TreeWorker } from './worker.ts';

const BATCH_BYTES = 512 << 10;
const BATCH_FILES = 64;
const PIECE = 1 << 20;
/** What most small files fit into. */
const FIRST = 16 << 10;
const ABSENT = [ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ELOOP, ERRNO.ENXIO];

/** Reading must not change the time of access, wait for a FIFO, or follow a link. */
export const READ = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

/** A file is shorter than when it was listed. What comes at its end meanwhile is not read. */
export function changed(path: Bytes): CaissonError {
  return new CaissonError(`${path} has changed while it was read: build again`, { code: 'ECHANGED' });
}

/** SHA-256 of each regular file among `entries`, which are below `top`, by path, as long as listed. Throws CaissonError `ECHANGED`. */
export async function hashFiles(
  worker: TreeWorker,
  top: number,
  entries: readonly TreeEntry[],
): Promise<Map<Bytes, string>> {
  const digests = new Map<Bytes, string>();
  let some: TreeEntry[] = [];
  let bytes = 0;
  const flush = async () => {
    if (some.length > 0) await hashSmall(worker, top, some, digests);
    some = [];
    bytes = 0;
  };
  for (const entry of entries) {
    if (entry.type !== 'file') continue;
    if (entry.size > BATCH_BYTES) {
      const hash = createHash('sha256');
      for await (const piece of filePieces(worker, top, entry)) hash.update(piece);
      digests.set(entry.path, hash.digest('hex'));
      continue;
    }
    if (bytes + entry.size > BATCH_BYTES || some.length >= BATCH_FILES) await flush();
    some.push(entry);
    bytes += entry.size;
  }
  await flush();
  return digests;
}

async function hashSmall(
  worker: TreeWorker,
  top: number,
  entries: readonly TreeEntry[],
  digests: Map<Bytes, string>,
): Promise<void> {
  const parts = entries.map(({ path, size }) => ({
    buffer: outBuffer(`content of ${path}`, Math.max(size, 1)),
    length: slot(`length of ${path}`, { reply: true }),
  }));
  const reply = await worker.steps(
    entries.map(({ path }, index) => {
      const { buffer, length } = parts[index] as (typeof parts)[number];
      const file = slot(`file ${path}`);
      return worker.step(`read ${path}`, [
        sys.openat2(top, path, READ, STRICT, { result: file }),
        sys.read(file, buffer, { result: length }),
        sys.close(file),
      ]);
    }),
  );
  for (const [index, { path, size }] of entries.entries()) {
    const { buffer, length } = parts[index] as (typeof parts)[number];
    if (reply.value(length) < size) throw changed(path);
    digests.set(path, createHash('sha256').update(reply.array(buffer, size)).digest('hex'));
  }
}

/** All of a file, piece by piece; a piece is valid until the next one. Throws CaissonError `ECHANGED`. */
export async function* filePieces(
  worker: TreeWorker,
  top: number,
  { path, size }: Pick<TreeEntry, 'path' | 'size'>,
): AsyncGenerator<Uint8Array> {
  const file = slot('file', { reply: true });
  const opened = await worker.play(`open ${path}`, [sys.openat2(top, path, READ, STRICT, { result: file })]);
  const descriptor = opened.value(file);
  try {
    for (let left = size; left > 0; ) {
      const buffer = outBuffer('piece', Math.min(PIECE, left));
      const length = slot('length', { reply: true });
      const reply = await worker.play(`read ${path}`, [sys.read(descriptor, buffer, { result: length })]);
      const count = reply.value(length);
      if (count === 0) throw changed(path);
      left -= count;
      yield reply.array(buffer, count);
    }
  } finally {
    await worker.shut(descriptor);
  }
}

/**
 * A small file below `top`; undefined when there is none, or no regular one. `resolve`: how the way there is followed,
 * the last part never is.
 */
export async function readSmall(
  worker: TreeWorker,
  top: number,
  path: Bytes,
  limit: number,
  resolve = STRICT,
): Promise<Uint8Array | undefined> {
  const file = slot('file', { reply: true });
  const length = slot('length', { reply: true });
  const buffer = outBuffer('content', FIRST);
  // A directory, or a FIFO that nobody writes to.
  const unreadable = { tolerate: [ERRNO.EBADF, ERRNO.EISDIR, ERRNO.EAGAIN] };
  const reply = await worker.play(`read ${path}`, [
    sys.openat2(top, path, READ, resolve, { result: file, tolerate: ABSENT }),
    sys.read(file, buffer, { result: length, ...unreadable }),
  ]);
  const descriptor = reply.value(file);
  if (descriptor < 0) return undefined;
  try {
    const count = reply.value(length);
    if (count < 0) return undefined;
    const pieces: Uint8Array[] = [reply.array(buffer, count).slice()];
    // A short read is the end of a regular file.
    if (count === FIRST) pieces.push(...(await furtherPieces(worker, descriptor, path, limit)));
    const content = joined(pieces);
    if (content.length > limit) throw tooLong(path, limit);
    return content;
  } finally {
    await worker.shut(descriptor);
  }
}

async function furtherPieces(
  worker: TreeWorker,
  descriptor: number,
  path: Bytes,
  limit: number,
): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for (let size = FIRST; size <= limit; ) {
    const buffer = outBuffer('piece', PIECE);
    const length = slot('length', { reply: true });
    const reply = await worker.play(`read ${path}`, [sys.read(descriptor, buffer, { result: length })]);
    const count = reply.value(length);
    if (count === 0) return pieces;
    pieces.push(reply.array(buffer, count).slice());
    size += count;
  }
  throw tooLong(path, limit);
}

function tooLong(path: Bytes, limit: number): CaissonError {
  return new CaissonError(`${path} has more than ${limit} bytes`, { code: 'EUSAGE' });
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const content = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    content.set(piece, at);
    at += piece.length;
  }
  return content;
}
