// `import`: an image of one layer, from the archive of a root file system.

import { createHash } from 'node:crypto';
import { emptyDraft } from '../../build/graph/image-draft.ts';
import { compressionOf } from '../../image/compression.ts';
import { compress, layerMediaType } from '../../image/layer/compress.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { bytesToUtf8 } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { type Digest, digestOf } from '../../spec/digest.ts';
import { OCI_LAYER_GZIP, OCI_LAYER_ZSTD } from '../../spec/media-types.ts';
import type { NamedPlatform } from '../../spec/platform-match.ts';
import type { Reference } from '../../spec/reference.ts';
import { tellImage } from '../events/images.ts';
import { applyChanges } from './changes.ts';
import { makeImage } from './new-image.ts';
import { ingestFile, storeContent } from './scratch.ts';
import type { Shop } from './shop.ts';
import type { Source } from './streams.ts';

export interface ImportOptions {
  readonly name: Reference | undefined;
  readonly changes: readonly Bytes[];
  readonly message: Bytes | undefined;
  readonly platform: NamedPlatform;
  /** For the history: where the archive came from. */
  readonly from: string;
}

/** The ID of the new image. Throws CaissonError `EARCHIVE` for what is no archive of a root. */
export async function importImage(shop: Shop, source: Source, options: ImportOptions): Promise<Digest> {
  const { platform, changes, name } = options;
  const created = new Date().toISOString();
  const empty = emptyDraft(platform);
  const comment =
    options.message === undefined ? `Imported from ${options.from}` : bytesToUtf8(options.message);
  const draft = applyChanges({ ...empty, config: { Env: [] } }, changes, platform);
  const { descriptor, diffId } = await storeLayer(shop, source);
  const id = await makeImage(shop, {
    draft: { ...draft, history: [{ created, comment }] },
    layers: [descriptor],
    diffIds: [diffId],
    created,
    name,
  });
  tellImage(shop, 'import', id);
  return id;
}

interface StoredLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

/** What is compressed stays as it is; what is not is compressed, for it may be pushed. */
async function storeLayer(shop: Shop, source: Source): Promise<StoredLayer> {
  const compression = await compressionName(source);
  const hash = createHash('sha256');
  if (compression === 'gzip' || compression === 'zstd') {
    for await (const chunk of source.plain()) hash.update(chunk);
    const descriptor = await describe(source, compression === 'gzip' ? OCI_LAYER_GZIP : OCI_LAYER_ZSTD);
    await ingestFile(shop.store, descriptor, source.read());
    return { descriptor, diffId: digestOf('sha256', hash.digest('hex')) };
  }
  const { descriptor } = await storeContent(shop, layerMediaType('gzip'), async (sink) => {
    const hashed = async function* () {
      for await (const chunk of source.plain()) {
        hash.update(chunk);
        yield chunk;
      }
    };
    for await (const chunk of compress(hashed(), { compression: 'gzip' })) sink(chunk);
  });
  return { descriptor, diffId: digestOf('sha256', hash.digest('hex')) };
}

async function compressionName(source: Source): Promise<string | undefined> {
  for await (const chunk of source.read()) return compressionOf(chunk)?.name;
  return undefined;
}

async function describe(source: Source, mediaType: string): Promise<Descriptor> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of source.read()) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { mediaType, digest: digestOf('sha256', hash.digest('hex')), size };
}
