// A new image of layers that are in the store and a configuration that is made here.
import { configDocument, type ImageDraft } from '../../build/graph/image-draft.ts';
import { chainIds } from '../../image/store/chain.ts';
import { type Bytes, toArray } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { stringifyJson } from '../../spec/json.ts';
import { OCI_CONFIG, OCI_MANIFEST } from '../../spec/media-types.ts';
import { parseReference, type Reference } from '../../spec/reference.ts';
import type { Shop } from './shop.ts';
import { layersOf, unpackAll } from './unpack.ts';

export interface NewImage {
  readonly draft: ImageDraft;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly Digest[];
  /** RFC 3339. */
  readonly created: string;
  /** Without one the image has none. */
  readonly name: Reference | undefined;
}

/** Unpacks what is not unpacked, writes configuration and manifest, and names the image. The result is its ID. */
export async function makeImage(shop: Shop, image: NewImage): Promise<Digest> {
  const { draft, layers, diffIds, created, name } = image;
  await unpackAll(shop, layersOf(layers, diffIds, chainIds(diffIds)));
  const config = await shop.store.blobs.put(
    OCI_CONFIG,
    toArray(configDocument(draft, { diffIds, created, labels: new Map() })),
  );
  const manifest = stringifyJson({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers });
  const descriptor = await shop.store.blobs.put(OCI_MANIFEST, toArray(manifest));
  await shop.store.names.change(name === undefined ? { keep: [descriptor] } : { set: [[name, descriptor]] });
  return config.digest;
}

/** `REPOSITORY[:TAG]` of a command that makes an image. Throws CaissonError `EREFERENCE`. */
export function newName(text: Bytes | undefined): Reference | undefined {
  if (text === undefined || text === '') return undefined;
  const reference = parseReference(text);
  if (reference.digest === undefined) return reference;
  throw new CaissonError('cannot import digest reference: give a name with a tag', { code: 'EREFERENCE' });
}
