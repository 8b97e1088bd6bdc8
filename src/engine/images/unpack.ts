// Unpacks the layers of an image, those that are not unpacked yet, each into a directory of its own.
import type { AppliedLayer, applyLayer } from '../../image/layer/apply.ts';
import type { LayerFacts, LayerPath } from '../../image/store/layers.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import type { PartStatus } from './reporter.ts';
import type { Shop } from './shop.ts';

/** One layer of an image, as manifest and configuration describe it. */
export interface LayerOf {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly chain: Digest;
  readonly parent: Digest | undefined;
}

/** The layers, lowest first. `chains` are those of the configuration's diff IDs. */
export function layersOf(
  layers: readonly Descriptor[],
  diffIds: readonly Digest[],
  chains: readonly Digest[],
): LayerOf[] {
  return layers.map((descriptor, at) => ({
    descriptor,
    diffId: diffIds[at] as Digest,
    chain: chains[at] as Digest,
    parent: at === 0 ? undefined : chains[at - 1],
  }));
}

/** How a part of the work is called: docker's twelve digits. */
export function shortId(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1).slice(0, 12);
}

/** The compressed bytes of a layer, from wherever they come. */
export interface LayerContent {
  bytes(): AsyncIterable<Uint8Array>;
  /** Resolves when the blob is in the store, verified; throws when it is not what its digest says. */
  verified(): Promise<void>;
  /** What is to be thrown when the bytes could not be unpacked for this reason: they may have been wrong. */
  explain(error: unknown): Promise<unknown>;
}

/**
 * The unpacked layer. Of several programs one unpacks, and the others wait. Without `open` the layer's blob must be in
 * the store. Throws CaissonError `EARCHIVE` for a layer that is none, `EDIGEST` for another one than the configuration
 * says, and what `open` and its content throw; nothing of the layer is to be seen then.
 */
export async function unpackLayer(
  shop: Shop,
  { descriptor, diffId, chain, parent }: LayerOf,
  open: () => LayerContent | Promise<LayerContent> = () => storedContent(shop, descriptor),
): Promise<LayerPath> {
  const there = shop.store.layers.get(chain);
  if (there !== undefined) return there;
  // What unpacks is loaded where something is to be unpacked, and before anything is made.
  const { applyLayer: how } = await import('../../image/layer/apply.ts');
  return await shop.store.layers.create(chain, parent, async (target, wrote): Promise<LayerFacts> => {
    const content = await open();
    const applied = await apply(shop, how, content, descriptor, target, wrote);
    await content.verified();
    if (applied.diffId !== diffId) throw otherLayer(descriptor, diffId, applied.diffId);
    return {
      diffId,
      size: applied.fileBytes,
      members: applied.members,
      owners: applied.owners === 'kept' ? 'keep' : 'squash',
      xattrs: applied.userxattr ? 'user' : 'trusted',
      ...(applied.opaqueRoot ? { opaqueRoot: true } : {}),
      ...(applied.namesRoot ? { namesRoot: true } : {}),
    };
  });
}

async function apply(
  { port }: Shop,
  how: typeof applyLayer,
  content: LayerContent,
  { digest, mediaType }: Descriptor,
  target: Bytes,
  wrote: (bytes: number) => void,
): Promise<AppliedLayer> {
  let told = 0;
  const progress = (bytes: number) => {
    wrote(bytes - told);
    told = bytes;
  };
  try {
    const options = { cause: `layer ${digest}`, form: 'overlay', progress } as const;
    return await how(port, content.bytes(), mediaType, target, options);
  } catch (error) {
    throw await content.explain(error);
  }
}

function storedContent({ store, reporter }: Shop, descriptor: Descriptor): LayerContent {
  const { digest, size: total } = descriptor;
  const tell = (status: Omit<PartStatus, 'id' | 'status'>) => {
    reporter.part({ id: shortId(digest), status: 'Extracting', ...status });
  };
  return {
    bytes: () => {
      tell({});
      return counted(store.blobs.stream(descriptor), (current) => tell({ current, total }));
    },
    // At the end of the stream.
    verified: async () => undefined,
    explain: async (error) => error,
  };
}

async function* counted(
  content: AsyncIterable<Uint8Array>,
  tell: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    yield chunk;
    tell(bytes);
  }
}

function otherLayer({ digest }: Descriptor, expected: Digest, found: Digest): CaissonError {
  return new CaissonError(
    `layer ${digest} unpacks to ${found}, and the image's configuration says ${expected}`,
    {
      code: 'EDIGEST',
      details: [
        'manifest and configuration do not belong together: the image is broken, or somebody deceives you',
      ],
    },
  );
}

/** What a container of the image sees of these layers, lowest first: nothing below one that hides all. */
export function visibleLayers(layers: readonly LayerPath[]): readonly LayerPath[] {
  return layers.slice(
    Math.max(
      0,
      layers.findLastIndex(({ facts }) => facts.opaqueRoot === true),
    ),
  );
}

/** Layers that are unpacked at the same time; more would only wait for processors. */
const AT_ONCE = 3;

/** Unpacks all layers of an image whose blobs are in the store. Throws what the first that fails throws. */
export async function unpackAll(shop: Shop, layers: readonly LayerOf[]): Promise<LayerPath[]> {
  return await eachAtOnce(layers, AT_ONCE, (layer) => unpackLayer(shop, layer));
}

/**
 * Works on several at the same time, in order. When one fails no further one is begun; it throws once those that are
 * under way have ended.
 */
export async function eachAtOnce<T, R>(
  items: readonly T[],
  most: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  let failed: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    while (next < items.length && failed === undefined) {
      const at = next++;
      try {
        results[at] = await work(items[at] as T);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
  if (failed !== undefined) throw failed.error;
  return results;
}
