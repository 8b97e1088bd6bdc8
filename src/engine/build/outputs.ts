// Gives the result of a build to where it was asked to go: the store, a directory, an archive.
import type { BuildEnvironment } from '../../build/execute/environment.ts';
import { openLayers } from '../../build/execute/host-stage.ts';
import type { StageResult } from '../../build/execute/result.ts';
import { exportLayers, type LayerExport } from '../../build/export/layers.ts';
import { settleTimes } from '../../build/export/times.ts';
import { cloneDraft, configDocument } from '../../build/graph/image-draft.ts';
import { copyFiles } from '../../build/tree/copy.ts';
import { walk } from '../../build/tree/walk.ts';
import type { TreeWorker } from '../../build/tree/worker.ts';
import { type Bytes, toArray } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { stringifyJson } from '../../spec/json.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../spec/media-types.ts';
import { type NamedPlatform, platformName } from '../../spec/platform-match.ts';
import { canonical, type Reference } from '../../spec/reference.ts';
import { newName } from '../images/new-image.ts';
import { storeContent } from '../images/scratch.ts';
import type { Shop } from '../images/shop.ts';
import { keepLayers } from './keep-layers.ts';
import type { BuildOutput } from './output-flag.ts';

export interface OutputOptions {
  readonly labels: ReadonlyMap<string, string>;
  readonly tags: readonly Bytes[];
  readonly outputs: readonly BuildOutput[];
  /** Seconds. */
  readonly epoch: number | undefined;
}

/** What was built for one platform. */
export interface PlatformResult {
  readonly platform: NamedPlatform;
  readonly result: StageResult;
}

/** An image that was built. */
export interface BuiltImage {
  /** Of its configuration; of an index its own. */
  readonly id: Digest;
  readonly descriptor: Descriptor;
  readonly names: readonly Reference[];
}

/**
 * Throws CaissonError. The result is the image, where one was made; of several platforms the index of their images, or a
 * directory for each.
 */
export async function giveOut(
  shop: Shop,
  environment: BuildEnvironment,
  worker: TreeWorker,
  results: readonly PlatformResult[],
  options: OutputOptions,
): Promise<BuiltImage | undefined> {
  let built: BuiltImage | undefined;
  for (const output of options.outputs) {
    const vertex = environment.progress.begin(titleOf(output));
    try {
      built = (await giveOne(shop, environment, worker, results, output, options)) ?? built;
      vertex.done();
    } catch (error) {
      vertex.failed();
      throw error;
    }
  }
  return built;
}

async function giveOne(
  shop: Shop,
  environment: BuildEnvironment,
  worker: TreeWorker,
  results: readonly PlatformResult[],
  output: BuildOutput,
  options: OutputOptions,
): Promise<BuiltImage | undefined> {
  const [{ result }] = results as [PlatformResult];
  const { type, destination } = output;
  if (type === 'cacheonly') return undefined;
  if (type === 'local') {
    for (const one of results) {
      const below = results.length === 1 ? '' : `/${platformName(one.platform).replaceAll('/', '_')}`;
      await toDirectory(environment, worker, one.result, `${destination}${below}`);
    }
    return undefined;
  }
  if (type === 'tar') {
    await toArchive(shop, environment, worker, result, output, options.epoch);
    return undefined;
  }
  const built =
    results.length === 1
      ? await makeImage(shop, environment, result, output, options)
      : await makeIndex(shop, environment, results, output, options);
  const names = [...options.tags, ...output.names].flatMap((tag) => newName(tag) ?? []);
  await name(shop, built.descriptor, names);
  if (type !== 'image') await saveImage(shop, { ...built, names }, output);
  return { ...built, names };
}

/** Throws CaissonError `EUSAGE` for what has no room for several platforms. */
export function checkOutputs(outputs: readonly BuildOutput[], platforms: number): void {
  const odd = outputs.find(({ type }) => !['image', 'local', 'cacheonly'].includes(type));
  if (platforms < 2 || odd === undefined) return;
  throw new CaissonError(
    `--output type=${odd.type} has room for one platform: use type=image or type=local`,
    {
      code: 'EUSAGE',
    },
  );
}

function titleOf({ type, destination }: BuildOutput): string {
  if (type === 'image') return 'exporting to image';
  if (type === 'cacheonly') return 'keeping the result in the cache';
  return `exporting to ${type} ${destination}`;
}

