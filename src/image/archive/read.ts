// Reads an archive of images into a store: docker's, or an OCI layout in a tar. Names are returned, not set.
import { fromArray } from '../../linux/bytes.ts';
import { parseJsonStrictly } from '../../spec/json-parser.ts';
import type { NamedPlatform } from '../../spec/platform-match.ts';
import type { ArchiveSource, Blobs } from './blobs.ts';
import { readDockerImages } from './docker-archive.ts';
import { type ReadImage, readLayoutImages } from './oci-archive.ts';
import { refused, survey } from './survey.ts';

export type { ReadImage } from './oci-archive.ts';

/**
 * Reads the archive that `source` gives, uncompressed, once or (docker's of before 2024) twice. Everything that an image
 * needs is in the store when this returns, verified; what belongs to no image is for the garbage collector.
 * `wanted` chooses among images for several platforms. Throws CaissonError `EARCHIVE` and what documents are refused with.
 */
export async function readArchive(
  source: ArchiveSource,
  blobs: Blobs,
  wanted: NamedPlatform,
): Promise<ReadImage[]> {
  const found = await survey(source, blobs);
  const list = found.documents.get('manifest.json');
  const index = found.documents.get('index.json');
  const layout = index === undefined ? [] : await readLayoutImages(index, blobs, wanted);
  if (list !== undefined) return await readDockerImages(parseList(list), found, source, blobs, layout);
  if (index !== undefined) return layout;
  if (found.documents.has('oci-layout')) throw refused('it is an OCI layout without an index.json');
  throw refused(
    'it has neither a manifest.json nor an index.json; the archive of a root file system is for `caisson import`',
  );
}

const LIST_LIMITS = { depth: 8, values: 200_000 };

function parseList(bytes: Uint8Array): readonly unknown[] {
  const value = parseJsonStrictly(fromArray(bytes), 'manifest.json', LIST_LIMITS);
  if (Array.isArray(value)) return value as readonly unknown[];
  throw refused('its manifest.json is not a list');
}
