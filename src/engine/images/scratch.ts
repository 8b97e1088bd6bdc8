// Takes content into the store whose digest nobody knows before it has been seen: kept in a file beside the blobs first.
import { createHash } from 'node:crypto';
import type { Descriptor } from '../../spec/descriptor.ts';
import { digestOf } from '../../spec/digest.ts';
import type { Shop } from './shop.ts';

export type Sink = (chunk: Uint8Array) => void;

/**
 * Stores what `produce` writes. A program that is killed leaves a file that the garbage collector takes away. Throws
 * what `produce` throws, and CaissonError `EDISK`.
 */
export async function storeContent<T>(
  { port, store }: Shop,
  mediaType: string,
  produce: (sink: Sink) => Promise<T>,
): Promise<{ readonly descriptor: Descriptor; readonly result: T }> {
  const { hostDisk } = await import('../../host/node-disk.ts');
  const disk = hostDisk();
  const unique = [...port.random(8)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const path = `${store.root}/ingest/content-${port.pid}-${unique}`;
  const file = disk.create(path, 0o600);
  try {
    const hash = createHash('sha256');
    let size = 0;
    const result = await produce((chunk) => {
      hash.update(chunk);
      file.write(chunk, size);
      size += chunk.length;
    });
    const descriptor = { mediaType, digest: digestOf('sha256', hash.digest('hex')), size };
    await ingestFile(store, descriptor, port.readChunks(path));
    return { descriptor, result };
  } finally {
    file.close();
    disk.remove(path);
  }
}

/** Stores content that has the digest. Throws CaissonError `EDIGEST` where it has not. */
export async function ingestFile(
  store: Shop['store'],
  descriptor: Descriptor,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  if (store.blobs.has(descriptor.digest)) return;
  const ingest = await store.blobs.ingest(descriptor);
  try {
    await ingest.restart();
    if (ingest.offset < descriptor.size) for await (const chunk of content) await ingest.write(chunk);
    await ingest.commit();
  } catch (error) {
    await ingest.abort(false);
    throw error;
  }
}
