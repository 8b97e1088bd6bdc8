// Names of images: index.json, changed under a lock, durable before anybody is told.
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { canonical, type Reference } from '../../spec/reference.ts';
import type { Blobs, StoreContext } from './blobs.ts';
import { closureOf } from './closure.ts';
import { type IndexEntry, readIndex, writeIndex } from './index-file.ts';
import { ALGORITHMS } from './paths.ts';
import { keepCopy } from './quarantine.ts';
import { withReserve } from './reserve.ts';

/** An image of the store; one of several names is there several times. */
export type NamedImage = IndexEntry;

/** Changes that are made together or not at all. */
export interface NameChanges {
  readonly set?: readonly (readonly [Reference, Descriptor])[];
  readonly remove?: readonly Reference[];
  /** Images that are to be there although they have no name (an import or a load without one). */
  readonly keep?: readonly Descriptor[];
  /** Images without names that go. */
  readonly forget?: readonly Digest[];
}

export class Names {
  private readonly context: StoreContext;
  private readonly blobs: Blobs;
  private readonly now: () => Date;
  /** Entries of the file that was read last: a new one has another number, size or time. */
  private known: { readonly version: string; readonly entries: readonly IndexEntry[] } | undefined;

  constructor(context: StoreContext, blobs: Blobs, now: () => Date) {
    this.context = context;
    this.blobs = blobs;
    this.now = now;
  }

  /** The image of that name, exactly: `canonical` is how names are compared. Throws CaissonError `ESTORE`. */
  get(reference: Reference): Descriptor | undefined {
    const name = canonical(reference);
    return this.list().find((entry) => entry.name === name)?.descriptor;
  }

  /** All images, in the order in which they were named; those without a name too. Throws CaissonError `ESTORE`. */
  list(): readonly NamedImage[] {
    const { disk, paths } = this.context;
    const stat = disk.stat(paths.index);
    const version = `${stat?.ino}/${stat?.size}/${stat?.modified}`;
    if (this.known?.version !== version) this.known = { version, entries: readIndex(disk, paths).entries };
    return this.known.entries;
  }

  /**
   * Gives a name to an image, or moves it there. The image that had it stays, without a name, until it is pruned.
   * Throws CaissonError `EINCOMPLETE` when something of the image is not in the store: nobody ever sees a name of half an
   * image.
   */
  async set(reference: Reference, descriptor: Descriptor): Promise<void> {
    await this.change({ set: [[reference, descriptor]] });
  }

  /** Takes a name away, and the image from the list with its last one. False when there was no such name. */
  async remove(reference: Reference): Promise<boolean> {
    return await this.change({ remove: [reference] });
  }

  /** Several changes at once, with one write to the disk. Whether anything was changed. Throws as `set`. */
  async change(changes: NameChanges): Promise<boolean> {
    const leave = await this.context.gate.enter();
    try {
      return await this.changeInside(changes);
    } finally {
      leave();
    }
  }

  private async changeInside(changes: NameChanges): Promise<boolean> {
    const { disk, kernel, paths, waiting } = this.context;
    for (const [reference, descriptor] of changes.set ?? [])
      await this.refuseIncomplete(canonical(reference), descriptor);
    for (const descriptor of changes.keep ?? []) await this.refuseIncomplete(descriptor.digest, descriptor);
    const wait = () => {
      waiting('another caisson changes names of images');
    };
    const lock = await kernel.lock(paths.namesLock, 'exclusive', { waiting: wait });
    try {
      const { entries, damaged, text } = readIndex(disk, paths);
      const changed = applyChanges(entries, changes, this.now().toISOString());
      if (changed === undefined) return false;
      if (damaged.length > 0) await keepCopy(disk, paths, 'index.json', text);
      // Blobs that others brought may have names that are not on the disk yet.
      for (const algorithm of ALGORITHMS) await disk.syncDirectory(`${paths.blobs}/${algorithm}`);
      await kernel.check();
      const write = () => writeIndex(disk, paths, changed);
      // The reserve is for what makes room.
      if ((changes.set ?? []).length > 0) await write();
      else await withReserve(disk, paths, write);
      return true;
    } finally {
      await lock?.release();
    }
  }

  private async refuseIncomplete(name: string, descriptor: Descriptor): Promise<void> {
    const { problems } = await closureOf(this.blobs, descriptor);
    if (problems.length === 0) return;
    throw new CaissonError(`${name}: ${problems[0]}`, {
      code: 'EINCOMPLETE',
      details: problems.slice(1, 10),
    });
  }
}

/** The new entries; undefined when nothing changes. */
function applyChanges(
  entries: readonly IndexEntry[],
  { set = [], remove = [], keep = [], forget = [] }: NameChanges,
  now: string,
): IndexEntry[] | undefined {
  const gone = new Set([...remove, ...set.map(([reference]) => reference)].map(canonical));
  const kept = entries.filter(({ name }) => name === undefined || !gone.has(name));
  const fresh = new Map(set.map(([reference, descriptor]) => [canonical(reference), descriptor]));
  for (const [name, descriptor] of fresh) kept.push({ name, namedAt: now, descriptor });
  for (const descriptor of keep)
    if (!kept.some((other) => other.descriptor.digest === descriptor.digest))
      kept.push({ name: undefined, namedAt: undefined, descriptor });
  const named = new Set(
    kept.flatMap(({ name, descriptor }) => (name === undefined ? [] : descriptor.digest)),
  );
  // What lost its name to another image stays; what was removed goes with its last name.
  for (const { name, descriptor } of entries) {
    const displaced = name !== undefined && fresh.has(name);
    const has = kept.some((other) => other.descriptor.digest === descriptor.digest);
    if (displaced && !has) kept.push({ name: undefined, namedAt: undefined, descriptor });
  }
  const forgotten = new Set(forget);
  const left = kept.filter(
    ({ name, descriptor: { digest } }) => name !== undefined || !(named.has(digest) || forgotten.has(digest)),
  );
  return JSON.stringify(left) === JSON.stringify(entries) ? undefined : left;
}
