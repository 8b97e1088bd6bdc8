// Files that are there whole or not at all, whenever the power goes: written aside, synced, renamed, and the name synced.
import type { Disk } from '../../host/disk.ts';
import { type RunningHash, startHash } from '../../host/hash.ts';
import { type Bytes, fromArray, toArray } from '../../linux/bytes.ts';
import { type Digest, type DigestAlgorithm, digestOf, splitDigest } from '../../spec/digest.ts';

/** Read at once from a file. */
const CHUNK = 256 << 10;

/** The name that a file has before its own; what is left of it after a crash is removed with the next attempt. */
export function temporaryName(path: Bytes): Bytes {
  return `${path}.tmp`;
}

/**
 * Replaces the content of a file durably. Only one at a time may do that to the same file: the caller holds a lock.
 * What is there stays as it was when this fails.
 */
export async function replaceDurably(disk: Disk, path: Bytes, content: Bytes): Promise<void> {
  const temporary = temporaryName(path);
  disk.remove(temporary);
  const file = disk.create(temporary, 0o644);
  try {
    file.write(toArray(content), 0);
    await file.sync();
  } catch (error) {
    file.close();
    disk.remove(temporary);
    throw error;
  }
  file.close();
  disk.rename(temporary, path);
  await disk.syncDirectory(parentOf(path));
}

export function parentOf(path: Bytes): Bytes {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

/** A small file as a byte string; undefined when there is none. Throws CaissonError `EDISK` for more than `limit` bytes. */
export function readText(disk: Disk, path: Bytes, limit: number): Bytes | undefined {
  const bytes = disk.readFile(path, limit);
  return bytes === undefined ? undefined : fromArray(bytes);
}

/** The content of a file from `offset` on, piece by piece; undefined when there is none. */
export function readPieces(disk: Disk, path: Bytes, offset = 0): AsyncIterable<Uint8Array> | undefined {
  const file = disk.open(path);
  return file === undefined ? undefined : pieces(file, offset);
}

async function* pieces(file: NonNullable<ReturnType<Disk['open']>>, offset: number) {
  const size = file.size();
  try {
    for (let at = offset; ; ) {
      // One byte more than there is, to see the end: most of what is read whole is small.
      const buffer = new Uint8Array(Math.min(CHUNK, Math.max(0, size - at) + 1));
      const got = await file.read(buffer, at);
      if (got === 0) return;
      at += got;
      yield buffer.subarray(0, got);
    }
  } finally {
    file.close();
  }
}

/** A running hash. */
export class Hasher {
  private readonly algorithm: DigestAlgorithm;
  private readonly hash: RunningHash;

  constructor(algorithm: DigestAlgorithm) {
    this.algorithm = algorithm;
    this.hash = startHash(algorithm);
  }

  update(bytes: Uint8Array): void {
    this.hash.update(bytes);
  }

  /** Of all that was given; afterwards it takes no more. */
  digest(): Digest {
    return digestOf(this.algorithm, this.hash.hex());
  }
}

export function digestBytes(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  const hasher = new Hasher(algorithm);
  hasher.update(bytes);
  return hasher.digest();
}

/** Whether the content of a file is what `digest` names; undefined when there is no file. */
export async function contentIs(disk: Disk, path: Bytes, digest: Digest): Promise<boolean | undefined> {
  const found = readPieces(disk, path);
  if (found === undefined) return undefined;
  const hasher = new Hasher(splitDigest(digest).algorithm);
  for await (const piece of found) hasher.update(piece);
  return hasher.digest() === digest;
}
