// Blobs: content by its digest, each file written once, whole, and checked whenever it is read.
import type { Disk } from '../../host/disk.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { type Digest, splitDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { contentIs, digestBytes, Hasher, readPieces } from './durable.ts';
import type { Gate } from './gate.ts';
import { type Ingest, ingest } from './ingest.ts';
import type { StoreKernel } from './kernel.ts';
import type { StorePaths } from './paths.ts';
import { quarantine } from './quarantine.ts';

/** What the parts of a store share. */
export interface StoreContext {
  readonly disk: Disk;
  readonly kernel: StoreKernel;
  readonly paths: StorePaths;
  /** Distinguishes what this store has under way from what others have. */
  readonly unique: () => string;
  /** Called once when this store must wait for another program, which pulls or unpacks the same. */
  readonly waiting: (what: string) => void;
  readonly gate: Gate;
}

export class Blobs {
  private readonly context: StoreContext;

  constructor(context: StoreContext) {
    this.context = context;
  }

  /** Whether the content is there: whole, for it is only given its name then. */
  has(digest: Digest): boolean {
    return this.context.disk.stat(this.context.paths.blob(digest))?.type === 'file';
  }

  /** Bytes of a blob on the disk; undefined when it is not there. */
  size(digest: Digest): number | undefined {
    const stat = this.context.disk.stat(this.context.paths.blob(digest));
    return stat?.type === 'file' ? stat.size : undefined;
  }

  /**
   * The whole content, checked. Throws CaissonError `ENOTFOUND` when it is not there, `ESIZE` for more than `limit`
   * bytes or another size than the descriptor says, `EDAMAGED` when it is not what its digest says: it is then set aside.
   */
  async read(descriptor: Descriptor, limit: number): Promise<Uint8Array> {
    const { disk, paths } = this.context;
    const { digest } = descriptor;
    await this.checkSize(descriptor, limit);
    const bytes = await wholeOf(disk, paths.blob(digest), descriptor.size);
    if (bytes === undefined) throw missing(digest);
    if (digestBytes(bytes, splitDigest(digest).algorithm) !== digest) throw await this.damaged(digest);
    return bytes;
  }

  /**
   * The content from `offset` on, piece by piece. From the beginning it is checked, at its end: what came before must
   * not have been made visible. Throws as `read`.
   */
  async *stream(descriptor: Descriptor, offset = 0): AsyncIterable<Uint8Array> {
    const { disk, paths } = this.context;
    const { digest } = descriptor;
    await this.checkSize(descriptor, Number.POSITIVE_INFINITY);
    const pieces = readPieces(disk, paths.blob(digest), offset);
    if (pieces === undefined) throw missing(digest);
    const hasher = new Hasher(splitDigest(digest).algorithm);
    for await (const piece of pieces) {
      if (offset === 0) hasher.update(piece);
      yield piece;
    }
    if (offset === 0 && hasher.digest() !== digest) throw await this.damaged(digest);
  }

  private async checkSize({ digest, size }: Descriptor, limit: number): Promise<void> {
    const there = this.size(digest);
    if (there === undefined) throw missing(digest);
    if (there !== size) throw await this.wrongSize(digest, size);
    if (size > limit) {
      throw new CaissonError(`${digest} has ${size} bytes, and at most ${limit} are read`, { code: 'ESIZE' });
    }
  }

  /** Either the blob has lost something, and is set aside, or the descriptor is wrong. */
  async wrongSize(digest: Digest, announced: number): Promise<CaissonError> {
    const { disk, paths } = this.context;
    const there = this.size(digest);
    if ((await contentIs(disk, paths.blob(digest), digest)) !== true) return await this.damaged(digest);
    return new CaissonError(`${digest} has ${there} bytes, and ${announced} were announced`, {
      code: 'ESIZE',
    });
  }

  private async damaged(digest: Digest): Promise<CaissonError> {
    const { disk, paths } = this.context;
    const place = await quarantine(disk, paths, paths.blob(digest));
    return new CaissonError(`${digest} is damaged on the disk: its content is another`, {
      code: 'EDAMAGED',
      details: [
        ...(place === undefined ? [] : [`it was moved to ${place}`]),
        'pull or build the image again; `caisson image verify` looks for more',
      ],
    });
  }

  /**
   * Begins to take content in, or goes on where an earlier attempt ended. Waits while another program takes in the
   * same; when that has succeeded nothing is left to be done (`offset` is the whole size).
   */
  async ingest(descriptor: Descriptor): Promise<Ingest> {
    const there = this.size(descriptor.digest);
    if (there !== undefined && there !== descriptor.size) {
      const error = await this.wrongSize(descriptor.digest, descriptor.size);
      if (error.code !== 'EDAMAGED') throw error;
    }
    return await ingest(this.context, descriptor);
  }

  /** Stores a document. Throws CaissonError `EDISK` when the disk is full. */
  async put(mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
    const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.length };
    if (this.has(descriptor.digest)) return descriptor;
    const taken = await this.ingest(descriptor);
    try {
      // What an earlier attempt has left is not worth going on with.
      if (taken.offset < descriptor.size) await taken.restart();
      if (taken.offset < descriptor.size) await taken.write(bytes);
      await taken.commit();
    } catch (error) {
      await taken.abort(false);
      throw error;
    }
    return descriptor;
  }
}

function missing(digest: Digest): CaissonError {
  return new CaissonError(`${digest} is not in the store`, {
    code: 'ENOTFOUND',
    details: ['pull the image, or pull it again'],
  });
}

/** A read that yields to others, for it may be some megabytes. */
async function wholeOf(disk: Disk, path: Bytes, size: number): Promise<Uint8Array | undefined> {
  const pieces = readPieces(disk, path);
  if (pieces === undefined) return undefined;
  const bytes = new Uint8Array(size);
  let done = 0;
  for await (const piece of pieces) {
    bytes.set(piece.subarray(0, size - done), done);
    done += piece.length;
    if (done > size) break;
  }
  return done === size ? bytes : bytes.subarray(0, Math.min(done, size));
}
