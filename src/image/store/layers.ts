// Unpacked layers: each is made once, by one of all programs, and is durable and whole before anybody sees it.
import type { Disk } from '../../host/disk.ts';
import { type Bytes, toArray } from '../../linux/bytes.ts';
import { type Digest, isDigest, splitDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseJson, stringifyJson } from '../../spec/json.ts';
import type { StoreContext } from './blobs.ts';
import { chainId } from './chain.ts';
import { readText } from './durable.ts';
import type { StoreLock } from './kernel.ts';
import { chainOfLayer, NEW_LAYER } from './paths.ts';
import { quarantine } from './quarantine.ts';
import { Written } from './written.ts';

/** What whoever unpacks a layer tells about it. */
export interface LayerFacts {
  /** Digest of the layer's archive, uncompressed; it must be the one that the chain ID was made with. */
  readonly diffId: Digest;
  /** Bytes of the files. */
  readonly size: number;
  /** Files, directories and links. */
  readonly members?: number;
  /**
   * Whose the files are: `keep` as the archive says, in the ids of who unpacked; `squash` all of the user who unpacked.
   */
  readonly owners?: 'keep' | 'squash';
  /** How whiteouts and opaque directories are marked: `trusted.overlay.*` or `user.overlay.*`. */
  readonly xattrs?: 'trusted' | 'user';
  /** Nothing of the layers below is to be seen: whoever stacks it leaves them out. */
  readonly opaqueRoot?: true;
  /** Its archive says whose the root directory is; without that the layer below does. */
  readonly namesRoot?: true;
}

/** An unpacked layer. */
export interface LayerPath {
  readonly chain: Digest;
  readonly parent: Digest | undefined;
  /** The directory of its files: nothing of caisson's own is in it. */
  readonly path: Bytes;
  readonly facts: LayerFacts;
}

/** A directory that is what the layer's archive unpacks to, and is to become the unpacked layer. */
export interface FinishedTree {
  readonly chain: Digest;
  readonly parent: Digest | undefined;
  readonly facts: LayerFacts;
  /** Absolute, of the store's file system. Afterwards a symbolic link to the layer's tree. */
  readonly from: Bytes;
  /** The link's text. */
  readonly link: Bytes;
}

/** Unpacks a layer into an empty directory. `wrote` may be told of bytes as they are written. */
export type FillLayer = (target: Bytes, wrote: (bytes: number) => void) => Promise<LayerFacts>;

/** A facts.json that is larger is none of ours. */
const FACTS_LIMIT = 64 << 10;

export class Layers {
  private readonly context: StoreContext;
  private readonly written: Written;

  constructor(context: StoreContext) {
    this.context = context;
    this.written = new Written(context.kernel, context.paths.layers);
  }

  /** The unpacked layer; undefined when it is not there, or damaged. */
  get(chain: Digest): LayerPath | undefined {
    const { disk, paths } = this.context;
    const directory = paths.layer(chain);
    const tree = `${directory}/tree`;
    if (disk.stat(tree)?.type !== 'directory') return undefined;
    const record = parseFacts(disk, `${directory}/facts.json`, chain);
    return record === undefined ? undefined : { chain, path: tree, ...record };
  }

  /** Chain IDs of all unpacked layers, damaged ones too. */
  list(): Digest[] {
    const names = this.context.disk.list(this.context.paths.layers) ?? [];
    return names.flatMap(({ name }) => chainOfLayer(name) ?? []).sort();
  }

  /**
   * The unpacked layer, made by `fill` if it is not there. Of all programs that want the same one makes it, and the
   * others wait. `fill` gets an empty directory; what it throws is thrown, and nothing is left. Durable before visible:
   * syncfs, rename, fsync of the directory. Throws CaissonError `EDIGEST` when `fill` unpacked another layer.
   */
  async create(chain: Digest, parent: Digest | undefined, fill: FillLayer): Promise<LayerPath> {
    const there = this.get(chain);
    if (there !== undefined) return there;
    const { kernel, paths, gate, waiting } = this.context;
    const leave = await gate.enter();
    const wait = () => {
      waiting(`another caisson unpacks layer ${chain}`);
    };
    try {
      const lock = await kernel.lock(paths.layerLock(chain), 'exclusive', { waiting: wait });
      try {
        return this.get(chain) ?? (await this.unpack(chain, parent, fill));
      } finally {
        await lock?.release();
      }
    } finally {
      leave();
    }
  }

