// Prunes images: those without names, or all that nobody uses, and then what only they needed.
import { canonical, parseReference, type Reference } from '../../spec/reference.ts';
import type { GarbageOptions, GarbageReport } from './garbage.ts';
import type { NamedImage } from './names.ts';
import type { Store } from './store.ts';

export interface PruneOptions extends GarbageOptions {
  /** Named images that no pin keeps go, too; without it only those without names. */
  readonly all?: boolean;
  /** Which of them may go; default all. What it needs of their configurations (labels, times) it reads itself. */
  readonly select?: (image: NamedImage) => boolean | Promise<boolean>;
}

export interface PruneReport {
  /** Entries that were taken from the list, one for each name. */
  readonly removed: readonly NamedImage[];
  readonly garbage: GarbageReport;
}

/** Throws CaissonError `ESTORE` where the names or the pins cannot be read: then nothing is removed. */
export async function pruneImages(store: Store, options: PruneOptions = {}): Promise<PruneReport> {
  const extra = [...((await options.keep?.()) ?? [])];
  const used = new Set(
    [...store.pins.list(), ...extra].flatMap(({ images = [] }) => images.map(({ digest }) => digest)),
  );
  const removed: NamedImage[] = [];
  for (const image of store.names.list()) {
    if (image.name !== undefined && (options.all !== true || used.has(image.descriptor.digest))) continue;
    if ((await options.select?.(image)) ?? true) removed.push(image);
  }
  if (options.dryRun !== true) {
    const remove: Reference[] = [];
    const forget = removed.flatMap(({ name, descriptor }) => (name === undefined ? [descriptor.digest] : []));
    for (const { name } of removed) {
      if (name === undefined) continue;
      const reference = parseReference(name);
      // What is no name of ours, another tool has put into index.json: it stays.
      if (canonical(reference) === name) remove.push(reference);
    }
    await store.names.change({ remove, forget });
  }
  return { removed, garbage: await store.garbage({ ...options, keep: () => extra }) };
}
