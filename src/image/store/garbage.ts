// The garbage collector: marks what names and pins lead to, and removes the rest while nobody else uses the store.
//
// References are never counted in a file, which a crash could make wrong: they are found anew each time. A collector that
// is killed has removed some of what nobody needed; the next one goes on.
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Blobs, StoreContext } from './blobs.ts';
import { closureOf } from './closure.ts';
import { readIndex } from './index-file.ts';
import type { Layers } from './layers.ts';
import { ALGORITHMS, digestOfBlob } from './paths.ts';
import { type Pin, pinFiles, readPin } from './pins.ts';
import { keepReserve } from './reserve.ts';
import { Sweep } from './sweep.ts';

export interface GarbageOptions {
  /** Further things to keep: what a caller knows to be in use that no pin says. Asked under the lock; it must not change this store. */
  readonly keep?: () => Iterable<Pin> | Promise<Iterable<Pin>>;
  /** Milliseconds for which the part of an interrupted pull waits for being continued; default a day. */
  readonly partialAge?: number;
  /** What was set aside as damaged goes, too. */
  readonly quarantine?: boolean;
  /** Only says what would be removed. */
  readonly dryRun?: boolean;
  /** Milliseconds to wait for others who use the store; default 0. */
  readonly patience?: number;
}

/** What was removed. */
export interface GarbageReport {
  /** Others use the store: nothing was done. What is garbage stays garbage, for the next time. */
  readonly busy: boolean;
  readonly blobs: readonly Digest[];
  readonly layers: readonly Digest[];
  /** Parts of pulls, layers half unpacked or half removed: how many. */
  readonly unfinished: number;
  /** Bytes that have become free: of files as long as they are, of layers as their facts say. */
  readonly bytes: number;
  /**
   * One line each: images of which something is missing or damaged (what is left of them is kept), and trees that could
   * not be removed (the next collection tries again).
   */
  readonly problems: readonly string[];
}

/** What must stay. */
export interface Marked {
  readonly blobs: Set<Digest>;
  readonly chains: Set<Digest>;
  readonly problems: string[];
}

const DAY = 24 * 3600 * 1000;

/**
 * Everything that names, pins and `keep` lead to. Throws CaissonError `ESTORE` where that cannot be known: then nothing
 * may be removed.
 */
export async function mark(
  context: StoreContext,
  blobs: Blobs,
  layers: Layers,
  keep: Iterable<Pin>,
): Promise<Marked> {
  const { disk, paths } = context;
  const { entries, damaged } = readIndex(disk, paths);
  if (damaged.length > 0) {
    throw new CaissonError(`${paths.index} has damaged entries: ${damaged[0]}`, {
      code: 'ESTORE',
      details: ['nothing is removed before `caisson image verify` has set them aside'],
    });
  }
  const pins = [...pinFiles(disk, paths).map(({ path }) => readPin(disk, path)), ...keep];
  const marked: Marked = { blobs: new Set(), chains: new Set(), problems: [] };
  const roots = [
    ...entries.map(({ descriptor }) => descriptor),
    ...pins.flatMap(({ images = [] }) => images),
  ];
  for (const descriptor of new Map(roots.map((one) => [one.digest, one])).values())
    await markImage(blobs, descriptor, marked);
  for (const { layers: chains = [], blobs: single = [] } of pins) {
    for (const chain of chains) marked.chains.add(chain);
    for (const digest of single) marked.blobs.add(digest);
  }
  markParents(layers, marked.chains);
  for (const { trees = [] } of pins) for (const chain of trees) marked.chains.add(chain);
  return marked;
}

async function markImage(blobs: Blobs, descriptor: Descriptor, marked: Marked): Promise<void> {
  const { blobs: found, chains, problems } = await closureOf(blobs, descriptor);
  for (const digest of found.keys()) marked.blobs.add(digest);
  for (const chain of chains) marked.chains.add(chain);
  marked.problems.push(...problems);
}

/** A pin may name the topmost layer alone. */
function markParents(layers: Layers, chains: Set<Digest>): void {
  // A set that grows while it is walked brings its new members, too.
  for (const chain of chains) {
    const parent = layers.get(chain)?.parent;
    if (parent !== undefined) chains.add(parent);
  }
}

/** The caller holds the store's lock exclusively. Throws CaissonError `ESTORE` when nothing may be removed. */
export async function collect(
  context: StoreContext,
  blobs: Blobs,
  layers: Layers,
  options: GarbageOptions,
): Promise<GarbageReport> {
  const { disk, paths } = context;
  // Someone may have been killed between the rename of index.json and the sync of its name: what is removed now must
  // not come back as a name without an image.
  await disk.syncDirectory(paths.root);
  const marked = await mark(context, blobs, layers, (await options.keep?.()) ?? []);
  const sweep = new Sweep(context, options.dryRun ?? false);
  const deadLayers = layers.list().filter((chain) => !marked.chains.has(chain));
  await sweep.layers(deadLayers.map((chain) => ({ chain, size: layers.get(chain)?.facts.size ?? 0 })));
  const deadBlobs = listBlobs(context).filter((digest) => !marked.blobs.has(digest));
  for (const digest of deadBlobs) sweep.file(paths.blob(digest));
  const unfinished = await sweep.unfinished(options.partialAge ?? DAY);
  if (options.quarantine === true) await sweep.quarantine();
  const { bytes } = sweep;
  if (options.dryRun !== true) keepReserve(disk, paths);
  return {
    busy: false,
    blobs: deadBlobs,
    layers: deadLayers,
    unfinished,
    bytes,
    problems: [...marked.problems, ...sweep.problems],
  };
}

/** All blobs, by name. */
export function listBlobs({ disk, paths }: StoreContext): Digest[] {
  return ALGORITHMS.flatMap((algorithm) =>
    (disk.list(`${paths.blobs}/${algorithm}`) ?? []).flatMap(
      ({ name }) => digestOfBlob(algorithm, name) ?? [],
    ),
  ).sort();
}
