// How much a store holds and what of it could go: the figures of `caisson system df`.
import type { Digest } from '../../spec/digest.ts';
import type { Blobs, StoreContext } from './blobs.ts';
import { closureOf } from './closure.ts';
import { listBlobs, mark } from './garbage.ts';
import { readIndex } from './index-file.ts';
import type { Layers } from './layers.ts';
import type { Pin } from './pins.ts';
import { pinFiles, readPin } from './pins.ts';

/** One image of the store, whatever its names. Sizes are in bytes. */
export interface ImageUsage {
  readonly digest: Digest;
  readonly names: readonly string[];
  /** Of its blobs, as they were pulled. */
  readonly blobs: number;
  /** Of its unpacked layers. */
  readonly layers: number;
  /** Blobs and layers that other images have as well. */
  readonly shared: number;
  /** What would be free without it. */
  readonly unique: number;
  /** Whether a pin keeps it: a container uses it. */
  readonly pinned: boolean;
}

/** Sizes are in bytes. */
export interface StoreUsage {
  readonly images: readonly ImageUsage[];
  readonly blobs: { readonly count: number; readonly bytes: number };
  readonly layers: { readonly count: number; readonly bytes: number };
  /** Parts of pulls that wait for being continued. */
  readonly unfinished: { readonly count: number; readonly bytes: number };
  readonly quarantine: { readonly count: number; readonly bytes: number };
  /** What neither name nor pin leads to: the next garbage collection frees it. */
  readonly garbage: number;
  /** Of the file system. */
  readonly disk: { readonly size: number; readonly available: number };
}

/** Something that takes room: a blob or an unpacked layer, by a key that tells them apart. */
type Part = readonly [key: string, size: number];

export async function usage(
  context: StoreContext,
  blobs: Blobs,
  layers: Layers,
  keep: Iterable<Pin> = [],
): Promise<StoreUsage> {
  const { disk, paths } = context;
  const extra = [...keep];
  const marked = await mark(context, blobs, layers, extra);
  const allBlobs = listBlobs(context).map((digest) => ({ digest, size: blobs.size(digest) ?? 0 }));
  const allLayers = layers.list().map((chain) => ({ chain, size: layers.get(chain)?.facts.size ?? 0 }));
  const pins = [...pinFiles(disk, paths).map(({ path }) => readPin(disk, path)), ...extra];
  const garbage =
    sum(allBlobs.filter(({ digest }) => !marked.blobs.has(digest))) +
    sum(allLayers.filter(({ chain }) => !marked.chains.has(chain)));
  return {
    images: await imagesOf(context, blobs, layers, pins),
    blobs: { count: allBlobs.length, bytes: sum(allBlobs) },
    layers: { count: allLayers.length, bytes: sum(allLayers) },
    unfinished: filesIn(context, paths.ingest),
    quarantine: filesIn(context, paths.quarantine),
    garbage,
    disk: disk.space(paths.root),
  };
}

async function imagesOf(
  context: StoreContext,
  blobs: Blobs,
  layers: Layers,
  pins: readonly Pin[],
): Promise<ImageUsage[]> {
  const images = new Map<Digest, { names: string[]; parts: Part[] }>();
  for (const { name, descriptor } of readIndex(context.disk, context.paths).entries) {
    const known = images.get(descriptor.digest);
    if (known !== undefined) {
      if (name !== undefined) known.names.push(name);
      continue;
    }
    const closure = await closureOf(blobs, descriptor);
    const parts: Part[] = [
      ...[...closure.blobs.keys()].map((digest): Part => [`blob ${digest}`, blobs.size(digest) ?? 0]),
      ...[...closure.chains].map((chain): Part => [`layer ${chain}`, layers.get(chain)?.facts.size ?? 0]),
    ];
    images.set(descriptor.digest, { names: name === undefined ? [] : [name], parts });
  }
  const users = new Map<string, number>();
  for (const { parts } of images.values())
    for (const [key] of parts) users.set(key, (users.get(key) ?? 0) + 1);
  const pinned = new Set(pins.flatMap(({ images: kept = [] }) => kept.map(({ digest }) => digest)));
  return [...images].map(([digest, { names, parts }]) => {
    const of = (wanted: (key: string) => boolean) =>
      parts.reduce((total, [key, size]) => total + (wanted(key) ? size : 0), 0);
    return {
      digest,
      names,
      blobs: of((key) => key.startsWith('blob ')),
      layers: of((key) => key.startsWith('layer ')),
      shared: of((key) => (users.get(key) ?? 0) > 1),
      unique: of((key) => users.get(key) === 1),
      pinned: pinned.has(digest),
    };
  });
}

function sum(parts: readonly { readonly size: number }[]): number {
  return parts.reduce((total, { size }) => total + size, 0);
}

/** Names in a directory; directories in it count as one, with no bytes. */
function filesIn({ disk }: StoreContext, directory: string): { count: number; bytes: number } {
  const names = disk.list(directory) ?? [];
  const files = names.filter(({ type }) => type === 'file');
  const bytes = files.reduce((total, { name }) => total + (disk.stat(`${directory}/${name}`)?.size ?? 0), 0);
  return { count: names.length, bytes };
}
