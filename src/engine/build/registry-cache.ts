// `--cache-from` and `--cache-to` with a registry: results of steps come from there, and go there.
import {
  CACHE_CONFIG,
  type CacheRecord,
  cacheDocument,
  parseCacheDocument,
  type RemoteCache,
  type RemoteResult,
} from '../../build/cache/remote.ts';
import type { KeptStep } from '../../build/cache/steps.ts';
import type { BuildEnvironment } from '../../build/execute/environment.ts';
import { exportStep, type LayerExport } from '../../build/export/layers.ts';
import type { Registry } from '../../distribution/registry.ts';
import { bytesToUtf8, fromArray, toArray } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { CaissonError } from '../../spec/error.ts';
import { CONFIG_LIMIT } from '../../spec/image-document.ts';
import { parseImageManifest } from '../../spec/image-manifest.ts';
import { stringifyJson } from '../../spec/json.ts';
import { OCI_MANIFEST } from '../../spec/media-types.ts';
import type { Reference } from '../../spec/reference.ts';
import { registryConfiguration, withRegistry } from '../images/registry.ts';
import { storeContent } from '../images/scratch.ts';
import type { Shop } from '../images/shop.ts';
import type { CachePlace } from './cache-flag.ts';

/** What all these references offer; one that cannot be had is a warning, and the build goes on. */
export async function openCaches(
  shop: Shop,
  places: readonly CachePlace[],
  warn: (message: string) => void,
): Promise<RemoteCache> {
  const found = new Map<string, RemoteResult>();
  for (const place of places) {
    try {
      for (const result of await resultsOf(shop, place.reference))
        for (const key of result.record.keys) if (!found.has(key)) found.set(key, result);
    } catch (error) {
      if (!(error instanceof CaissonError)) throw error;
      warn(`the cache is not used: ${bytesToUtf8(error.message)}`);
    }
  }
  return { find: (key) => found.get(key) };
}

async function resultsOf(shop: Shop, reference: Reference): Promise<RemoteResult[]> {
  const configuration = await registryConfiguration(shop.port);
  const at = <T>(work: (registry: Registry) => Promise<T>) =>
    withRegistry(configuration, reference, 'pull', shop.reporter, work);
  return await at(async (registry) => {
    const { descriptor, bytes } = await registry.manifest(reference);
    const manifest = parseImageManifest(fromArray(bytes), descriptor.mediaType);
    if (manifest.config.mediaType !== CACHE_CONFIG || manifest.config.size > CONFIG_LIMIT)
      throw new CaissonError('it is an image and no build cache', { code: 'ECACHE' });
    await fetchBlob(shop, registry, manifest.config);
    const records = parseCacheDocument(fromArray(await shop.store.blobs.read(manifest.config, CONFIG_LIMIT)));
    const layers = new Map(manifest.layers.map((layer) => [layer.digest, layer]));
    return records.flatMap((record): RemoteResult[] => {
      const layer = layers.get(record.layer);
      if (layer === undefined) return [];
      return [{ record, descriptor: layer, fetch: () => at((again) => fetchBlob(shop, again, layer)) }];
    });
  });
}

async function fetchBlob({ store }: Shop, registry: Registry, descriptor: Descriptor): Promise<void> {
  if (store.blobs.has(descriptor.digest)) return;
  const ingest = await store.blobs.ingest(descriptor);
  try {
    await ingest.restart();
    if (ingest.offset < descriptor.size) {
      const { content } = await registry.blob(descriptor, 0);
      for await (const chunk of content) await ingest.write(chunk);
    }
    await ingest.commit();
  } catch (error) {
    await ingest.abort(false);
    throw error;
  }
}

/** A result that a build used or made, with its keys. */
export interface UsedStep {
  readonly step: KeptStep;
  readonly keys: readonly string[];
}

/** Sends results to a registry, as one manifest. Throws CaissonError. */
export async function pushCache(
  shop: Shop,
  environment: BuildEnvironment,
  used: readonly UsedStep[],
  { reference }: CachePlace,
): Promise<void> {
  const to: LayerExport = {
    port: shop.port,
    disk: environment.disk,
    has: (digest) => shop.store.blobs.has(digest),
    store: (mediaType, produce) => storeContent(shop, mediaType, produce),
  };
  const records: CacheRecord[] = [];
  const layers = new Map<string, Descriptor>();
  for (const { step, keys } of used) {
    const form = { compression: 'gzip', level: undefined, epoch: undefined } as const;
    const { descriptor, diffId } = await exportStep(to, { kind: 'step', step }, form);
    layers.set(descriptor.digest, descriptor);
    records.push({ keys, layer: descriptor.digest, diffId, created: step.created, title: step.title });
  }
  const config = await shop.store.blobs.put(CACHE_CONFIG, toArray(cacheDocument(records)));
  const manifest = toArray(
    stringifyJson({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [...layers.values()] }),
  );
  const configuration = await registryConfiguration(shop.port);
  await withRegistry(configuration, reference, 'push', shop.reporter, async (registry) => {
    for (const blob of [...layers.values(), config])
      if (!(await registry.hasBlob(blob)))
        await registry.uploadBlob(blob, (offset) => shop.store.blobs.stream(blob, offset));
    await registry.putManifest(reference, OCI_MANIFEST, manifest);
  });
}
