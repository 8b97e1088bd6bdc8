// Images of an OCI layout on the disk, `oci-layout://PATH[:TAG][@DIGEST]`: taken into the store, checked, as if pulled.
//
// The directory may be anybody's: its files are read by the launcher below a descriptor of it, and no link is followed.
import { filePieces, readSmall } from '../../build/tree/content.ts';
import { look } from '../../build/tree/resolve.ts';
import { TreeWorker } from '../../build/tree/worker.ts';
import { chainIds } from '../../image/store/chain.ts';
import { type Bytes, fromArray, utf8ToBytes } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { splitDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseImageConfig } from '../../spec/image-config.ts';
import { CONFIG_LIMIT, MANIFEST_LIMIT } from '../../spec/image-document.ts';
import { parseManifest } from '../../spec/image-manifest.ts';
import { type BroughtImage, bringImage, type PullOptions, type PullSource } from '../images/pull.ts';
import type { Shop } from '../images/shop.ts';
import { LAYOUT } from './named-contexts.ts';

const REFERENCE = /^(.+?)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/;
/** image-spec 1.1, annotations.md. */
const NAME = 'org.opencontainers.image.ref.name';

/** An image with its configuration. */
export interface LayoutImage extends Pick<BroughtImage, 'manifest'> {
  readonly config: ReturnType<typeof parseImageConfig>;
  readonly chains: ReturnType<typeof chainIds>;
}

/** Throws CaissonError `ENOTFOUND` for what is not there, `EDIGEST` for what is not what its name says. */
export async function layoutImage(shop: Shop, reference: string, options: PullOptions): Promise<LayoutImage> {
  const { port, store } = shop;
  const [, path = '', tag, digest] = REFERENCE.exec(reference.slice(LAYOUT.length)) ?? [];
  const bytes = utf8ToBytes(path);
  const directory = bytes.startsWith('/') ? bytes : `${port.cwd}/${bytes}`;
  const worker = await TreeWorker.open(port, utf8ToBytes(reference));
  try {
    const top = await worker.openDirectory(directory);
    const layout = new Layout(worker, top, reference);
    const { manifest } = await bringImage(shop, layout, await layout.entry(tag, digest), reference, options);
    const text = fromArray(await store.blobs.read(manifest.config, CONFIG_LIMIT));
    const config = parseImageConfig(text, manifest.config.digest);
    return { manifest, config, chains: chainIds(config.diffIds) };
  } finally {
    await worker.close();
  }
}

class Layout implements Pick<PullSource, 'manifest' | 'blob'> {
  private readonly worker: TreeWorker;
  private readonly top: number;
  private readonly reference: string;

  constructor(worker: TreeWorker, top: number, reference: string) {
    this.worker = worker;
    this.top = top;
    this.reference = reference;
  }

  private absent(what: string): CaissonError {
    return new CaissonError(utf8ToBytes(`${this.reference}: ${what}`), { code: 'ENOTFOUND', exitCode: 1 });
  }

  /** With neither tag nor digest `latest`, or the only one. */
  async entry(tag: string | undefined, digest: string | undefined): Promise<Descriptor> {
    const bytes = await readSmall(this.worker, this.top, 'index.json', MANIFEST_LIMIT);
    if (bytes === undefined) throw this.absent('there is no index.json: it is no image layout');
    const index = parseManifest(fromArray(bytes), undefined, 'index.json');
    if (index.kind !== 'index') throw this.absent('its index.json is no index');
    const { manifests } = index;
    const named = manifests.filter(({ annotations }) => {
      const name = annotations?.[NAME] ?? '';
      return name === (tag ?? 'latest') || name.endsWith(`:${tag ?? 'latest'}`);
    });
    const found =
      digest !== undefined
        ? manifests.find((one) => one.digest === digest)
        : (named[0] ?? (tag === undefined && manifests.length === 1 ? manifests[0] : undefined));
    if (found === undefined) throw this.absent(`it has no image ${digest ?? tag ?? 'latest'}`);
    return found;
  }

  async manifest(what: Parameters<PullSource['manifest']>[0]) {
    if (!('mediaType' in what)) throw this.absent('it has no names of registries');
    const bytes = await readSmall(this.worker, this.top, this.path(what), MANIFEST_LIMIT);
    if (bytes === undefined) throw this.absent(`${what.digest} is missing`);
    return { descriptor: what, bytes };
  }

  async blob(descriptor: Descriptor): Promise<{ offset: number; content: AsyncIterable<Uint8Array> }> {
    const entry = await look(this.worker, this.top, this.path(descriptor));
    if (entry?.type !== 'file') throw this.absent(`${descriptor.digest} is missing`);
    if (entry.size !== descriptor.size)
      throw this.absent(`${descriptor.digest} has ${entry.size} bytes instead of ${descriptor.size}`);
    return { offset: 0, content: filePieces(this.worker, this.top, entry) };
  }

  private path({ digest }: Descriptor): Bytes {
    const { algorithm, hex } = splitDigest(digest);
    return `blobs/${algorithm}/${hex}`;
  }
}