/** Images of several platforms, and the index of them (image-spec, image-index.md). */
async function makeIndex(
  shop: Shop,
  environment: BuildEnvironment,
  results: readonly PlatformResult[],
  output: BuildOutput,
  options: OutputOptions,
): Promise<Omit<BuiltImage, 'names'>> {
  const manifests: Descriptor[] = [];
  for (const { platform, result } of results) {
    const { descriptor } = await makeImage(shop, environment, result, output, options);
    const { os, architecture, variant } = platform;
    manifests.push({
      ...descriptor,
      platform: { architecture, os, ...(variant === undefined ? {} : { variant }) },
    });
  }
  const document = stringifyJson({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  const descriptor = await shop.store.blobs.put(OCI_INDEX, toArray(document));
  return { id: descriptor.digest, descriptor };
}

/** Layers, configuration and manifest. */
async function makeImage(
  shop: Shop,
  environment: BuildEnvironment,
  result: StageResult,
  output: BuildOutput,
  { labels, epoch }: OutputOptions,
): Promise<Omit<BuiltImage, 'names'>> {
  const { store, port } = shop;
  const { compression, level } = output;
  const to: LayerExport = {
    port,
    disk: environment.disk,
    has: (digest) => store.blobs.has(digest),
    store: (mediaType, produce) => storeContent(shop, mediaType, produce),
  };
  const layers = await exportLayers(to, result.layers, { compression, level, epoch });
  await keepLayers(shop, environment, result.layers, layers, epoch);
  const draft = cloneDraft(result.state.draft);
  const inherited = result.inheritedHistory;
  const created = settleTimes(draft, inherited, epoch, new Date());
  const diffIds = layers.map(({ diffId }) => diffId);
  const config = await store.blobs.put(
    OCI_CONFIG,
    toArray(configDocument(draft, { diffIds, created, labels })),
  );
  const manifest = stringifyJson({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config,
    layers: layers.map(({ descriptor }) => descriptor),
  });
  const descriptor = await store.blobs.put(OCI_MANIFEST, toArray(manifest));
  return { id: config.digest, descriptor };
}

/** Names that stand for it already need no write. */
async function name({ store }: Shop, descriptor: Descriptor, names: readonly Reference[]): Promise<void> {
  const known = store.names.list();
  const has = (reference: Reference) =>
    known.some(
      (entry) => entry.name === canonical(reference) && entry.descriptor.digest === descriptor.digest,
    );
  const missing = names.filter((reference) => !has(reference));
  if (missing.length > 0)
    await store.names.change({ set: missing.map((reference) => [reference, descriptor] as const) });
  else if (names.length === 0 && !known.some((entry) => entry.descriptor.digest === descriptor.digest))
    await store.names.change({ keep: [descriptor] });
}

/** The files of the result, into a directory of the caller's; they belong to the caller. */
async function toDirectory(
  environment: BuildEnvironment,
  worker: TreeWorker,
  result: StageResult,
  destination: Bytes,
): Promise<void> {
  const { port } = environment;
  const path = destination.startsWith('/') ? destination : `${port.cwd}/${destination}`;
  port.makeDirectory(path);
  await copyOut(environment, worker, result, path, true);
}

async function copyOut(
  environment: BuildEnvironment,
  worker: TreeWorker,
  result: StageResult,
  path: Bytes,
  mine: boolean,
): Promise<void> {
  const view = await openLayers(environment, worker, result.layers);
  const to = await worker.openDirectory(path);
  try {
    const entries = (await walk(worker, view.root)).filter(
      ({ type }) => worker.rights.devices || (type !== 'character' && type !== 'block'),
    );
    const items = entries.map((entry) => ({ entry, to: entry.path }));
    const owner = mine ? { uid: 0, gid: 0 } : undefined;
    await copyFiles(worker, items, { from: view.root, to, owner, mode: '' });
  } finally {
    await worker.shut(to);
    await view.close();
  }
}

/** A plain archive of the files. */
async function toArchive(
  shop: Shop,
  environment: BuildEnvironment,
  worker: TreeWorker,
  result: StageResult,
  { destination }: BuildOutput,
  epoch: number | undefined,
): Promise<void> {
  const room = environment.session.room('tree');
  await copyOut(environment, worker, result, room, false);
  const { writeLayer } = await import('../../image/layer/write.ts');
  const { descriptor } = await storeContent(shop, 'application/x-tar', (sink) =>
    writeLayer(
      shop.port,
      room,
      { form: 'plain', compression: 'none', cause: 'the result', ...(epoch === undefined ? {} : { epoch }) },
      sink,
    ),
  );
  await write(shop, destination, shop.store.blobs.stream(descriptor));
}

async function write(shop: Shop, destination: Bytes, content: AsyncIterable<Uint8Array>): Promise<void> {
  const { writeOutput } = await import('../images/streams.ts');
  await writeOutput(shop.port, destination === '-' ? undefined : destination, content);
}

async function saveImage(shop: Shop, built: BuiltImage, { type, destination }: BuildOutput): Promise<void> {
  const { saveImages } = await import('../images/archives.ts');
  const texts = built.names.length > 0 ? built.names.map(canonical) : [built.id];
  const format = type === 'oci' ? 'oci' : 'docker';
  await write(shop, destination, await saveImages(shop, texts, format, undefined));
}
