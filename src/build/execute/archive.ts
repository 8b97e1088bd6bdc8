// Archives that ADD unpacks: recognised by their content, unpacked by the layer extractor into a directory of their own.
import type { Port } from '../../host/port.ts';
import { compressionOf } from '../../image/compression.ts';
import { applyLayer } from '../../image/layer/apply.ts';
import { decompress } from '../../image/layer/decompress.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD } from '../../spec/media-types.ts';
import { filePieces } from '../tree/content.ts';
import type { TreeEntry } from '../tree/entry.ts';
import type { TreeWorker } from '../tree/worker.ts';

const HEADER = 512;

const MEDIA_TYPES: Readonly<Record<string, string>> = { gzip: OCI_LAYER_GZIP, zstd: OCI_LAYER_ZSTD };

/** Enough to see what a file is. */
async function beginningOf(worker: TreeWorker, directory: number, entry: TreeEntry): Promise<Uint8Array> {
  for await (const piece of filePieces(worker, directory, entry)) return piece.slice(0, HEADER);
  return new Uint8Array(0);
}

/**
 * Whether a file is a tar archive, compressed or not. Throws CaissonError `EARCHIVE` for a compression that is not known
 * here: nobody could say what is inside.
 */
export async function isArchive(worker: TreeWorker, directory: number, entry: TreeEntry): Promise<boolean> {
  const beginning = await beginningOf(worker, directory, entry);
  const compression = compressionOf(beginning);
  if (compression === undefined) return isTarHeader(beginning);
  const mediaType = MEDIA_TYPES[compression.name];
  if (mediaType === undefined)
    throw new CaissonError(`${entry.path} is a ${compression.name} file, and ADD unpacks gzip and zstd`, {
      code: 'EARCHIVE',
      details: [`unpack it before the build (${compression.program}), or use COPY or ADD --unpack=false`],
    });
  return isTarHeader(await unpackedBeginning(worker, directory, entry, mediaType));
}

async function unpackedBeginning(
  worker: TreeWorker,
  directory: number,
  entry: TreeEntry,
  mediaType: string,
): Promise<Uint8Array> {
  let beginning = new Uint8Array(0);
  try {
    for await (const piece of decompress(filePieces(worker, directory, entry), mediaType)) {
      beginning = Uint8Array.from([...beginning, ...piece.subarray(0, HEADER)]);
      if (beginning.length >= HEADER) break;
    }
  } catch (error) {
    // Something that only begins like a compressed file is no archive.
    if (!(error instanceof CaissonError)) throw error;
  }
  return beginning.subarray(0, HEADER);
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
  port: Port,
  worker: TreeWorker,
  directory: number,
  entry: TreeEntry,
  target: Bytes,
): Promise<void> {
  const compression = compressionOf(await beginningOf(worker, directory, entry));
  const mediaType = (compression && MEDIA_TYPES[compression.name]) ?? OCI_LAYER;
  const cause = `ADD ${entry.path}`;
  await applyLayer(port, filePieces(worker, directory, entry), mediaType, target, { cause, form: 'merged' });
}
