// Takes things out of a store: first out of sight, then off the disk, so that a sweep may be killed at any moment.
import type { Bytes } from '../../linux/bytes.ts';
import { type Digest, splitDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import type { StoreContext } from './blobs.ts';
import { GONE, NEW_LAYER } from './paths.ts';

/** Locks that everybody takes: they stay. Others belong to a digest. */
const LASTING: readonly Bytes[] = ['store', 'names', 'ids'];

export class Sweep {
  /** What has become free, in bytes. */
  bytes = 0;
  /** Trees that could not be removed, one line each: the next sweep tries again. */
  readonly problems: string[] = [];
  private readonly context: StoreContext;
  private readonly dryRun: boolean;

  constructor(context: StoreContext, dryRun: boolean) {
    this.context = context;
    this.dryRun = dryRun;
  }

  file(path: Bytes): void {
    const { disk } = this.context;
    this.bytes += disk.stat(path)?.size ?? 0;
    if (!this.dryRun) disk.remove(path);
  }

  /**
   * Layers with what they take, in bytes. All are out of sight, and that is on the disk, before the first loses a file:
   * after a power cut a layer is whole or not there.
   */
  async layers(dead: readonly { readonly chain: Digest; readonly size: number }[]): Promise<void> {
    const { disk, paths } = this.context;
    for (const { size } of dead) this.bytes += size;
    if (this.dryRun || dead.length === 0) return;
    const gone = dead.map(({ chain }) => {
      const name = `${paths.layers}/${GONE}${splitDigest(chain).hex}-${this.context.unique()}`;
      disk.rename(paths.layer(chain), name);
      return name;
    });
    await disk.syncDirectory(paths.layers);
    for (const name of gone) await this.tree(name);
  }

  /**
   * What programs have left that were killed: nobody else uses the store now. Parts of pulls stay for `age`
   * milliseconds, so that the pull can go on. How many there were.
   */
  async unfinished(age: number): Promise<number> {
    const { disk, paths } = this.context;
    let count = 0;
    for (const { name } of disk.list(paths.layers) ?? []) {
      if (!name.startsWith(NEW_LAYER) && !name.startsWith(GONE)) continue;
      count++;
      if (!this.dryRun) await this.tree(`${paths.layers}/${name}`);
    }
    for (const path of this.files(paths.ingest)) {
      if (age > 0 && Date.now() - (disk.stat(path)?.modified ?? 0) < age) continue;
      count++;
      this.file(path);
    }
    const pins = (disk.list(paths.pins) ?? []).map(({ name }) => `${paths.pins}/${name}`);
    for (const path of [paths.root, ...pins].flatMap((directory) => this.files(directory)))
      if (path.endsWith('.tmp')) this.file(path);
    for (const path of this.files(paths.locks))
      if (!LASTING.includes(path.slice(paths.locks.length + 1))) this.file(path);
    return count;
  }

  /** Removes all that was set aside. */
  async quarantine(): Promise<void> {
    const { disk, paths } = this.context;
    for (const { name, type } of disk.list(paths.quarantine) ?? []) {
      const path = `${paths.quarantine}/${name}`;
      if (type !== 'directory') this.file(path);
      else if (!this.dryRun) await this.tree(path);
    }
  }

  /** One that does not go, because something is mounted in it or the file system objects, does not keep the others. */
  private async tree(path: Bytes): Promise<void> {
    try {
      await this.context.kernel.removeTree(path);
    } catch (error) {
      if (!(error instanceof CaissonError) || error.code === 'ELAUNCHER') throw error;
      this.problems.push(`${path}: ${error.message}`);
    }
  }

  private files(directory: Bytes): Bytes[] {
    const names = this.context.disk.list(directory) ?? [];
    return names.flatMap(({ name, type }) => (type === 'file' ? [`${directory}/${name}`] : []));
  }
}
