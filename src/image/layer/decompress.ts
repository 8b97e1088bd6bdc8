// Takes the compression of a layer away: gzip (with any number of members), zstd (with any number of frames), or none.
//
// node:zlib works in the engine's pool of threads, a chunk at a time. What it decompresses to is bounded by whoever
// reads: nothing is produced that is not asked for.
import type { Transform } from 'node:stream';
import { CaissonError } from '../../spec/error.ts';
import { type Compression, layerCompression } from '../../spec/media-types.ts';
import { compressionOf } from '../compression.ts';
import { ZstdFrames } from './zstd-frames.ts';

/** Bytes of a chunk that comes out. */
const CHUNK = 512 << 10;

/** What node:zlib has from Node 22.15 on. */
export interface ZstdStreams {
  readonly createZstdDecompress?: (options: { chunkSize: number }) => Transform;
  readonly createZstdCompress?: (options: {
    chunkSize: number;
    params: Readonly<Record<number, number>>;
  }) => Transform;
}

function damaged(name: string, cause: unknown): CaissonError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CaissonError(`the ${name} data is damaged or cut off: ${why}`, { code: 'EARCHIVE', cause });
}

/**
 * The compression of a layer. Its bytes decide, for registries hold layers whose media type is wrong and all engines
 * take them; the media type must be one of a layer. Throws CaissonError EMEDIATYPE for another one, EARCHIVE for a
 * compression that no layer has.
 */
export function compressionOfLayer(mediaType: string, start: Uint8Array): Compression {
  const said = layerCompression(mediaType);
  if (said === undefined) {
    throw new CaissonError(`${JSON.stringify(mediaType.slice(0, 200))} is not the media type of a layer`, {
      code: 'EMEDIATYPE',
      details: ['layers are tar archives, with gzip, zstd or no compression'],
    });
  }
  const found = compressionOf(start);
  if (found === undefined) return 'none';
  if (found.name === 'gzip' || found.name === 'zstd') return found.name;
  throw new CaissonError(`a layer with the compression ${found.name}, which images do not have`, {
    code: 'EARCHIVE',
  });
}

/** The content behind the compression. Throws CaissonError EARCHIVE where it is damaged, cut off, or goes on with something else. */
export async function* decompress(
  content: AsyncIterable<Uint8Array>,
  mediaType: string,
): AsyncGenerator<Uint8Array, void, void> {
  const { start, rest } = await beginningOf(content);
  const compression = compressionOfLayer(mediaType, start);
  if (compression === 'none') yield* rest;
  else if (compression === 'gzip') yield* through(rest, await gunzip(), 'gzip');
  else yield* unzstd(rest);
}

/** The first bytes, enough to tell a compression by, and everything with them. */
async function beginningOf(
  content: AsyncIterable<Uint8Array>,
): Promise<{ start: Uint8Array; rest: AsyncIterable<Uint8Array> }> {
  const iterator = content[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < 6) {
    const next = await iterator.next();
    if (next.done === true) break;
    if (next.value.length === 0) continue;
    chunks.push(next.value);
    length += next.value.length;
  }
  const start = chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
  return { start, rest: continued(start, iterator) };
}

async function* continued(
  start: Uint8Array,
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    if (start.length > 0) yield start;
    for (;;) {
      const next = await iterator.next();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}

async function gunzip(): Promise<Transform> {
  const { createGunzip } = await import('node:zlib');
  return createGunzip({ chunkSize: CHUNK });
}

async function* unzstd(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { createZstdDecompress }: typeof import('node:zlib') & ZstdStreams = await import('node:zlib');
  if (createZstdDecompress !== undefined) {
    yield* through(wholeFrames(content), createZstdDecompress({ chunkSize: CHUNK }), 'zstd');
    return;
  }
  // Node before 22.15 has none.
  const { unzstdWithout } = await import('./zstd-fallback.ts');
  try {
    yield* unzstdWithout(wholeFrames(content));
  } catch (error) {
    throw error instanceof CaissonError ? error : damaged('zstd', error);
  }
}

/** The same content, cut where frames end. Throws CaissonError EARCHIVE where it is not made of whole frames. */
async function* wholeFrames(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const frames = new ZstdFrames();
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw damaged('zstd', error);
    }
  };
  for await (const chunk of content) {
    let from = 0;
    for (const end of guarded(() => frames.push(chunk))) {
      yield chunk.subarray(from, end);
      from = end;
    }
    if (from < chunk.length) yield chunk.subarray(from);
  }
  guarded(() => frames.finish());
}

/** Content through a stream of node:zlib. */
export async function* through(
  content: AsyncIterable<Uint8Array>,
  stream: Transform,
  name: string,
): AsyncGenerator<Uint8Array> {
  const source: { error?: unknown } = {};
  const fed = feed(content, stream, source);
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
    await fed;
  } catch (error) {
    if ('error' in source) throw source.error;
    throw damaged(name, error);
  } finally {
    stream.destroy();
    await fed;
  }
}

/** Never rejects: an error of the source destroys the stream and is kept. */
async function feed(
  content: AsyncIterable<Uint8Array>,
  stream: Transform,
  source: { error?: unknown },
): Promise<void> {
  try {
    for await (const chunk of content) {
      if (stream.destroyed) return;
      if (!stream.write(chunk)) await drained(stream);
    }
    stream.end();
  } catch (error) {
    source.error = error;
    stream.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Until the stream takes more, or is destroyed. */
function drained(stream: Transform): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      stream.off('error', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
    stream.on('error', done);
  });
}
