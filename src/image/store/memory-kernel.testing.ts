// The kernel of a store in memory: locks among the stores of one test, and trees on a memory disk.
import type { Bytes } from '../../linux/bytes.ts';
import type { LockKind, LockOptions, StoreKernel, StoreLock } from './kernel.ts';
import type { MemoryDisk } from './memory-disk.testing.ts';

/** Who holds which lock: one for all stores that see each other. */
export class LockTable {
  private readonly held = new Map<Bytes, Map<object, LockKind>>();

  take(path: Bytes, who: object, kind: LockKind): boolean {
    const holders = this.held.get(path) ?? new Map<object, LockKind>();
    this.held.set(path, holders);
    const others = [...holders].filter(([holder]) => holder !== who);
    if (others.some(([, other]) => kind === 'exclusive' || other === 'exclusive')) return false;
    holders.set(who, kind);
    return true;
  }

  drop(path: Bytes, who: object): void {
    this.held.get(path)?.delete(who);
  }
}

export class MemoryKernel implements StoreKernel {
  private readonly disk: MemoryDisk;
  private readonly table: LockTable;
  private readonly mine: StoreLock[] = [];
  /** Set when the holder of the locks was killed. */
  lost = false;

  constructor(disk: MemoryDisk, table: LockTable) {
    this.disk = disk;
    this.table = table;
  }

  async lock(path: Bytes, kind: LockKind, options: LockOptions = {}): Promise<StoreLock | undefined> {
    const who = {};
    const begin = Date.now();
    if (!this.table.take(path, who, kind)) {
      options.waiting?.();
      while (!this.table.take(path, who, kind)) {
        if (Date.now() - begin >= (options.patience ?? Number.POSITIVE_INFINITY)) return undefined;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    const lock: StoreLock = {
      convert: async (wanted, patience) => {
        const since = Date.now();
        this.table.drop(path, who);
        while (!this.table.take(path, who, wanted)) {
          if (Date.now() - since >= patience) return false;
          await new Promise((resolve) => setImmediate(resolve));
        }
        return true;
      },
      release: async () => {
        this.table.drop(path, who);
      },
    };
    this.mine.push(lock);
    return lock;
  }

  async check(): Promise<void> {
    if (this.lost) throw new Error('the locks are lost');
  }

  async makeTree(path: Bytes): Promise<void> {
    this.disk.makeDirectory(path);
  }

  /** A memory disk has no links: nothing stays behind. */
  async moveTree(from: Bytes, to: Bytes): Promise<void> {
    this.disk.rename(from, to);
  }

  async syncFileSystem(): Promise<void> {
    this.disk.syncAll();
  }

  async removeTree(path: Bytes): Promise<void> {
    for (const { name, type } of this.disk.list(path) ?? []) {
      if (type === 'directory') await this.removeTree(`${path}/${name}`);
      else this.disk.remove(`${path}/${name}`);
    }
    this.disk.removeDirectory(path);
  }

  async close(): Promise<void> {
    for (const lock of this.mine) await lock.release();
  }
}
