// The images of an OCI layout (image-spec 1.1, image-layout.md) whose blobs are in the store already.
import { type Bytes, fromArray } from '../../linux/bytes.ts';
import type { Annotations, Descriptor } from '../../spec/descriptor.ts';
import { CaissonError } from '../../spec/error.ts';
import { checkLayerCount, type ImageConfig, parseImageConfig } from '../../spec/image-config.ts';
import { CONFIG_LIMIT, MANIFEST_LIMIT } from '../../spec/image-document.ts';
import { type ImageManifest, isImage, parseManifest } from '../../spec/image-manifest.ts';
import {
  choosePlatform,
  images,
  type NamedPlatform,
  offeredPlatforms,
  platformName,
} from '../../spec/platform-match.ts';
import { parseReference, type Reference } from '../../spec/reference.ts';
import type { Blobs } from './blobs.ts';
import { refused } from './survey.ts';

/** An image that has been read: everything that its manifest names is in the store. */
export interface ReadImage {
  /** Of the manifest, without annotations of the archive. */
  readonly descriptor: Descriptor;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  /** What the archive calls it, each with a tag. */
  readonly names: readonly Reference[];
}

/** An index in an index, and so on: nobody needs more. */
const DEPTH = 4;

/** Throws CaissonError where a document is no good or a blob is missing. */
export async function readLayoutImages(
  index: Uint8Array,
  blobs: Blobs,
  wanted: NamedPlatform,
): Promise<ReadImage[]> {
  const document = parseManifest(fromArray(index), undefined, 'index.json');
  if (document.kind !== 'index') throw refused('its index.json is no index');
  const found = new Map<string, ReadImage>();
  for (const entry of images(document)) {
    const image = await readEntry(entry, blobs, wanted, 0);
    if (image === undefined) continue;
    const key = image.descriptor.digest;
    const names = [...(found.get(key)?.names ?? []), ...namesOf(entry.annotations)];
    found.set(key, { ...image, names });
  }
  return [...found.values()];
}

/** undefined for what is no image but an artifact. */
async function readEntry(
  entry: Descriptor,
  blobs: Blobs,
  wanted: NamedPlatform,
  depth: number,
): Promise<ReadImage | undefined> {
  requireBlob(blobs, entry, 'a manifest');
  const bytes = fromArray(await blobs.read(entry, MANIFEST_LIMIT));
  const document = parseManifest(bytes, entry.mediaType);
  if (document.kind === 'manifest') return isImage(document) ? complete(entry, document, blobs) : undefined;
  if (depth >= DEPTH) throw refused('its indexes are nested too deeply');
  const chosen = choosePlatform(document, wanted);
  if (chosen === undefined) {
    throw new CaissonError(
      `the archive has no image for ${platformName(wanted)}; it has ${offeredPlatforms(document).join(', ') || 'none'}`,
      { code: 'EPLATFORM' },
    );
  }
  return readEntry(chosen, blobs, wanted, depth + 1);
}

/** Reads the configuration and sees to it that nothing is missing. */
export async function complete(
  { mediaType, digest, size }: Descriptor,
  manifest: ImageManifest,
  blobs: Blobs,
): Promise<ReadImage> {
  requireBlob(blobs, manifest.config, 'a configuration');
  for (const layer of manifest.layers) requireBlob(blobs, layer, 'a layer');
  const config = parseImageConfig(fromArray(await blobs.read(manifest.config, CONFIG_LIMIT)));
  checkLayerCount(manifest, config, 'image configuration');
  return { descriptor: { mediaType, digest, size }, manifest, config, names: [] };
}

function requireBlob(blobs: Blobs, { digest, mediaType }: Descriptor, what: string): void {
  if (!blobs.has(digest)) throw refused(`${what} is missing in it: ${digest} (${mediaType})`);
}

const REF_NAME = 'org.opencontainers.image.ref.name';
const CONTAINERD_NAME = 'io.containerd.image.name';

/**
 * What docker (through containerd), podman and skopeo call an image of a layout: containerd's annotation, or the
 * layout's own where it is more than a tag. Throws CaissonError `EREFERENCE` where containerd's is no name.
 */
function namesOf(annotations: Annotations | undefined): Reference[] {
  const full: Bytes | undefined = annotations?.[CONTAINERD_NAME];
  if (full !== undefined && full !== '') return [taggedReference(full)];
  const name = annotations?.[REF_NAME] ?? '';
  return /[/:]/.test(name) ? [taggedReference(name)] : [];
}

/** A name of an archive has a tag and no digest: what is loaded never takes a digest's place (T44). */
export function taggedReference(text: Bytes): Reference {
  const reference = parseReference(text);
  if (reference.digest === undefined && reference.tag !== undefined) return reference;
  throw refused(`it gives an image the name ${JSON.stringify(text)}, and a name in an archive has no digest`);
}
