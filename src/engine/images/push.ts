// `push`: an image from the store to a registry; what the registry has already does not go again.

import type { Registry } from '../../distribution/registry.ts';
import { closureOf } from '../../image/store/closure.ts';
import { fromArray } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { MANIFEST_LIMIT } from '../../spec/image-document.ts';
import { parseManifest } from '../../spec/image-manifest.ts';
import { isForeignLayer, isImageConfigType, isIndexType } from '../../spec/media-types.ts';
import { canonical, familiar, parseNamed, type Reference, withTarget } from '../../spec/reference.ts';
import { tellImage } from '../events/images.ts';
import { SILENT } from './reporter.ts';
import { imagesOf, type Shop } from './shop.ts';
import { requireImage, type StoredImage } from './stored-image.ts';
import { eachAtOnce, shortId } from './unpack.ts';

/** Blobs that go at the same time (docker's number for uploads is 5). */
const AT_ONCE = 4;

/** What has been pushed. */
export interface Pushed {
  readonly reference: Reference;
  readonly descriptor: Descriptor;
}

/**
 * Pushes the image that has the name. Of an index that is in the store whole the index goes, of one of which only some
 * platforms are here the manifest for this machine. Throws CaissonError.
 */
export async function pushImage(shop: Shop, registry: Registry, reference: Reference): Promise<Pushed> {
  const { reporter } = shop;
  reporter.line(`The push refers to repository [${canonical(withTarget(reference, {}))}]`);
  const images = await imagesOf(shop);
  const { image } = requireImage(images, canonical(reference));
  const top = await wholeTop(shop, image);
  const { images: parts } = await closureOf(shop.store.blobs, top);
  const blobs = new Map<string, Descriptor>();
  for (const { manifest } of parts)
    for (const each of [...manifest.layers, manifest.config]) blobs.set(each.digest, each);
  const layers = [...blobs.values()].filter(
    (each) => !isForeignLayer(each.mediaType) || shop.store.blobs.has(each.digest),
  );
  const others = mountable(images, reference);
  for (const { digest, mediaType } of layers)
    if (!isImageConfigType(mediaType)) reporter.part({ id: shortId(digest), status: 'Preparing' });
  await eachAtOnce(layers, AT_ONCE, (layer) => pushBlob(shop, registry, layer, others));
  for (const { descriptor } of parts)
    if (descriptor.digest !== top.digest) await pushDocument(shop, registry, reference, descriptor, false);
  const pushed = await pushDocument(shop, registry, reference, top, true);
  const name = reference.tag ?? reference.digest ?? '';
  reporter.line(`${name}: digest: ${pushed.digest} size: ${pushed.size}`);
  tellImage(shop, 'push', familiar(reference));
  return { reference, descriptor: pushed };
}

/** The index, if every image in it is here; else the manifest. */
async function wholeTop({ store }: Shop, image: StoredImage): Promise<Descriptor> {
  if (!isIndexType(image.top.mediaType)) return image.top;
  const document = parseManifest(
    fromArray(await store.blobs.read(image.top, MANIFEST_LIMIT)),
    image.top.mediaType,
  );
  const whole =
    document.kind === 'index' && document.manifests.every(({ digest }) => store.blobs.has(digest));
  return whole ? image.top : image.descriptor;
}

/** Repositories of the same registry by the digests of what they have, as far as names here tell. */
function mountable(images: readonly StoredImage[], { domain, path }: Reference): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { names, manifest } of images) {
    const other = names.find((name) => name.domain === domain && name.path !== path);
    if (other === undefined) continue;
    for (const { digest } of [...manifest.layers, manifest.config]) found.set(digest, other.path);
  }
  return found;
}

async function pushBlob(
  { store, reporter: everything }: Shop,
  registry: Registry,
  descriptor: Descriptor,
  others: ReadonlyMap<string, string>,
): Promise<void> {
  const id = shortId(descriptor.digest);
  // docker tells of layers alone.
  const reporter = isImageConfigType(descriptor.mediaType) ? SILENT : everything;
  if (await registry.hasBlob(descriptor)) {
    reporter.part({ id, status: 'Layer already exists' });
    return;
  }
  const other = others.get(descriptor.digest);
  if (other !== undefined && (await registry.mount(descriptor, other))) {
    reporter.part({ id, status: `Mounted from ${other}` });
    return;
  }
  await registry.uploadBlob(descriptor, (offset) => told(offset));
  reporter.part({ id, status: 'Pushed' });

  async function* told(offset: number): AsyncGenerator<Uint8Array> {
    let current = offset;
    for await (const chunk of store.blobs.stream(descriptor, offset)) {
      yield chunk;
      current += chunk.length;
      reporter.part({ id, status: 'Pushing', current, total: descriptor.size });
    }
  }
}

/** A manifest or index; under the name, or by its digest where it is only a part. */
async function pushDocument(
  { store }: Shop,
  registry: Registry,
  reference: Reference,
  descriptor: Descriptor,
  named: boolean,
): Promise<Descriptor> {
  const bytes = await store.blobs.read(descriptor, MANIFEST_LIMIT);
  const target = named ? reference : withTarget(reference, { digest: descriptor.digest });
  return await registry.putManifest(target, descriptor.mediaType, bytes);
}

/** The names of a repository, for `push --all-tags`. */
export async function tagsOf(shop: Shop, repository: string): Promise<Reference[]> {
  const wanted = parseNamed(repository);
  const images = await imagesOf(shop);
  return images
    .flatMap(({ names }) => names)
    .filter(({ domain, path, tag }) => domain === wanted.domain && path === wanted.path && tag !== undefined);
}
