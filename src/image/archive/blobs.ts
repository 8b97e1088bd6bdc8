// What reading and writing archives needs of a store: content by its digest.
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';

/** Content on its way into the store. */
export interface BlobIngest {
  /** Bytes that an earlier attempt has left and that need not come again. */
  readonly offset: number;
  /** Forgets what an earlier attempt has left. Nothing happens when the content is there already. */
  restart(): Promise<void>;
  write(chunk: Uint8Array): Promise<void> | void;
  /** Verifies size and digest and makes the content visible. Throws CaissonError, and nothing is visible. */
  commit(): Promise<void>;
  /** Ends it; nothing happens when it has ended. */
  abort(keepPartial: boolean): Promise<void> | void;
}

export interface Blobs {
  has(digest: Digest): boolean;
  /** Verified, at most `limit` bytes. */
  read(descriptor: Descriptor, limit: number): Promise<Uint8Array>;
  stream(descriptor: Descriptor, offset?: number): AsyncIterable<Uint8Array>;
  ingest(descriptor: Descriptor): Promise<BlobIngest>;
  put(mediaType: string, bytes: Uint8Array): Promise<Descriptor>;
}

/** An archive that can be read more than once. */
export type ArchiveSource = () => AsyncIterable<Uint8Array>;
