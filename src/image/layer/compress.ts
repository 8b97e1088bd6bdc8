// Compresses a layer: gzip in members of their own on all of the engine's threads, zstd, or not at all.
//
// gzip: each 512 KiB become a member (RFC 1952, 2.2: members follow each other without anything between), so that several
// are compressed at once, and the bytes do not depend on how many.
import { CaissonError } from '../../spec/error.ts';
import { type Compression, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD } from '../../spec/media-types.ts';
import { through, type ZstdStreams } from './decompress.ts';

const MEMBER = 512 << 10;
const AT_ONCE = 3;
const ZSTD_CHUNK = 256 << 10;
/** ZSTD_c_compressionLevel and ZSTD_c_checksumFlag of <zstd.h>. */
const ZSTD_LEVEL = 100;
const ZSTD_CHECKSUM = 201;

export interface CompressOptions {
  readonly compression: Compression;
  /** Of zlib 1 to 9, default 6; of zstd 1 to 19, default 3. */
  readonly level?: number;
}

/** The OCI media type of a layer with this compression. */
export function layerMediaType(compression: Compression): string {
  return { none: OCI_LAYER, gzip: OCI_LAYER_GZIP, zstd: OCI_LAYER_ZSTD }[compression];
}

/** The compressed content. Throws CaissonError EUNSUPPORTED for zstd with Node before 22.15, which has none. */
export async function* compress(
  content: AsyncIterable<Uint8Array>,
  { compression, level }: CompressOptions,
): AsyncGenerator<Uint8Array> {
  if (compression === 'none') yield* content;
  else if (compression === 'gzip') yield* gzip(content, level ?? 6);
  else yield* zstd(content, level ?? 3);
}

/** Pieces of exactly `size` bytes, the last one shorter. */
export async function* inPieces(
  content: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array> {
  let piece = new Uint8Array(size);
  let filled = 0;
  for await (const chunk of content) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + size - filled);
      piece.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < size) continue;
      yield piece;
      piece = new Uint8Array(size);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

async function* gzip(content: AsyncIterable<Uint8Array>, level: number): AsyncGenerator<Uint8Array> {
  const zlib = await import('node:zlib');
  const one = (piece: Uint8Array): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      zlib.gzip(piece, { level }, (error, result) => {
        if (error === null) resolve(result);
        else reject(error);
      });
    });
  const running: Promise<Uint8Array>[] = [];
  let members = 0;
  try {
    for await (const piece of inPieces(content, MEMBER)) {
      if (running.length === AT_ONCE) yield await (running.shift() as Promise<Uint8Array>);
      const member = one(piece);
      // It is awaited later, or never when something else fails first.
      member.catch(() => undefined);
      running.push(member);
      members++;
    }
    if (members === 0) running.push(one(new Uint8Array(0)));
    for (const member of running.splice(0)) yield await member;
  } finally {
    await Promise.allSettled(running);
  }
}

async function* zstd(content: AsyncIterable<Uint8Array>, level: number): AsyncGenerator<Uint8Array> {
  const { createZstdCompress }: typeof import('node:zlib') & ZstdStreams = await import('node:zlib');
  if (createZstdCompress === undefined) {
    throw new CaissonError('zstd needs Node 22.15 or later, or Bun: use gzip', { code: 'EUNSUPPORTED' });
  }
  const params = { [ZSTD_LEVEL]: level, [ZSTD_CHECKSUM]: 1 };
  yield* through(content, createZstdCompress({ chunkSize: ZSTD_CHUNK, params }), 'zstd');
}
