// Content by its digest, in memory, for tests.
import { createHash } from 'node:crypto';
import type { Descriptor } from '../../spec/descriptor.ts';
import { type Digest, digestOf, splitDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { concat } from '../tar.testing.ts';
import type { BlobIngest, Blobs } from './blobs.ts';

export function digestOfBytes(bytes: Uint8Array): Digest {
  return digestOf('sha256', createHash('sha256').update(bytes).digest('hex'));
}

/** A store that verifies, as the real one does. */
export class MemoryBlobs implements Blobs {
  readonly content = new Map<Digest, Uint8Array>();
  /** Ingests that were neither committed nor aborted. */
  open = 0;

  has(digest: Digest): boolean {
    return this.content.has(digest);
  }

  async read({ digest }: Descriptor, limit: number): Promise<Uint8Array> {
    const found = this.content.get(digest);
    if (found === undefined) throw new CaissonError(`no ${digest}`, { code: 'ENOTFOUND' });
    if (found.length > limit) throw new CaissonError('too large', { code: 'ELIMIT' });
    return found;
  }

  async *stream(descriptor: Descriptor, offset = 0): AsyncIterable<Uint8Array> {
    yield (await this.read(descriptor, Number.POSITIVE_INFINITY)).subarray(offset);
  }

  async ingest({ digest, size }: Descriptor): Promise<BlobIngest> {
    let chunks: Uint8Array[] = [];
    let ended = false;
    const end = () => {
      if (!ended) this.open--;
      ended = true;
    };
    this.open++;
    return {
      offset: 0,
      restart: async () => {
        chunks = [];
      },
      write: (chunk) => {
        chunks.push(chunk.slice());
      },
      commit: async () => {
        const bytes = concat(...chunks);
        const { algorithm, hex } = splitDigest(digest);
        if (bytes.length !== size || createHash(algorithm).update(bytes).digest('hex') !== hex)
          throw new CaissonError(`${digest} does not verify`, { code: 'EDIGEST' });
        this.content.set(digest, bytes);
        end();
      },
      abort: end,
    };
  }

  async put(mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
    const digest = digestOfBytes(bytes);
    this.content.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }
}
