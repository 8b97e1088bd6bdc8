// Archives that ADD unpacks: recognised by their content, unpacked by the layer extractor into a directory of their own.
import { compressionOf } from '../../image/compression.ts';
import { applyLayer } from '../../image/layer/apply.ts';
import { decompress } from '../../image/layer/decompress.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { OCI_LAYER } from '../../spec/media-types.ts';
import { filePieces } from '../tree/content.ts';
import type { TreeEntry } from '../tree/entry.ts';
import type { TreeWorker } from '../tree/worker.ts';
import type { BuildEnvironment } from './environment.ts';

const HEADER = 512;

/** Enough to see what a file is. */
async function beginningOf(worker: TreeWorker, directory: number, entry: TreeEntry): Promise<Uint8Array> {
  for await (const piece of filePieces(worker, directory, entry)) return piece.slice(0, HEADER);
  return new Uint8Array(0);
}

/** What is behind the compression. */
function plainPieces(
  { decompress: byProgram }: Pick<BuildEnvironment, 'decompress'>,
  pieces: AsyncIterable<Uint8Array>,
  compression: ReturnType<typeof compressionOf>,
): AsyncIterable<Uint8Array> {
  if (compression === undefined) return pieces;
  return compression.name === 'gzip' || compression.name === 'zstd'
    ? decompress(pieces, OCI_LAYER)
    : byProgram(compression.name, pieces);
}

/** Whether a file is a tar archive, compressed or not. Throws CaissonError `ENOTFOUND` where nobody can look into it. */
export async function isArchive(
  environment: Pick<BuildEnvironment, 'decompress'>,
  worker: TreeWorker,
  directory: number,
  entry: TreeEntry,
): Promise<boolean> {
  let beginning = await beginningOf(worker, directory, entry);
  const compression = compressionOf(beginning);
  if (compression === undefined) return isTarHeader(beginning);
  beginning = new Uint8Array(0);
  try {
    for await (const piece of plainPieces(environment, filePieces(worker, directory, entry), compression)) {
      beginning = Uint8Array.from([...beginning, ...piece.subarray(0, HEADER)]);
      if (beginning.length >= HEADER) break;
    }
  } catch (error) {
    // Something that only begins like a compressed file is no archive.
    if (!(error instanceof CaissonError && error.code === 'EARCHIVE')) throw error;
  }
  return isTarHeader(beginning.subarray(0, HEADER));
}

/** The checksum of the header is right (tar(5)): the sum of its bytes, with blanks in place of itself. */
export function isTarHeader(header: Uint8Array): boolean {
  if (header.length < HEADER || header[0] === 0) return false;
  const field = String.fromCharCode(...header.subarray(148, 156)).replace(/[\0 ]+/g, '');
  if (!/^[0-7]+$/.test(field)) return false;
  let sum = 0;
  for (let at = 0; at < HEADER; at++) sum += at >= 148 && at < 156 ? 32 : (header[at] as number);
  return sum === Number.parseInt(field, 8);
}

/** Unpacks into `target`, an empty directory. Throws CaissonError `EARCHIVE`. */
export async function unpackArchive(
  environment: Pick<BuildEnvironment, 'decompress' | 'port'>,
  worker: TreeWorker,
  directory: number,
  entry: TreeEntry,
  target: Bytes,
): Promise<void> {
  const compression = compressionOf(await beginningOf(worker, directory, entry));
  await applyPlain(
    environment,
    filePieces(worker, directory, entry),
    compression,
    target,
    `ADD ${entry.path}`,
  );
}

/** Unpacks an archive whose compression is known. */
export async function applyPlain(
  environment: Pick<BuildEnvironment, 'decompress' | 'port'>,
  pieces: AsyncIterable<Uint8Array>,
  compression: ReturnType<typeof compressionOf>,
  target: Bytes,
  cause: Bytes,
): Promise<void> {
  const byNode = compression?.name === 'gzip' || compression?.name === 'zstd';
  // Bombs are measured by what is compressed, which unpacking has to see.
  const content = byNode ? pieces : plainPieces(environment, pieces, compression);
  await applyLayer(environment.port, content, OCI_LAYER, target, { cause, form: 'merged' });
}
