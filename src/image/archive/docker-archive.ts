// The images of docker's archive: manifest.json, a list of configurations with their layers and names.
//
// Since docker 25 the archive is an OCI layout as well, and its manifests are taken. Before, and from podman and skopeo,
// layers are files whose digests are found by reading them, and the manifest is made here.
import { type Bytes, toArray } from '../../linux/bytes.ts';
import { isObject } from '../../spec/check.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { CONFIG_LIMIT } from '../../spec/image-document.ts';
import { type ImageManifest, parseImageManifest } from '../../spec/image-manifest.ts';
import { stringifyJson } from '../../spec/json.ts';
import {
  OCI_CONFIG,
  OCI_LAYER,
  OCI_LAYER_GZIP,
  OCI_LAYER_ZSTD,
  OCI_MANIFEST,
} from '../../spec/media-types.ts';
import { compressionOf } from '../compression.ts';
import { memberPath } from '../member-path.ts';
import { type TarEvent, TarReader } from '../tar.ts';
import type { ArchiveSource, BlobIngest, Blobs } from './blobs.ts';
import { complete, type ReadImage, taggedReference } from './oci-archive.ts';
import { beginIngest, memberNamed, refused, type Survey } from './survey.ts';

/** One entry of manifest.json. */
interface Entry {
  readonly config: Bytes;
  readonly repoTags: readonly Bytes[];
  readonly layers: readonly Bytes[];
}

/**
 * `layout` are the images of the archive's index.json, where it has one. Throws CaissonError `EARCHIVE` for a list that
 * names what is not there.
 */
export async function readDockerImages(
  list: readonly unknown[],
  found: Survey,
  source: ArchiveSource,
  blobs: Blobs,
  layout: readonly ReadImage[],
): Promise<ReadImage[]> {
  const entries = list.map(parseEntry);
  await fetchMissing(entries, found, source, blobs);
  const made: ReadImage[] = [];
  for (const entry of entries) {
    const names = entry.repoTags.map(taggedReference);
    const config = memberNamed(found, entry.config).member;
    const known = layout.find(({ manifest }) => manifest.config.digest === config.digest);
    const image = known ?? (await makeImage(entry, found, blobs));
    made.push({ ...image, names });
  }
  return made;
}

function parseEntry(value: unknown): Entry {
  if (!isObject(value)) throw refused('an entry of its manifest.json is not an object');
  const { Config: config, RepoTags: tags, Layers: layers } = value;
  if (typeof config !== 'string') throw refused('an entry of its manifest.json has no Config');
  return { config, repoTags: texts(tags, 'RepoTags'), layers: texts(layers, 'Layers') };
}

function texts(value: unknown, name: string): readonly Bytes[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value as Bytes[];
  throw refused(`${name} of an entry of its manifest.json is not a list of texts`);
}

/** A second walk for the files that are named by something else than their digest. */
async function fetchMissing(
  entries: readonly Entry[],
  found: Survey,
  source: ArchiveSource,
  blobs: Blobs,
): Promise<void> {
  const wanted = new Map<Bytes, Descriptor>();
  const digests = new Set<Digest>();
  for (const name of entries.flatMap(({ config, layers }) => [config, ...layers])) {
    const { path, member } = memberNamed(found, name);
    if (digests.has(member.digest) || blobs.has(member.digest)) continue;
    digests.add(member.digest);
    wanted.set(path, { mediaType: OCI_LAYER, digest: member.digest, size: member.size });
  }
  if (wanted.size === 0) return;
  const fetcher = new Fetcher(wanted, blobs);
  const reader = new TarReader();
  try {
    for await (const chunk of source()) for (const event of reader.push(chunk)) await fetcher.take(event);
  } catch (error) {
    await fetcher.abort();
    throw error;
  }
}

class Fetcher {
  private readonly wanted: Map<Bytes, Descriptor>;
  private readonly blobs: Blobs;
  private ingest: BlobIngest | undefined;

  constructor(wanted: Map<Bytes, Descriptor>, blobs: Blobs) {
    this.wanted = wanted;
    this.blobs = blobs;
  }

  async take(event: TarEvent): Promise<void> {
    if (event.kind === 'entry') {
      const path = memberPath(event.entry.path);
      const descriptor = event.entry.type === 'file' ? this.wanted.get(path) : undefined;
      if (descriptor === undefined) return;
      this.wanted.delete(path);
      this.ingest = await beginIngest(this.blobs, descriptor);
    } else if (event.kind === 'data') {
      const { ingest } = this;
      if (ingest === undefined || event.offset + event.bytes.length <= ingest.offset) return;
      await ingest.write(event.bytes.subarray(Math.max(0, ingest.offset - event.offset)));
    } else {
      await this.ingest?.commit();
      this.ingest = undefined;
    }
  }

  async abort(): Promise<void> {
    await this.ingest?.abort(false);
  }
}

/** docker's archives say nothing of compression: the layers are looked at. */
function layerType(start: Uint8Array, path: Bytes): string {
  const compression = compressionOf(start);
  if (compression === undefined) return OCI_LAYER;
  if (compression.name === 'gzip') return OCI_LAYER_GZIP;
  if (compression.name === 'zstd') return OCI_LAYER_ZSTD;
  throw refused(`its layer ${path} is compressed with ${compression.name}, which no registry takes`);
}

async function makeImage(entry: Entry, found: Survey, blobs: Blobs): Promise<ReadImage> {
  const config = memberNamed(found, entry.config).member;
  if (config.size > CONFIG_LIMIT) throw refused('a configuration in it is too large');
  const layers = entry.layers.map((name) => {
    const { path, member } = memberNamed(found, name);
    return { mediaType: layerType(member.start, path), digest: member.digest, size: member.size };
  });
  const document = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, digest: config.digest, size: config.size },
    layers,
  };
  const text = stringifyJson(document);
  const manifest: ImageManifest = parseImageManifest(text);
  const descriptor = await blobs.put(OCI_MANIFEST, toArray(text));
  return complete(descriptor, manifest, blobs);
}
