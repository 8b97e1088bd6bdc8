// Looks at everything in a store: each blob against its digest, each image for what belongs to it, each layer for its parts.
import type { Bytes } from '../../linux/bytes.ts';
import { fromArray } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { MANIFEST_LIMIT } from '../../spec/image-document.ts';
import { parseManifest } from '../../spec/image-manifest.ts';
import type { Blobs, StoreContext } from './blobs.ts';
import { closureOf, type ImageOf } from './closure.ts';
import { contentIs } from './durable.ts';
import { listBlobs } from './garbage.ts';
import { type IndexEntry, readIndex, writeIndex } from './index-file.ts';
import type { LayerFacts, LayerPath, Layers } from './layers.ts';
import { ALGORITHMS, chainOfLayer, digestOfBlob } from './paths.ts';
import { pinFiles, readPin } from './pins.ts';
import { keepCopy, quarantine } from './quarantine.ts';

export interface VerifyOptions {
  /** Only tells, and sets nothing aside. */
  readonly dryRun?: boolean;
  /** Compares the files of unpacked layers with their archives; without it they are left alone. */
  readonly files?: LayerFiles;
  /** Called before each blob: how many bytes have been read, of how many. */
  readonly progress?: (done: number, all: number) => void;
}

/** A layer of an image, whose archive is in the store. */
export interface ArchivedLayer extends LayerPath {
  readonly descriptor: Descriptor;
}

/** How the files of a layer are compared. */
export interface LayerFiles {
  /** Unpacks the archive into an empty directory. */
  unpack(layer: ArchivedLayer, target: Bytes): Promise<LayerFacts>;
  /** The first difference of the tree `found` from `expected`, unpacked from the archive with `facts`. */
  difference(
    layer: ArchivedLayer,
    found: Bytes,
    expected: Bytes,
    facts: LayerFacts,
  ): Promise<string | undefined>;
}

/** Something that is wrong. */
export interface Finding {
  readonly kind: 'index' | 'blob' | 'layer' | 'pin' | 'image' | 'stranger';
  /** A digest, a name or a path. */
  readonly object: string;
  readonly problem: string;
  /** Where it was moved to; undefined where nothing was moved. */
  readonly quarantined: Bytes | undefined;
}

export interface VerifyReport {
  readonly findings: readonly Finding[];
  readonly blobs: number;
  readonly bytes: number;
  readonly layers: number;
  /** Layers whose files were compared: those of images, whose archives are there. */
  readonly compared: number;
  readonly images: number;
}

/** The caller holds the store's lock shared: nothing is collected meanwhile, and others may pull. */
export async function verify(
  context: StoreContext,
  blobs: Blobs,
  layers: Layers,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const check = new Verification(context, blobs, layers, options);
  const bytes = await check.blobs();
  await check.index();
  await check.pins();
  const unpacked = await check.layers();
  const compared = options.files === undefined ? 0 : await check.files(options.files);
  const images = await check.images();
  const blobCount = listBlobs(context).length;
  return { findings: check.findings, blobs: blobCount, bytes, layers: unpacked, compared, images };
}

class Verification {
  readonly findings: Finding[] = [];
  private readonly context: StoreContext;
  private readonly store: Blobs;
  private readonly unpacked: Layers;
  private readonly options: VerifyOptions;

  constructor(context: StoreContext, store: Blobs, unpacked: Layers, options: VerifyOptions) {
    this.context = context;
    this.store = store;
    this.unpacked = unpacked;
    this.options = options;
  }

  private async setAside(
    kind: Finding['kind'],
    object: string,
    problem: string,
    path: Bytes | undefined,
  ): Promise<void> {
    const { disk, paths } = this.context;
    const moved = path !== undefined && this.options.dryRun !== true;
    const quarantined = moved ? await quarantine(disk, paths, path) : undefined;
    this.findings.push({ kind, object, problem, quarantined });
  }

  /** Bytes that were read. */
  async blobs(): Promise<number> {
    const { disk, paths } = this.context;
    await this.strangers();
    const digests = listBlobs(this.context);
    const sizes = new Map(digests.map((digest) => [digest, this.store.size(digest) ?? 0]));
    const all = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    let done = 0;
    for (const [digest, size] of sizes) {
      this.options.progress?.(done, all);
      const path = paths.blob(digest);
      if (!(await this.isIntact(path, digest)))
        await this.setAside('blob', digest, 'its content is another than its digest says', path);
      done += size;
    }
    for (const algorithm of ALGORITHMS) disk.makeDirectory(`${paths.blobs}/${algorithm}`, 0o700);
    return done;
  }

  /** A disk that cannot read it has lost it. */
  private async isIntact(path: Bytes, digest: Digest): Promise<boolean> {
    try {
      return (await contentIs(this.context.disk, path, digest)) !== false;
    } catch (error) {
      if (error instanceof CaissonError && error.code === 'EDISK') return false;
      throw error;
    }
  }

  /** Files that no digest names. */
  private async strangers(): Promise<void> {
    const { disk, paths } = this.context;
    for (const algorithm of ALGORITHMS) {
      for (const { name, type } of disk.list(`${paths.blobs}/${algorithm}`) ?? []) {
        if (type === 'file' && digestOfBlob(algorithm, name) !== undefined) continue;
        const path = `${paths.blobs}/${algorithm}/${name}`;
        await this.setAside('stranger', path, 'is no blob', path);
      }
    }
  }

