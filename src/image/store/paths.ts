// Where things are in a store: the only place that makes file names of digests and names.
import type { Bytes } from '../../linux/bytes.ts';
import { type Digest, digestOf, isDigest, splitDigest } from '../../spec/digest.ts';

/** What a layer's name begins with while it is unpacked, and when it is on its way out. */
export const NEW_LAYER = '.new-';
export const GONE = '.gone-';

/** Algorithms of blobs, each a directory below `blobs`. */
export const ALGORITHMS = ['sha256', 'sha512'] as const;

export class StorePaths {
  readonly root: Bytes;

  constructor(root: Bytes) {
    this.root = root;
  }

  /** `1` and a new line. */
  get format(): Bytes {
    return `${this.root}/format`;
  }

  /** image-spec 1.1, image-layout.md. */
  get layout(): Bytes {
    return `${this.root}/oci-layout`;
  }

  get index(): Bytes {
    return `${this.root}/index.json`;
  }

  get blobs(): Bytes {
    return `${this.root}/blobs`;
  }

  get ingest(): Bytes {
    return `${this.root}/ingest`;
  }

  get layers(): Bytes {
    return `${this.root}/layers`;
  }

  get pins(): Bytes {
    return `${this.root}/pins`;
  }

  get quarantine(): Bytes {
    return `${this.root}/quarantine`;
  }

  /** Room for removals on a full disk. */
  get reserve(): Bytes {
    return `${this.root}/reserve`;
  }

  get locks(): Bytes {
    return `${this.root}/locks`;
  }

  /** Held shared by everybody who uses the store, exclusively by the garbage collector. */
  get storeLock(): Bytes {
    return `${this.locks}/store`;
  }

  /** Held while index.json changes. */
  get namesLock(): Bytes {
    return `${this.locks}/names`;
  }

  blobDirectory(digest: Digest): Bytes {
    return `${this.blobs}/${splitDigest(digest).algorithm}`;
  }

  blob(digest: Digest): Bytes {
    return `${this.blobDirectory(digest)}/${splitDigest(digest).hex}`;
  }

  partial(digest: Digest): Bytes {
    return `${this.ingest}/${fileName(digest)}`;
  }

  ingestLock(digest: Digest): Bytes {
    return `${this.locks}/blob-${fileName(digest)}`;
  }

  layer(chain: Digest): Bytes {
    return `${this.layers}/${splitDigest(chain).hex}`;
  }

  layerLock(chain: Digest): Bytes {
    return `${this.locks}/layer-${splitDigest(chain).hex}`;
  }
}

/** `sha256-<hex>` */
export function fileName(digest: Digest): Bytes {
  const { algorithm, hex } = splitDigest(digest);
  return `${algorithm}-${hex}`;
}

/** The digest that a file of `blobs/<algorithm>` is named by; undefined for any other name. */
export function digestOfBlob(algorithm: string, hex: Bytes): Digest | undefined {
  const text = `${algorithm}:${hex}`;
  return isDigest(text) ? text : undefined;
}

/** The chain ID that a directory of `layers` is named by: the length tells the algorithm. */
export function chainOfLayer(name: Bytes): Digest | undefined {
  if (!/^(?:[0-9a-f]{64}|[0-9a-f]{128})$/.test(name)) return undefined;
  return digestOf(name.length === 64 ? 'sha256' : 'sha512', name);
}
