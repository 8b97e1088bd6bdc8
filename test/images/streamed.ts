// What the tests of pulls that unpack on the way share: an image of one layer, a registry that does as it is told, a
// store. Run as a program it pulls:
//
//   node streamed.js '{"root": "/x", "stallAt": 300000}'
//
// Prints `stalled` once it has been given so many bytes of the layer and some of it is unpacked; the rest never comes.
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { pullImage } from '../../src/engine/images/pull.ts';
import { SILENT } from '../../src/engine/images/reporter.ts';
import { hostPlatform, type Shop } from '../../src/engine/images/shop.ts';
import { hostDisk } from '../../src/host/node-disk.ts';
import { digestBytes } from '../../src/image/store/durable.ts';
import { openStore } from '../../src/image/store/store.ts';
import type { Descriptor } from '../../src/spec/descriptor.ts';
import type { Digest } from '../../src/spec/digest.ts';
import { CaissonError } from '../../src/spec/error.ts';
import { OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST } from '../../src/spec/media-types.ts';
import { parseReference, type Reference } from '../../src/spec/reference.ts';
import { port } from '../store/world.ts';
import { layer } from './image.ts';

export const REFERENCE: Reference = parseReference('registry.example/streamed:1');
/** Files of the layer, and bytes of each. */
export const FILES = 400;
export const FILE_SIZE = 16384;
const CHUNK = 32 << 10;

/** An image of one layer. */
export interface Streamed {
  readonly manifest: Descriptor;
  readonly layer: Descriptor;
  readonly chain: Digest;
  readonly content: ReadonlyMap<Digest, Uint8Array>;
}

/** Content that no compression makes shorter, the same in every process of a test. */
function filling(index: number): string {
  const bytes = Buffer.alloc(FILE_SIZE);
  let state = index + 1;
  for (let i = 0; i < FILE_SIZE; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes.toString('latin1');
}

let made: Buffer | undefined;

/** The archive of the image's layer. */
export function archive(): Buffer {
  made ??= layer(...Array.from({ length: FILES }, (_, index) => [`files/${index}`, filling(index)] as const));
  return made;
}

/** An image whose one layer is `packed`, of an archive with `diffId`. */
export function streamed(
  packed: Uint8Array = gzipSync(archive()),
  diffId: Digest = digestBytes(archive()),
): Streamed {
  const content = new Map<Digest, Uint8Array>();
  const add = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.length };
    content.set(descriptor.digest, bytes);
    return descriptor;
  };
  const json = (mediaType: string, value: object) => add(mediaType, Buffer.from(JSON.stringify(value)));
  const one = add(OCI_LAYER_GZIP, packed);
  const rootfs = { type: 'layers', diff_ids: [diffId] };
  const architecture = process.arch === 'x64' ? 'amd64' : 'arm64';
  const config = json(OCI_CONFIG, { architecture, os: 'linux', rootfs });
  const manifest = json(OCI_MANIFEST, { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [one] });
  return { manifest, layer: one, chain: diffId, content };
}

/** How a registry serves the layer once. */
export interface Serving {
  /** Other bytes than the descriptor's. */
  readonly instead?: Uint8Array;
  /** The connection is lost behind so many bytes of the blob. */
  readonly breakAt?: number;
  /** Behind so many nothing comes any more, when `stalled` has been called. */
  readonly stallAt?: number;
  readonly stalled?: () => Promise<void>;
  readonly withoutRanges?: boolean;
}

/** A registry; each element of `servings` is for one request of the layer, the last one for all that follow. */
export class Source {
  /** Where the requests for the layer began. */
  readonly offsets: number[] = [];
  private readonly image: Streamed;
  private readonly servings: readonly Serving[];

  constructor(image: Streamed, ...servings: readonly Serving[]) {
    this.image = image;
    this.servings = servings;
  }

  async resolve(): Promise<Descriptor> {
    return this.image.manifest;
  }

  async manifest() {
    const { manifest, content } = this.image;
    return { descriptor: manifest, bytes: content.get(manifest.digest) ?? new Uint8Array() };
  }

  async blob(descriptor: Descriptor, offset: number) {
    const bytes = this.image.content.get(descriptor.digest) ?? new Uint8Array();
    if (descriptor.digest !== this.image.layer.digest) return { offset, content: pieces(bytes, offset, {}) };
    const serving = this.servings[Math.min(this.offsets.length, this.servings.length - 1)] ?? {};
    this.offsets.push(offset);
    const from = serving.withoutRanges === true ? 0 : offset;
    return { offset: from, content: pieces(serving.instead ?? bytes, from, serving) };
  }
}

async function* pieces(bytes: Uint8Array, from: number, { breakAt, stallAt, stalled }: Serving) {
  for (let at = from; at < bytes.length; at += CHUNK) {
    if (breakAt !== undefined && at >= breakAt)
      throw new CaissonError('the connection is lost', { code: 'ENETWORK' });
    if (stallAt !== undefined && at >= stallAt) {
      await stalled?.();
      await new Promise((resolve) => setTimeout(resolve, 1e9));
    }
    // As from a socket: others have their turn.
    await new Promise((resolve) => setImmediate(resolve));
    yield bytes.subarray(at, at + CHUNK);
  }
}

/** Does `work` with the store at `root`. */
export async function withStore<T>(root: string, work: (shop: Shop) => Promise<T>): Promise<T> {
  const own = await port();
  const store = await openStore(own, hostDisk(), { root });
  try {
    return await work({ port: own, store, host: hostPlatform(own), reporter: SILENT });
  } finally {
    await store.close();
  }
}

export async function pullFrom(root: string, source: Source): Promise<void> {
  await withStore(root, async (shop) => {
    await pullImage(shop, source, REFERENCE, { platform: shop.host, explicit: false });
  });
}

/** What is to be seen of the image in a store, and what is on its way. */
export interface Seen {
  readonly names: number;
  readonly layers: readonly string[];
  readonly hasBlob: boolean;
  readonly ingest: readonly string[];
}

export function seen(root: string, image: Streamed): Seen {
  const list = (name: string) => (existsSync(`${root}/${name}`) ? readdirSync(`${root}/${name}`).sort() : []);
  const hex = image.layer.digest.slice('sha256:'.length);
  return {
    names: existsSync(`${root}/index.json`) ? list('.').filter((name) => name === 'index.json').length : 0,
    layers: list('layers'),
    hasBlob: existsSync(`${root}/blobs/sha256/${hex}`),
    ingest: list('ingest'),
  };
}

/** Files of the layer that somebody is unpacking. */
export function unpackedSoFar(root: string): number {
  const name = readdirSync(`${root}/layers`).find((each) => each.startsWith('.new-'));
  const files = `${root}/layers/${name}/tree/files`;
  return name !== undefined && existsSync(files) ? readdirSync(files).length : 0;
}

async function main(text: string): Promise<void> {
  const { root, stallAt } = JSON.parse(text) as { root: string; stallAt?: number };
  const image = streamed();
  const stalled = async () => {
    while (unpackedSoFar(root) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    process.stdout.write('stalled\n');
  };
  try {
    await pullFrom(root, new Source(image, stallAt === undefined ? {} : { stallAt, stalled }));
    process.stdout.write('pulled\n');
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
    process.stdout.write(`${error.code} ${error.message}\n`);
    process.exitCode = 1;
  }
  process.stdout.write(`${JSON.stringify(seen(root, image))}\n`);
}

export const PROGRAM = fileURLToPath(import.meta.url);
if (process.argv[1] === PROGRAM) await main(process.argv[2] ?? '{}');