  /**
   * Makes layers of directories that have their files already, where they are not there yet, lowest first. Of each tree
   * someone may read meanwhile: it never has no name. Durable before visible, as `create`. Throws CaissonError `ESYSCALL`
   * where a tree cannot be moved; it is then where it was.
   */
  async adopt(trees: readonly FinishedTree[]): Promise<void> {
    const { kernel, paths, gate, waiting } = this.context;
    const leave = await gate.enter();
    const locks: (StoreLock | undefined)[] = [];
    try {
      for (const { chain } of trees) {
        const wait = () => {
          waiting(`another caisson unpacks layer ${chain}`);
        };
        locks.push(await kernel.lock(paths.layerLock(chain), 'exclusive', { waiting: wait }));
      }
      await this.adoptLocked(trees.filter(({ chain }) => this.get(chain) === undefined));
    } finally {
      for (const lock of locks) await lock?.release();
      leave();
    }
  }

  private async adoptLocked(trees: readonly FinishedTree[]): Promise<void> {
    const { disk, kernel, paths } = this.context;
    const prepared: { readonly tree: FinishedTree; readonly fresh: Bytes }[] = [];
    try {
      for (const tree of trees) {
        const fresh = await this.freshPlace(tree.chain);
        prepared.push({ tree, fresh });
        disk.makeDirectory(fresh, 0o700);
        this.writeFacts(fresh, tree);
      }
      if (trees.length > 0) await this.written.begin()();
      await kernel.check();
      for (let next = prepared[0]; next !== undefined; next = prepared[0]) {
        await this.settle(next.tree, next.fresh);
        prepared.shift();
      }
      if (trees.length > 0) await disk.syncDirectory(paths.layers);
    } catch (error) {
      for (const { fresh } of prepared) await kernel.removeTree(fresh).catch(() => undefined);
      throw error;
    }
  }

  /**
   * Makes the layer once more, beside, and asks `judge` for the difference between the two trees; undefined for none. With
   * `replace` the one that is there is set aside where it differs, and the new one takes its place: at no moment is there
   * half a layer. Throws what `fill` and `judge` throw, CaissonError `EDIGEST` as `create`.
   */
  async compare(
    { chain, parent, path }: Omit<LayerPath, 'facts'>,
    fill: FillLayer,
    judge: (found: Bytes, expected: Bytes, facts: LayerFacts) => Promise<string | undefined>,
    replace: boolean,
  ): Promise<{ readonly difference: string; readonly quarantined: Bytes | undefined } | undefined> {
    const { disk, kernel, paths, gate } = this.context;
    const leave = await gate.enter();
    try {
      const lock = await kernel.lock(paths.layerLock(chain), 'exclusive');
      await this.removeUnfinished(chain);
      const fresh = `${paths.layers}/${NEW_LAYER}${splitDigest(chain).hex}-${this.context.unique()}`;
      try {
        const facts = await this.makeBeside({ chain, parent, fresh }, fill);
        const difference = await judge(path, `${fresh}/tree`, facts);
        if (difference === undefined || !replace)
          return difference === undefined ? undefined : { difference, quarantined: undefined };
        await kernel.syncFileSystem(fresh);
        await kernel.check();
        const quarantined = await quarantine(disk, paths, paths.layer(chain));
        disk.rename(fresh, paths.layer(chain));
        await disk.syncDirectory(paths.layers);
        return { difference, quarantined };
      } finally {
        // After a rename there is nothing of that name.
        if (disk.stat(fresh) !== undefined) await kernel.removeTree(fresh).catch(() => undefined);
        await lock?.release();
      }
    } finally {
      leave();
    }
  }

  /** Until the tree is there the layer counts as damaged, and only who has the lock may look into that. */
  private async settle({ chain, from, link }: FinishedTree, fresh: Bytes): Promise<void> {
    const { disk, kernel, paths } = this.context;
    const directory = paths.layer(chain);
    disk.rename(fresh, directory);
    try {
      await kernel.moveTree(from, `${directory}/tree`, link);
    } catch (error) {
      await kernel.removeTree(directory).catch(() => undefined);
      throw error;
    }
  }

