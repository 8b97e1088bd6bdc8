// The store of images: blobs, names, unpacked layers and pins of one directory, opened together (docs/store.md).
import type { Disk } from '../../host/disk.ts';
import type { Channel, Port } from '../../host/port.ts';
import { Blobs, type StoreContext } from './blobs.ts';
import { collect, type GarbageOptions, type GarbageReport } from './garbage.ts';
import { Gate } from './gate.ts';
import type { StoreKernel, StoreLock } from './kernel.ts';
import { LauncherKernel } from './launcher-kernel.ts';
import { Layers } from './layers.ts';
import { FORMATS, type Formats, openLayout } from './layout.ts';
import type { StoreLocation } from './location.ts';
import { Names } from './names.ts';
import { StorePaths } from './paths.ts';
import { type Pin, Pins } from './pins.ts';
import { type StoreUsage, usage } from './usage.ts';
import { type VerifyOptions, type VerifyReport, verify } from './verify.ts';

export interface StoreOptions {
  /** Called when another program must be waited for, with what it does: once for each wait. */
  readonly waiting?: (what: string) => void;
  /** A launcher of the caller's that holds the locks; it outlives the store. */
  readonly channel?: Channel;
}

/** What a store stands on; tests put others in their place. */
export interface StoreFoundation {
  readonly disk: Disk;
  readonly kernel: StoreKernel;
  readonly uid: number;
  /** A text that no other store of this machine has at the same time. */
  readonly unique: () => string;
  readonly now?: () => Date;
  readonly formats?: Formats;
}

/**
 * Opens the store at `location`, and makes it where there is none. Until `close` the garbage collectors of others wait.
 * Throws CaissonError `EPERMISSION` when others may write there, `ESTORE` when it is no store or one of a newer caisson,
 * `EDISK` when the disk does not do what it should.
 */
export async function openStore(
  port: Port,
  disk: Disk,
  location: StoreLocation,
  options: StoreOptions = {},
): Promise<Store> {
  const durable = location.durability !== 'off';
  const kernel = new LauncherKernel(port, durable, options.channel);
  let count = 0;
  const own = [...port.random(6)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const unique = () => `${port.pid}-${own}-${count++}`;
  return await openStoreOn(
    { disk: durable ? disk : withoutSync(disk), kernel, uid: port.uid, unique },
    location.root,
    options,
  );
}

/** As openStore, on another foundation. */
export async function openStoreOn(
  foundation: StoreFoundation,
  root: string,
  options: StoreOptions = {},
): Promise<Store> {
  const { disk, kernel, uid, unique, now = () => new Date(), formats = FORMATS } = foundation;
  const paths = new StorePaths(root);
  try {
    const waiting = options.waiting ?? (() => undefined);
    const lock = await openLayout({ disk, kernel, paths, uid, formats, waiting });
    return new Store({ disk, kernel, paths, unique, waiting, gate: new Gate() }, lock, now);
  } catch (error) {
    await kernel.close();
    throw error;
  }
}

/** For tests and machines that are thrown away: a power cut may leave anything. */
function withoutSync(disk: Disk): Disk {
  const plain = (file: ReturnType<Disk['update']>): ReturnType<Disk['update']> =>
    Object.assign(Object.create(file), { sync: async () => undefined });
  return {
    ...disk,
    update: (path, mode) => plain(disk.update(path, mode)),
    create: (path, mode) => plain(disk.create(path, mode)),
    syncDirectory: async () => undefined,
  };
}

export class Store {
  readonly blobs: Blobs;
  readonly names: Names;
  readonly layers: Layers;
  readonly pins: Pins;
  private readonly context: StoreContext;
  private readonly lock: StoreLock;
  private closed = false;

  constructor(context: StoreContext, lock: StoreLock, now: () => Date) {
    this.context = context;
    this.lock = lock;
    this.blobs = new Blobs(context);
    this.names = new Names(context, this.blobs, now);
    this.layers = new Layers(context);
    this.pins = new Pins(context);
  }

  /** The directory. */
  get root(): string {
    return this.context.paths.root;
  }

  /**
   * Removes what neither name nor pin leads to, while nobody else has the store open; where somebody has, nothing is
   * done and the report says so. What this store has taken in and not named is garbage like any other.
   * Throws CaissonError `EBUSY` while this store itself takes something in, `ESTORE` where names or pins are damaged.
   */
  async garbage(options: GarbageOptions = {}): Promise<GarbageReport> {
    return await this.context.gate.alone(async () => {
      if (!(await this.lock.convert('exclusive', options.patience ?? 0))) {
        await this.lock.convert('shared', Number.POSITIVE_INFINITY);
        return { busy: true, blobs: [], layers: [], unfinished: 0, bytes: 0, problems: [] };
      }
      try {
        return await collect(this.context, this.blobs, this.layers, options);
      } finally {
        await this.lock.convert('shared', Number.POSITIVE_INFINITY);
      }
    });
  }

  /** Reads everything and sets aside what is damaged. Throws CaissonError `EDISK` when the disk does not answer. */
  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    return await verify(this.context, this.blobs, this.layers, options);
  }

  /** The figures of `system df`; `keep` as for garbage. Throws CaissonError `ESTORE` where names or pins are damaged. */
  async usage(keep: Iterable<Pin> = []): Promise<StoreUsage> {
    return await usage(this.context, this.blobs, this.layers, keep);
  }

  /** Releases all locks. What is under way is lost, but for the parts of pulls. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.context.kernel.close();
  }
}
