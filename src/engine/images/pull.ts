// `pull`: an image from a registry into the store, unpacked. Layers come side by side, and
// each is unpacked while it comes.

import { chainIds } from '../../image/store/chain.ts';
import { fromArray } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { CaissonError } from '../../spec/error.ts';
import { checkLayerCount, type ImageConfig, parseImageConfig } from '../../spec/image-config.ts';
import { CONFIG_LIMIT } from '../../spec/image-document.ts';
import { type ImageManifest, isImage, parseManifest } from '../../spec/image-manifest.ts';
import { choosePlatform, type NamedPlatform, platformName, platformRank } from '../../spec/platform-match.ts';
import { canonical, familiar, manifestReference, type Reference } from '../../spec/reference.ts';
import { tellImage } from '../events/images.ts';
import { type BlobSource, fetchBlob, fetchLayer } from './fetch.ts';
import { noMatch } from './platform.ts';
import { SILENT } from './reporter.ts';
import type { Shop } from './shop.ts';
import { eachAtOnce, layersOf, shortId } from './unpack.ts';

/** What a pull needs of a registry. */
export interface PullSource extends BlobSource {
  resolve(reference: Reference): Promise<Descriptor>;
  /** Verified against its digest, at most 4 MiB. */
  manifest(
    what: Reference | Descriptor,
  ): Promise<{ readonly descriptor: Descriptor; readonly bytes: Uint8Array }>;
}

export interface PullOptions {
  readonly platform: NamedPlatform;
  /** Whether the platform was asked for: another one is then an error. */
  readonly explicit: boolean;
}

/** What a pull has brought. */
export interface Pulled {
  readonly reference: Reference;
  /** Of what the name stands for: an index or a manifest. */
  readonly top: Descriptor;
  readonly isNewer: boolean;
}

/** Layers that come at the same time (docker's number). */
const AT_ONCE = 3;
/** Indexes in indexes. */
const DEPTH = 4;

/** Throws CaissonError; what has come so far stays for the next attempt. */
export async function pullImage(
  shop: Shop,
  source: PullSource,
  reference: Reference,
  options: PullOptions,
): Promise<Pulled> {
  const { store, reporter } = shop;
  reporter.line(`${manifestReference(reference)}: Pulling from ${reference.path}`);
  const before = store.names.get(reference)?.digest;
  const top = await source.manifest(reference);
  const found = await findManifest(shop, source, top, options, familiar(reference));
  await fetchImage(shop, source, found, options);
  await store.names.set(reference, top.descriptor);
  tellImage(shop, 'pull', familiar(reference));
  const isNewer = before !== top.descriptor.digest;
  reporter.line(`Digest: ${top.descriptor.digest}`);
  reporter.line(
    `Status: ${isNewer ? 'Downloaded newer image' : 'Image is up to date'} for ${familiar(reference)}`,
  );
  return { reference, top: top.descriptor, isNewer };
}

/** An image that is in the store, without a name. */
export type BroughtImage = Pick<FoundManifest, 'manifest'>;

/** As `pullImage`, of a descriptor: nothing is named. `what` is for messages. Throws CaissonError. */
export async function bringImage(
  shop: Shop,
  source: Pick<PullSource, 'manifest' | 'blob'>,
  descriptor: Descriptor,
  what: string,
  options: PullOptions,
): Promise<BroughtImage> {
  const found = await findManifest(shop, source, await source.manifest(descriptor), options, what);
  await fetchImage(shop, source, found, options);
  return found;
}

interface Document {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

interface FoundManifest {
  readonly manifest: ImageManifest;
  readonly reference: string;
}

/** Follows indexes to the manifest for the platform; the documents on the way are stored. */
async function findManifest(
  shop: Shop,
  source: Pick<PullSource, 'manifest'>,
  top: Document,
  { platform }: PullOptions,
  reference: string,
): Promise<FoundManifest> {
  let at = top;
  for (let depth = 0; depth < DEPTH; depth++) {
    const { descriptor, bytes } = at;
    const document = parseManifest(fromArray(bytes), descriptor.mediaType);
    await putExactly(shop, descriptor, bytes);
    if (document.kind === 'manifest') {
      if (!isImage(document)) throw noImage(document, reference);
      return { manifest: document, reference };
    }
    const chosen = choosePlatform(document, platform);
    if (chosen === undefined) throw noMatch(document, platform, shop.host, reference);
    at = await source.manifest(chosen);
  }
  throw new CaissonError(`${reference}: its indexes are nested too deeply`, { code: 'EDOCUMENT' });
}

function noImage({ artifactType, config }: ImageManifest, reference: string): CaissonError {
  return new CaissonError(`${reference} is no image but an artifact (${artifactType ?? config.mediaType})`, {
    code: 'ENOIMAGE',
    exitCode: 1,
  });
}

async function putExactly({ store }: Shop, descriptor: Descriptor, bytes: Uint8Array): Promise<void> {
  if (store.blobs.has(descriptor.digest)) return;
  const ingest = await store.blobs.ingest(descriptor);
  try {
    await ingest.restart();
    if (ingest.offset === 0) await ingest.write(bytes);
    await ingest.commit();
  } catch (error) {
    await ingest.abort(false);
    throw error;
  }
}

async function fetchImage(
  shop: Shop,
  source: BlobSource,
  { manifest, reference }: FoundManifest,
  options: PullOptions,
): Promise<void> {
  if (manifest.config.size > CONFIG_LIMIT)
    throw new CaissonError(`${reference}: its configuration is too large`, { code: 'EDOCUMENT' });
  // docker tells of layers alone.
  await fetchBlob({ ...shop, reporter: SILENT }, source, manifest.config);
  const config = parseImageConfig(fromArray(await shop.store.blobs.read(manifest.config, CONFIG_LIMIT)));
  checkLayerCount(manifest, config, 'image configuration');
  if (options.explicit) refuseOther(config, options.platform, reference);
  const layers = layersOf(manifest.layers, config.diffIds, chainIds(config.diffIds));
  for (const { descriptor } of layers)
    shop.reporter.part({ id: shortId(descriptor.digest), status: 'Pulling fs layer' });
  await eachAtOnce(layers, AT_ONCE, async (layer) => {
    const { descriptor, chain } = layer;
    const id = shortId(descriptor.digest);
    const there = shop.store.blobs.has(descriptor.digest) && shop.store.layers.get(chain) !== undefined;
    if (!there) await fetchLayer(shop, source, layer);
    shop.reporter.part({ id, status: there ? 'Already exists' : 'Pull complete' });
  });
}

function refuseOther(config: ImageConfig, wanted: NamedPlatform, reference: string): void {
  if (config.architecture === '' || platformRank(wanted, config) !== undefined) return;
  throw new CaissonError(
    `image with reference ${reference} was found but its platform (${platformName(config)}) does not match the specified platform (${platformName(wanted)})`,
    { code: 'EPLATFORM', exitCode: 1 },
  );
}

/** What `pull` prints last. */
export function pulledName(reference: Reference): string {
  return canonical(reference);
}
