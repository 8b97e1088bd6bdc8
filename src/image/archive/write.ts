// Writes images into an archive: an OCI layout in a tar, and with docker's manifest.json what docker itself writes.
//
// Blobs are as they are in the store, so that digests stay. The same images give the same bytes: members are in order of
// their names, and all times are zero.
import { type Bytes, toArray, utf8ToBytes, writeBytes } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { splitDigest } from '../../spec/digest.ts';
import type { ImageManifest } from '../../spec/image-manifest.ts';
import { stringifyJson } from '../../spec/json.ts';
import { OCI_INDEX } from '../../spec/media-types.ts';
import { canonical, familiar, type Reference } from '../../spec/reference.ts';
import { BLOCK, FIELD } from '../tar-field.ts';
import type { Blobs } from './blobs.ts';

/** An image to write, with the names that go with it. */
export interface WrittenImage {
  readonly descriptor: Descriptor;
  readonly manifest: ImageManifest;
  readonly names: readonly Reference[];
}

/** The archive, piece by piece. Throws what the store throws where a blob is missing or damaged. */
export async function* writeArchive(
  images: readonly WrittenImage[],
  blobs: Blobs,
  format: 'docker' | 'oci',
): AsyncIterable<Uint8Array> {
  const needed = new Map<Bytes, Descriptor>();
  for (const { descriptor, manifest } of images) {
    for (const one of [descriptor, manifest.config, ...manifest.layers]) needed.set(blobPath(one), one);
  }
  yield directory('blobs/');
  for (const algorithm of new Set(
    [...needed.keys()].map((path) => path.slice(0, path.lastIndexOf('/') + 1)).sort(),
  ))
    yield directory(algorithm);
  for (const path of [...needed.keys()].sort()) {
    const descriptor = needed.get(path) as Descriptor;
    yield header(path, descriptor.size, '0');
    for await (const chunk of blobs.stream(descriptor)) yield chunk;
    yield padding(descriptor.size);
  }
  yield* file('index.json', indexOf(images));
  if (format === 'docker') yield* file('manifest.json', listOf(images));
  yield* file('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
  yield new Uint8Array(2 * BLOCK);
}

function blobPath({ digest }: Descriptor): Bytes {
  const { algorithm, hex } = splitDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}

/** An entry for each name; containerd's annotation is the whole one, the layout's is what `docker save` puts there. */
function indexOf(images: readonly WrittenImage[]): Bytes {
  const manifests = images.flatMap(({ descriptor: { mediaType, digest, size, platform }, names }) => {
    const plain = { mediaType, digest, size, ...(platform === undefined ? {} : { platform }) };
    if (names.length === 0) return [plain];
    return names.map((name) => ({
      ...plain,
      annotations: {
        'io.containerd.image.name': canonical(name),
        'org.opencontainers.image.ref.name': canonical(name),
      },
    }));
  });
  return stringifyJson({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
}

function listOf(images: readonly WrittenImage[]): Bytes {
  return stringifyJson(
    images.map(({ manifest, names }) => ({
      Config: blobPath(manifest.config),
      RepoTags: names.length === 0 ? null : names.map((name) => utf8ToBytes(familiar(name))),
      Layers: manifest.layers.map(blobPath),
    })),
  );
}

function* file(name: Bytes, content: Bytes): Iterable<Uint8Array> {
  yield header(name, content.length, '0');
  yield toArray(content);
  yield padding(content.length);
}

function directory(name: Bytes): Uint8Array {
  return header(name, 0, '5');
}

function padding(size: number): Uint8Array {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}

/** Twelve octal digits and no more fit (ustar); beyond that GNU's base-256 (tar(5)). */
const LARGEST_OCTAL = 8 ** 11 - 1;

/** Only the name of a sha512 blob is too long for the field: a pax header has it then (POSIX, pax Extended Header). */
function header(path: Bytes, size: number, type: '0' | '5'): Uint8Array {
  if (path.length <= FIELD.name[1]) return block(path, size, type);
  const rest = ` path=${path}\n`;
  const record = `${rest.length + 3}${rest}`;
  const blocks = new Uint8Array(3 * BLOCK);
  blocks.set(block('pax', record.length, 'x'));
  writeBytes(blocks, BLOCK, record);
  blocks.set(block(path.slice(0, FIELD.name[1]), size, type), 2 * BLOCK);
  return blocks;
}

function block(name: Bytes, size: number, type: '0' | '5' | 'x'): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = ([at]: readonly [number, number], text: Bytes) => {
    writeBytes(block, at, text);
  };
  put(FIELD.name, name);
  put(FIELD.mode, type === '5' ? '0000755\0' : '0000644\0');
  put(FIELD.uid, '0000000\0');
  put(FIELD.gid, '0000000\0');
  if (size <= LARGEST_OCTAL) put(FIELD.size, `${size.toString(8).padStart(11, '0')}\0`);
  else putBinary(block, FIELD.size, size);
  put(FIELD.mtime, '00000000000\0');
  put(FIELD.checksum, '        ');
  put(FIELD.type, type);
  put(FIELD.magic, 'ustar\x0000');
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(FIELD.checksum, `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}

function putBinary(block: Uint8Array, [at, length]: readonly [number, number], value: number): void {
  let rest = BigInt(value);
  for (let i = at + length - 1; i > at; i--) {
    block[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block[at] = 0x80;
}
