// `save` and `load`: images to and from archives.

import { type ReadImage, readArchive } from '../../image/archive/read.ts';
import { type WrittenImage, writeArchive } from '../../image/archive/write.ts';
import { chainIds } from '../../image/store/chain.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { NamedPlatform } from '../../spec/platform-match.ts';
import { canonical, familiar, parseNamed, type Reference } from '../../spec/reference.ts';
import { tellImage } from '../events/images.ts';
import { imagesOf, type Shop } from './shop.ts';
import { forPlatform, noSuchImage, requireImage, type StoredImage } from './stored-image.ts';
import type { Source } from './streams.ts';
import { layersOf, unpackAll } from './unpack.ts';

/** `docker` is docker's archive, which is an OCI layout as well; `oci` is that alone. */
export type ArchiveFormat = 'docker' | 'oci';

/**
 * The archive of some images. A repository without a tag means all of its tags; an image that is named by its ID has no
 * name in the archive. Throws CaissonError `ENOTFOUND`.
 */
export async function saveImages(
  shop: Shop,
  texts: readonly Bytes[],
  format: ArchiveFormat,
  platform: NamedPlatform | undefined,
): Promise<AsyncIterable<Uint8Array>> {
  const images = await imagesOf(shop);
  const chosen = new Map<string, { image: StoredImage; names: Map<string, Reference> }>();
  for (const text of texts) {
    for (const [image, name] of meant(images, text)) {
      const fitting = platform === undefined ? image : await forPlatform(shop.store, image, platform);
      if (fitting === undefined) throw noSuchImage(text);
      const one = chosen.get(fitting.descriptor.digest) ?? { image: fitting, names: new Map() };
      if (name !== undefined) one.names.set(canonical(name), name);
      chosen.set(fitting.descriptor.digest, one);
    }
  }
  const written = [...chosen.values()].map(({ image, names }): WrittenImage => {
    const { os, architecture, variant } = image.config;
    const known = os !== '' && architecture !== '';
    const platformOf = { os, architecture, ...(variant === undefined ? {} : { variant }) };
    const descriptor = known ? { ...image.descriptor, platform: platformOf } : image.descriptor;
    return { descriptor, manifest: image.manifest, names: [...names.values()] };
  });
  for (const { image } of chosen.values()) tellImage(shop, 'save', image.id);
  return writeArchive(written, shop.store.blobs, format);
}

function meant(
  images: readonly StoredImage[],
  text: Bytes,
): (readonly [StoredImage, Reference | undefined])[] {
  const repository = repositoryOf(text);
  if (repository !== undefined) {
    const found = images.flatMap((image) =>
      image.names
        .filter(
          ({ domain, path, tag }) =>
            domain === repository.domain && path === repository.path && tag !== undefined,
        )
        .map((name) => [image, name] as const),
    );
    if (found.length > 0) return found;
  }
  const { image, reference } = requireImage(images, text);
  return [[image, reference?.tag === undefined ? undefined : reference]];
}

/** A name that says no more than the repository. */
function repositoryOf(text: Bytes): Reference | undefined {
  try {
    const named = parseNamed(text);
    return named.tag === undefined && named.digest === undefined ? named : undefined;
  } catch (error) {
    if (error instanceof CaissonError) return undefined;
    throw error;
  }
}

/** What has been loaded: names, or the ID of an image without any. */
export interface Loaded {
  readonly names: readonly string[];
  readonly id: string;
}

/**
 * Loads all images of an archive: blobs are verified, layers unpacked and compared with the configuration, and only then
 * are names given. `renamed` is told where a name leaves an image. Throws CaissonError `EARCHIVE` and others.
 */
export async function loadImages(
  shop: Shop,
  source: Source,
  platform: NamedPlatform,
  renamed: (name: string, id: string) => void,
): Promise<Loaded[]> {
  const found = await readArchive(() => source.plain(), shop.store.blobs, platform);
  for (const { manifest, config } of found)
    await unpackAll(shop, layersOf(manifest.layers, config.diffIds, chainIds(config.diffIds)));
  const before = await imagesOf(shop);
  for (const image of found) tellRenamed(before, image, renamed);
  await shop.store.names.change({
    set: found.flatMap(({ names, descriptor }) => names.map((name) => [name, descriptor] as const)),
    keep: found.filter(({ names }) => names.length === 0).map(({ descriptor }) => descriptor),
  });
  for (const { manifest, names } of found)
    tellImage(shop, 'load', manifest.config.digest, names[0] === undefined ? '' : familiar(names[0]));
  return found.map(({ names, manifest }) => ({ names: names.map(familiar), id: manifest.config.digest }));
}

function tellRenamed(
  before: readonly StoredImage[],
  { names, manifest }: ReadImage,
  renamed: (name: string, id: string) => void,
): void {
  for (const name of names) {
    const other = before.find((image) => image.names.some((each) => canonical(each) === canonical(name)));
    if (other !== undefined && other.id !== manifest.config.digest) renamed(familiar(name), other.id);
  }
}