  private async unpack(chain: Digest, parent: Digest | undefined, fill: FillLayer): Promise<LayerPath> {
    const fresh = await this.freshPlace(chain);
    try {
      return await this.fill({ chain, parent, fresh }, fill);
    } catch (error) {
      // A full disk does not keep us from removing; what else does leaves it to the garbage collector.
      await this.context.kernel.removeTree(fresh).catch(() => undefined);
      throw error;
    }
  }

  /** Where a layer is made, once what is in its way has gone. */
  private async freshPlace(chain: Digest): Promise<Bytes> {
    const { disk, paths } = this.context;
    // Whoever else began with it is dead: the lock is ours.
    await this.removeUnfinished(chain);
    await quarantine(disk, paths, paths.layer(chain));
    return `${paths.layers}/${NEW_LAYER}${splitDigest(chain).hex}-${this.context.unique()}`;
  }

  private writeFacts(fresh: Bytes, { chain, parent, facts }: Omit<LayerPath, 'path'>): void {
    const file = this.context.disk.create(`${fresh}/facts.json`, 0o644);
    try {
      file.write(toArray(stringifyJson({ chain, ...(parent && { parent }), ...facts })), 0);
    } finally {
      file.close();
    }
  }

  private async fill(
    { chain, parent, fresh }: { chain: Digest; parent: Digest | undefined; fresh: Bytes },
    fill: FillLayer,
  ): Promise<LayerPath> {
    const { disk, kernel, paths } = this.context;
    const onDisk = this.written.begin();
    const facts = await this.makeBeside({ chain, parent, fresh }, fill);
    await onDisk();
    await kernel.check();
    disk.rename(fresh, paths.layer(chain));
    await disk.syncDirectory(paths.layers);
    return { chain, parent, path: `${paths.layer(chain)}/tree`, facts };
  }

  private async makeBeside(
    { chain, parent, fresh }: { chain: Digest; parent: Digest | undefined; fresh: Bytes },
    fill: FillLayer,
  ): Promise<LayerFacts> {
    const { disk, kernel } = this.context;
    disk.makeDirectory(fresh, 0o700);
    await kernel.makeTree(`${fresh}/tree`);
    const facts = await fill(`${fresh}/tree`, (bytes) => this.written.more(bytes));
    if (chainId(parent, facts.diffId) !== chain) {
      throw new CaissonError(`layer ${chain}: what was unpacked is another layer, ${facts.diffId}`, {
        code: 'EDIGEST',
        details: ['the image says one thing in its configuration and another in its manifest'],
      });
    }
    this.writeFacts(fresh, { chain, parent, facts });
    return facts;
  }

  private async removeUnfinished(chain: Digest): Promise<void> {
    const { disk, kernel, paths } = this.context;
    const prefix = `${NEW_LAYER}${splitDigest(chain).hex}-`;
    for (const { name } of disk.list(paths.layers) ?? [])
      if (name.startsWith(prefix)) await kernel.removeTree(`${paths.layers}/${name}`);
  }
}

function parseFacts(disk: Disk, path: Bytes, chain: Digest): Pick<LayerPath, 'parent' | 'facts'> | undefined {
  const value = parseFields(disk, path);
  if (value === undefined || value.chain !== chain) return undefined;
  const { parent, diffId, size, members, owners, xattrs, opaqueRoot, namesRoot } = value;
  if (typeof diffId !== 'string' || !isDigest(diffId)) return undefined;
  if (parent !== undefined && !(typeof parent === 'string' && isDigest(parent))) return undefined;
  if (chainId(parent, diffId) !== chain) return undefined;
  if (typeof size !== 'number' || (members !== undefined && typeof members !== 'number')) return undefined;
  return {
    parent,
    facts: {
      diffId,
      size,
      ...(members === undefined ? {} : { members }),
      ...(owners === 'keep' || owners === 'squash' ? { owners } : {}),
      ...(xattrs === 'trusted' || xattrs === 'user' ? { xattrs } : {}),
      ...(opaqueRoot === true ? { opaqueRoot } : {}),
      ...(namesRoot === true ? { namesRoot } : {}),
    },
  };
}

/** undefined for what is missing, damaged or cannot be read. */
function parseFields(disk: Disk, path: Bytes): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = parseJson(readText(disk, path, FACTS_LIMIT) ?? '', path);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
