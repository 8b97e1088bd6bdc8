// `builder prune`: removes results of builds, and the directories of caches, while nobody else uses the store.
//
// A result loses its record first, so that a half of one is never taken for it. What a killed build has left goes as well.
import { BuildPlaces } from '../../build/cache/places.ts';
import { abandoned } from '../../build/cache/session.ts';
import { findStep, readStep } from '../../build/cache/steps.ts';
import { walk } from '../../build/tree/walk.ts';
import { TreeWorker } from '../../build/tree/worker.ts';
import type { Disk } from '../../host/disk.ts';
import { hostDisk } from '../../host/node-disk.ts';
import type { StoreKernel } from '../../image/store/kernel.ts';
import { LauncherKernel } from '../../image/store/launcher-kernel.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Digest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { untilTime } from '../images/filter.ts';
import { usedPins } from '../images/garbage.ts';
import type { Shop } from '../images/shop.ts';

export interface PruneBuildsOptions {
  /** The directories of `--mount=type=cache` as well. */
  readonly all: boolean;
  /** `until` alone. */
  readonly filters: readonly Bytes[];
  /** Bytes: the newest that are not more than this together stay. */
  readonly keep: number;
}

/** What has gone. */
export interface PrunedBuilds {
  readonly deleted: readonly Bytes[];
  /** Bytes that are free now. */
  readonly reclaimed: number;
  /** Others use the store: nothing was removed. */
  readonly busy: boolean;
}

interface Piece {
  readonly name: Bytes;
  readonly directory: Bytes;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** The files are those of this unpacked layer. */
  readonly layer?: Digest | undefined;
}

/** Throws CaissonError `EUSAGE` for another filter, `ESTORE` where names or pins are damaged: then nothing is removed. */
export async function pruneBuilds(shop: Shop, options: PruneBuildsOptions): Promise<PrunedBuilds> {
  const before = limitOf(options.filters);
  const { port, store } = shop;
  const places = new BuildPlaces(store.root);
  const disk = hostDisk();
  const deleted: Bytes[] = [];
  let reclaimed = 0;
  const { busy, bytes } = await store.garbage({
    // Under the lock, and before the blobs that only these results have are looked for.
    keep: async () => {
      const kernel = new LauncherKernel(port);
      const worker = await TreeWorker.open(port, 'builder prune');
      try {
        for (const path of abandoned(port, disk, places, true)) await kernel.removeTree(path);
        let kept = 0;
        for (const piece of piecesOf(disk, places, options.all)) {
          const layer = piece.layer === undefined ? undefined : store.layers.get(piece.layer);
          const size = layer?.facts.size ?? (await sizeOf(worker, piece.directory));
          if (piece.created >= before || (options.keep > 0 && kept + size <= options.keep)) kept += size;
          else {
            await remove(disk, kernel, piece);
            deleted.push(piece.name);
            // An unpacked layer may be an image's as well: where it is not, the collection counts it.
            if (layer === undefined) reclaimed += size;
          }
        }
        for (const { name } of disk.list(places.keys) ?? [])
          if (findStep(disk, places, name) === undefined) disk.remove(`${places.keys}/${name}`);
      } finally {
        await worker.close();
        await kernel.close();
      }
      return usedPins(shop);
    },
  });
  return { deleted, reclaimed: reclaimed + bytes, busy };
}

function limitOf(filters: readonly Bytes[]): number {
  const now = Date.now();
  const limits = filters.map((filter) => {
    if (!filter.startsWith('until='))
      throw new CaissonError(`invalid filter '${filter}': until alone is known`, {
        code: 'EUSAGE',
        exitCode: 1,
      });
    return untilTime(filter.slice('until='.length), now);
  });
  return Math.min(Number.POSITIVE_INFINITY, ...limits);
}

/** Newest first. */
function piecesOf(disk: Disk, places: BuildPlaces, all: boolean): Piece[] {
  const steps = (disk.list(places.steps) ?? []).flatMap(({ name }): Piece[] => {
    const step = readStep(disk, `${places.steps}/${name}`);
    return step === undefined
      ? []
      : [{ name, directory: step.directory, created: step.created, layer: step.layer }];
  });
  const caches = (all ? (disk.list(places.caches) ?? []) : [])
    .filter(({ type }) => type === 'directory')
    .map(({ name }): Piece => {
      const directory = `${places.caches}/${name}`;
      return { name, directory, created: disk.stat(directory)?.modified ?? 0 };
    });
  return [...steps, ...caches].sort((a, b) => b.created - a.created);
}

/** Bytes of the files, those with several names once. */
async function sizeOf(worker: TreeWorker, directory: Bytes): Promise<number> {
  const descriptor = await worker.openDirectory(directory);
  try {
    const files = (await walk(worker, descriptor)).filter(({ type }) => type === 'file');
    return [...new Map(files.map(({ ino, size }) => [ino, size])).values()].reduce(
      (sum, size) => sum + size,
      0,
    );
  } finally {
    await worker.shut(descriptor);
  }
}

async function remove(disk: Disk, kernel: StoreKernel, { directory }: Piece): Promise<void> {
  if (disk.remove(`${directory}/step.json`)) await disk.syncDirectory(directory);
  await kernel.removeTree(directory);
}