  async index(): Promise<void> {
    const { disk, kernel, paths } = this.context;
    const lock = await kernel.lock(paths.namesLock, 'exclusive');
    try {
      const { entries, damaged, text } = readIndex(disk, paths);
      if (damaged.length === 0) return;
      const dryRun = this.options.dryRun === true;
      const quarantined = dryRun ? undefined : await keepCopy(disk, paths, 'index.json', text);
      for (const problem of damaged)
        this.findings.push({ kind: 'index', object: 'index.json', problem, quarantined });
      if (!dryRun) await writeIndex(disk, paths, entries);
    } catch (error) {
      if (!(error instanceof CaissonError && error.code === 'ESTORE')) throw error;
      await this.setAside('index', 'index.json', error.message, paths.index);
      if (this.options.dryRun !== true) await writeIndex(disk, paths, await this.findImages());
    } finally {
      await lock?.release();
    }
  }

  /** Images without names, of the documents among the blobs that no other one of them refers to. */
  private async findImages(): Promise<IndexEntry[]> {
    const found = new Map<Digest, Descriptor>();
    const below = new Set<Digest>();
    for (const digest of listBlobs(this.context)) {
      const size = this.store.size(digest) ?? Number.POSITIVE_INFINITY;
      if (size > MANIFEST_LIMIT) continue;
      const read = await this.readManifest(digest, size);
      if (read === undefined) continue;
      found.set(digest, { mediaType: read.mediaType, digest, size });
      if (read.kind === 'index') for (const entry of read.manifests) below.add(entry.digest);
    }
    const roots = [...found.values()].filter(({ digest }) => !below.has(digest));
    return roots.map((descriptor) => ({ name: undefined, namedAt: undefined, descriptor }));
  }

  private async readManifest(digest: Digest, size: number) {
    try {
      const bytes = await this.store.read({ mediaType: '', digest, size }, MANIFEST_LIMIT);
      return parseManifest(fromArray(bytes));
    } catch (error) {
      if (error instanceof CaissonError) return undefined;
      throw error;
    }
  }

  async pins(): Promise<void> {
    const { disk, paths } = this.context;
    for (const { owner, id, path } of pinFiles(disk, paths)) {
      try {
        readPin(disk, path);
      } catch (error) {
        if (!(error instanceof CaissonError)) throw error;
        await this.setAside('pin', `${owner}/${id}`, error.message, path);
      }
    }
  }

  /** How many there are. */
  async layers(): Promise<number> {
    const { paths } = this.context;
    const chains = this.unpacked.list();
    for (const chain of chains) {
      if (this.unpacked.get(chain) === undefined)
        await this.setAside('layer', chain, 'its files or its facts are missing', paths.layer(chain));
    }
    const { disk } = this.context;
    for (const { name } of disk.list(paths.layers) ?? []) {
      // What begins with a dot is under way, or for the garbage collector.
      if (name.startsWith('.') || chainOfLayer(name) !== undefined) continue;
      await this.setAside('stranger', `${paths.layers}/${name}`, 'is no layer', `${paths.layers}/${name}`);
    }
    return chains.length;
  }

  /**
   * Compares each layer of an image that is unpacked with its archive. One that differs is set aside, and what was unpacked
   * anew takes its place, so that containers that use it have it. How many were compared.
   */
  async files(compare: LayerFiles): Promise<number> {
    let count = 0;
    for (const layer of (await this.archivedLayers()).values()) {
      try {
        const wrong = await this.unpacked.compare(
          layer,
          (target) => compare.unpack(layer, target),
          (found, expected, facts) => compare.difference(layer, found, expected, facts),
          this.options.dryRun !== true,
        );
        count++;
        if (wrong !== undefined)
          this.findings.push({
            kind: 'layer',
            object: layer.chain,
            problem: wrong.difference,
            quarantined: wrong.quarantined,
          });
      } catch (error) {
        if (!(error instanceof CaissonError)) throw error;
        await this.setAside('layer', layer.chain, `cannot be compared: ${error.message}`, undefined);
      }
    }
    return count;
  }

  /** By chain ID. */
  private async archivedLayers(): Promise<Map<Digest, ArchivedLayer>> {
    const { disk, paths } = this.context;
    const found = new Map<Digest, ArchivedLayer>();
    for (const { descriptor } of readIndexOrNothing(disk, paths).entries) {
      for (const { chains, manifest } of (await closureOf(this.store, descriptor)).images) {
        for (const [at, chain] of chains.entries()) {
          const layer = this.unpacked.get(chain);
          const archive = manifest.layers[at];
          if (layer === undefined || archive === undefined || found.has(chain)) continue;
          if (this.store.has(archive.digest)) found.set(chain, { ...layer, descriptor: archive });
        }
      }
    }
    return found;
  }

  /** Whether what belongs to each image is there, now that what is damaged has gone. How many there are. */
  async images(): Promise<number> {
    const { disk, paths } = this.context;
    const { entries } = readIndexOrNothing(disk, paths);
    for (const { name, descriptor } of entries) {
      const { images, problems } = await closureOf(this.store, descriptor);
      for (const problem of [...problems, ...images.flatMap((image) => this.holes(image))])
        await this.setAside('image', name ?? descriptor.digest, problem, undefined);
    }
    return new Set(entries.map(({ descriptor }) => descriptor.digest)).size;
  }

  /** An image need not be unpacked; but a layer that is, without those below, has lost them. */
  private holes({ chains }: ImageOf): string[] {
    const present = chains.map((chain) => this.unpacked.get(chain) !== undefined);
    const below = chains.slice(0, Math.max(0, present.lastIndexOf(true)));
    return below.flatMap((chain, level) =>
      present[level] === true ? [] : [`its layer ${chain} is missing: the next use unpacks it again`],
    );
  }
}

/** After a rehearsal the index may still be damaged. */
function readIndexOrNothing(...[disk, paths]: Parameters<typeof readIndex>) {
  try {
    return readIndex(disk, paths);
  } catch (error) {
    if (error instanceof CaissonError && error.code === 'ESTORE') return { entries: [] };
    throw error;
  }
}
