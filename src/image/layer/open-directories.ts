// Directories that are open in a batch: a bounded number, of which the one that was longest without use is closed first.
import type { Bytes } from '../../linux/bytes.ts';
import { type Place, SLOTS } from './batch-writer.ts';
import type { TreeCalls } from './tree-calls.ts';

/** Slots below are for single descriptors and results. */
const FIRST_SLOT = 8;

export class OpenDirectories {
  private readonly resolve: number;
  private readonly root: Place;
  /** Path to slot, the one that was used last at the end. */
  private readonly open = new Map<Bytes, number>();
  private readonly free: number[] = [];
  private last: Bytes | undefined;

  /** `resolve` is how paths below `root` are looked up (openat2(2)). */
  constructor(root: Place, resolve: number) {
    this.root = root;
    this.resolve = resolve;
    this.begin();
  }

  /** A new batch: nothing is open. */
  begin(): void {
    this.open.clear();
    this.last = undefined;
    this.free.length = 0;
    for (let slot = SLOTS - 1; slot >= FIRST_SLOT; slot--) this.free.push(slot);
  }

  get(path: Bytes): Place | undefined {
    if (path === '') return this.root;
    const slot = this.open.get(path);
    if (slot === undefined) return undefined;
    if (this.last !== path) {
      this.open.delete(path);
      this.open.set(path, slot);
      this.last = path;
    }
    return ~slot;
  }

  /** Opens a directory, for the rest of the batch or until others need its slot. */
  add(calls: TreeCalls, path: Bytes): Place {
    let slot = this.free.pop();
    if (slot === undefined) {
      const [oldest, its] = this.open.entries().next().value as [Bytes, number];
      this.open.delete(oldest);
      calls.close(~its);
      slot = its;
    }
    calls.directory(this.root, path, this.resolve, slot);
    this.open.set(path, slot);
    this.last = path;
    return ~slot;
  }

  /** `path` is another file now. */
  drop(calls: TreeCalls, path: Bytes): void {
    const slot = this.open.get(path);
    if (slot === undefined) return;
    this.open.delete(path);
    this.last = undefined;
    calls.close(~slot);
    this.free.push(slot);
  }

  /** Closes them all, at the end of a batch. */
  end(calls: TreeCalls): void {
    for (const slot of this.open.values()) calls.close(~slot);
    this.begin();
  }
}
