// Brings blobs from a registry into the store, going on where an earlier attempt ended; layers are unpacked on the way.
import type { Ingest } from '../../image/store/ingest.ts';
import { ERRNO } from '../../linux/errno.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Shop } from './shop.ts';
import { type LayerContent, type LayerOf, shortId, unpackLayer } from './unpack.ts';

/** Where blobs come from. */
export interface BlobSource {
  /** From `offset` on; from 0 where that cannot be. Not verified. */
  blob(
    descriptor: Descriptor,
    offset: number,
  ): Promise<{ readonly offset: number; readonly content: AsyncIterable<Uint8Array> }>;
}

/** A part of an earlier attempt was no part of this blob, or a mirror has another one: the registry asks elsewhere then. */
class CameWrong extends Error {}

/** Does it again, from the beginning, when what came did not verify. */
async function twice(attempt: (anew: boolean) => Promise<void>): Promise<void> {
  try {
    await attempt(false);
  } catch (error) {
    if (!(error instanceof CameWrong)) throw error;
    await attempt(true);
  }
}

/** Brings a blob into the store. Throws CaissonError of the registry and of the disk; what has come stays. */
export async function fetchBlob(shop: Shop, source: BlobSource, descriptor: Descriptor): Promise<void> {
  if (shop.store.blobs.has(descriptor.digest)) return;
  await twice(async (anew) => {
    const incoming = await IncomingBlob.open(shop, source, descriptor, anew);
    await incoming.rest();
    await incoming.verified();
  });
}

/**
 * Brings a layer into the store and unpacks it, at the same time where both are missing: it becomes visible when both
 * digests are known to be right. Throws as `fetchBlob` and `unpackLayer`.
 */
export async function fetchLayer(shop: Shop, source: BlobSource, layer: LayerOf): Promise<void> {
  const { descriptor, chain } = layer;
  const { blobs, layers } = shop.store;
  if (blobs.has(descriptor.digest)) {
    await unpackLayer(shop, layer);
    return;
  }
  if (layers.get(chain) === undefined)
    await twice(async (anew) => {
      await unpackLayer(shop, layer, () => IncomingBlob.open(shop, source, descriptor, anew));
    });
  // Another program may have unpacked it from a blob that has gone.
  await fetchBlob(shop, source, descriptor);
}

/** Failures of this machine and not of what was to be unpacked: nothing is gained by the rest of the blob. */
const OWN_FAILURES: ReadonlySet<number> = new Set(
  (['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'ENOMEM', 'EMFILE', 'ENFILE'] as const).map((name) => ERRNO[name]),
);

function isOwnFailure(error: unknown): boolean {
  if (!(error instanceof CaissonError)) return true;
  return error.code === 'ELAUNCHER' || (error.errno !== undefined && OWN_FAILURES.has(error.errno));
}

/** A blob on its way into the store; what comes can be read meanwhile. */
class IncomingBlob implements LayerContent {
  private readonly shop: Shop;
  private readonly descriptor: Descriptor;
  private readonly ingest: Ingest;
  private readonly anew: boolean;
  /** What is still to come; undefined when all of it is there. */
  private coming: AsyncIterator<Uint8Array> | undefined;
  private isComplete = false;
  private broken: { readonly error: unknown } | undefined;
  private committing: Promise<void> | undefined;

  private constructor(
    shop: Shop,
    ingest: Ingest,
    coming: AsyncIterable<Uint8Array> | undefined,
    anew: boolean,
  ) {
    this.shop = shop;
    this.descriptor = ingest.descriptor;
    this.ingest = ingest;
    this.coming = coming?.[Symbol.asyncIterator]();
    this.anew = anew;
  }

  static async open(
    shop: Shop,
    source: BlobSource,
    descriptor: Descriptor,
    anew: boolean,
  ): Promise<IncomingBlob> {
    const ingest = await shop.store.blobs.ingest(descriptor);
    try {
      if (anew || descriptor.size === 0) await ingest.restart();
      if (ingest.offset === descriptor.size) return new IncomingBlob(shop, ingest, undefined, anew);
      const { offset, content } = await source.blob(descriptor, ingest.offset);
      // A registry without ranges begins at 0.
      if (offset !== ingest.offset) await ingest.restart();
      return new IncomingBlob(shop, ingest, content, anew);
    } catch (error) {
      await ingest.abort(true);
      throw error;
    }
  }

  /** All of it, what an earlier attempt has brought first. */
  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.ingest.isStored) {
      yield* this.shop.store.blobs.stream(this.descriptor);
      return;
    }
    try {
      yield* this.ingest.soFar();
      for (let chunk = await this.next(); chunk !== undefined; chunk = await this.next()) yield chunk;
    } catch (error) {
      this.broken ??= { error };
      throw error;
    }
    this.tell('Extracting');
    // The disk works while the rest is unpacked.
    this.commit().catch(() => undefined);
  }

  /** Takes in what nobody has read. */
  async rest(): Promise<void> {
    try {
      while ((await this.next()) !== undefined);
    } catch (error) {
      await this.giveUp();
      throw error;
    }
  }

  private async next(): Promise<Uint8Array | undefined> {
    const got = await this.coming?.next();
    if (got === undefined || got.done === true) {
      if (!this.isComplete) this.tell('Download complete');
      this.isComplete = true;
      this.coming = undefined;
      return undefined;
    }
    await this.ingest.write(got.value);
    this.tell('Downloading', { current: this.ingest.offset, total: this.descriptor.size });
    return got.value;
  }

  private tell(status: string, progress: { current?: number; total?: number } = {}): void {
    this.shop.reporter.part({ id: shortId(this.descriptor.digest), status, ...progress });
  }

  private commit(): Promise<void> {
    this.committing ??= this.ingest.commit();
    return this.committing;
  }

  async verified(): Promise<void> {
    try {
      await this.commit();
    } catch (error) {
      await this.ingest.abort(false);
      if (!this.anew && error instanceof CaissonError && error.code === 'EDIGEST') throw new CameWrong();
      throw error;
    }
  }

  /** Bytes that cannot be unpacked may not be those of the digest: the rest is taken in to know. */
  async explain(error: unknown): Promise<unknown> {
    if (this.broken === undefined && !isOwnFailure(error)) {
      try {
        await this.rest();
        await this.verified();
        return error;
      } catch (other) {
        return other;
      }
    }
    await this.giveUp();
    return this.broken === undefined ? error : this.broken.error;
  }

  /** What has come stays for the next attempt. */
  private async giveUp(): Promise<void> {
    await this.coming?.return?.();
    await this.committing?.catch(() => undefined);
    await this.ingest.abort(true);
  }
}
