// Small images for tests of the store: their content, a pull of them, and what must hold of a store.
import assert from 'node:assert/strict';
import type { Disk } from '../../host/disk.ts';
import { type Bytes, toArray } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { OCI_CONFIG, OCI_LAYER, OCI_MANIFEST } from '../../spec/media-types.ts';
import { parseReference, type Reference } from '../../spec/reference.ts';
import { chainIds } from './chain.ts';
import { closureOf } from './closure.ts';
import { contentIs, digestBytes } from './durable.ts';
import type { LayerFacts } from './layers.ts';
import type { MemoryDisk } from './memory-disk.testing.ts';
import { LockTable, MemoryKernel } from './memory-kernel.testing.ts';
import { openStoreOn, type Store, type StoreFoundation } from './store.ts';

/** An image: everything that a registry has of it. */
export interface TestImage {
  readonly reference: Reference;
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly Digest[];
  readonly content: ReadonlyMap<Digest, Uint8Array>;
}

function describe(mediaType: string, bytes: Uint8Array): Descriptor {
  return { mediaType, digest: digestBytes(bytes), size: bytes.length };
}

/** An image with layers of these contents, lowest first. */
export function testImage(name: string, layers: readonly string[]): TestImage {
  const content = new Map<Digest, Uint8Array>();
  const add = (mediaType: string, text: Bytes): Descriptor => {
    const bytes = toArray(text);
    const descriptor = describe(mediaType, bytes);
    content.set(descriptor.digest, bytes);
    return descriptor;
  };
  const parts = layers.map((text) => add(OCI_LAYER, text));
  const diffIds = parts.map(({ digest }) => digest);
  const config = add(
    OCI_CONFIG,
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } }),
  );
  const manifest = add(
    OCI_MANIFEST,
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: parts }),
  );
  return { reference: parseReference(name), manifest, config, layers: parts, diffIds, content };
}

/** The content of a blob of an image. */
export function contentOf(image: TestImage, { digest }: Descriptor): Uint8Array {
  const bytes = image.content.get(digest);
  assert.ok(bytes !== undefined);
  return bytes;
}

/** Takes one blob in, in two pieces. */
export async function fetchBlob(store: Store, image: TestImage, descriptor: Descriptor): Promise<void> {
  if (store.blobs.has(descriptor.digest)) return;
  const bytes = contentOf(image, descriptor);
  const taken = await store.blobs.ingest(descriptor);
  try {
    const half = Math.max(taken.offset, bytes.length >> 1);
    await taken.write(bytes.subarray(taken.offset, half));
    await taken.write(bytes.subarray(half));
    await taken.commit();
  } catch (error) {
    await taken.abort(true);
    throw error;
  }
}

/** What a pull does: blobs, then the name, then the layers. */
export async function pull(
  store: Store,
  image: TestImage,
  fill: (target: Bytes, layer: number) => Promise<LayerFacts>,
): Promise<void> {
  for (const descriptor of [...image.layers, image.config, image.manifest])
    await fetchBlob(store, image, descriptor);
  await store.names.set(image.reference, image.manifest);
  const chains = chainIds(image.diffIds);
  for (const [layer, chain] of chains.entries())
    await store.layers.create(chain, chains[layer - 1], (target) => fill(target, layer));
}

/** Unpacks onto a memory disk: one file that says which layer it is. */
export function fillOn(disk: MemoryDisk, image: TestImage) {
  return async (target: Bytes, layer: number): Promise<LayerFacts> => {
    const diffId = image.diffIds[layer] as Digest;
    disk.create(`${target}/data`).write(toArray(diffId), 0);
    return { diffId, size: diffId.length };
  };
}

export const ROOT = '/store';
let opened = 0;

export function foundation(disk: MemoryDisk, table = new LockTable()): StoreFoundation {
  const own = opened++;
  let count = 0;
  const unique = () => `${own}-${count++}`;
  return { disk, kernel: new MemoryKernel(disk, table), uid: 0, unique };
}

export async function openOn(disk: MemoryDisk, table = new LockTable()): Promise<Store> {
  return await openStoreOn(foundation(disk, table), ROOT);
}

/** Every name is of a whole image, every blob is what it says, every layer has its file. */
export async function assertSound(
  store: Store,
  disk: Disk,
  context: string,
  root: Bytes = ROOT,
): Promise<void> {
  for (const { name, descriptor } of store.names.list()) {
    const { problems } = await closureOf(store.blobs, descriptor);
    assert.deepEqual(problems, [], `${context}: ${name}`);
  }
  for (const { name } of disk.list(`${root}/blobs/sha256`) ?? []) {
    const digest = `sha256:${name}` as Digest;
    assert.equal(
      await contentIs(disk, `${root}/blobs/sha256/${name}`, digest),
      true,
      `${context}: ${digest}`,
    );
  }
  for (const chain of store.layers.list()) {
    const layer = store.layers.get(chain);
    assert.ok(layer !== undefined, `${context}: layer ${chain}`);
    const data = disk.readFile(`${layer.path}/data`, 1000);
    assert.deepEqual(data, toArray(layer.facts.diffId), `${context}: files of layer ${chain}`);
  }
}
