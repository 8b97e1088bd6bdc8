// index.json of a store: which images there are, and their names (image-spec 1.1, image-layout.md, "index.json").
//
// An entry with a name has the annotation org.opencontainers.image.ref.name, in full; an entry without is an image that
// has lost its names (docker shows it as <none>). An image of several names has several entries.
import type { Disk } from '../../host/disk.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { isObject } from '../../spec/check.ts';
import { type Descriptor, parseDescriptor } from '../../spec/descriptor.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseJson, stringifyJson } from '../../spec/json.ts';
import { OCI_INDEX } from '../../spec/media-types.ts';
import { readText, replaceDurably } from './durable.ts';
import type { StorePaths } from './paths.ts';

/** image-spec 1.1, annotations.md. */
const REF_NAME = 'org.opencontainers.image.ref.name';
/** Ours: when the name was given, RFC 3339 in UTC. */
const NAMED_AT = 'io.caisson.named-at';

/** Some hundred thousand names. */
const INDEX_LIMIT = 128 << 20;

/** One entry of index.json. */
export interface IndexEntry {
  /** In full, `docker.io/library/debian:12`; undefined for an image that has lost its names. */
  readonly name: string | undefined;
  readonly namedAt: string | undefined;
  /** Without the annotations that the store itself makes. */
  readonly descriptor: Descriptor;
}

/** What was read: entries, and what in the file could not be understood. */
export interface IndexContent {
  readonly entries: readonly IndexEntry[];
  /** One line each. */
  readonly damaged: readonly string[];
  /** The file as it is. */
  readonly text: Bytes;
}

/**
 * Reads index.json. An entry that is damaged is left out and told of; the others are there. Throws CaissonError `ESTORE`
 * when nothing of the file can be understood: an empty answer would let the garbage collector take everything.
 */
export function readIndex(disk: Disk, paths: StorePaths): IndexContent {
  const text = readText(disk, paths.index, INDEX_LIMIT);
  if (text === undefined) throw unreadable(paths.index, 'it is missing');
  const value = parse(text, paths.index);
  if (!isObject(value) || !Array.isArray(value.manifests))
    throw unreadable(paths.index, 'it has no list of manifests');
  const entries: IndexEntry[] = [];
  const damaged: string[] = [];
  for (const [position, one] of (value.manifests as unknown[]).entries()) {
    try {
      entries.push(entryOf(parseDescriptor(one, `/manifests/${position}`)));
    } catch (error) {
      if (!(error instanceof CaissonError)) throw error;
      damaged.push(error.message);
    }
  }
  return { entries, damaged, text };
}

function parse(text: Bytes, path: Bytes): unknown {
  try {
    return parseJson(text, path);
  } catch (error) {
    throw unreadable(path, error instanceof Error ? error.message : String(error));
  }
}

function unreadable(path: Bytes, why: string): CaissonError {
  return new CaissonError(`${path} is damaged: ${why}`, {
    code: 'ESTORE',
    details: ['`caisson image verify` sets it aside and finds the images again, without their names'],
  });
}

function entryOf(found: Descriptor): IndexEntry {
  const { annotations = {} } = found;
  return { name: annotations[REF_NAME], namedAt: annotations[NAMED_AT], descriptor: plain(found) };
}

/** Annotations of descriptors come from strangers: more than this, in bytes, is not kept in our list. */
const ANNOTATIONS_LIMIT = 16 << 10;

/** What of a descriptor the list keeps: no embedded content, no addresses, and never a name that a stranger has put there. */
function plain({
  mediaType,
  digest,
  size,
  platform,
  artifactType,
  annotations = {},
}: Descriptor): Descriptor {
  const kept = Object.entries(annotations).filter(([key]) => key !== REF_NAME && key !== NAMED_AT);
  const length = kept.reduce((sum, [key, text]) => sum + key.length + text.length, 0);
  return {
    mediaType,
    digest,
    size,
    ...(platform === undefined ? {} : { platform }),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(kept.length === 0 || length > ANNOTATIONS_LIMIT ? {} : { annotations: Object.fromEntries(kept) }),
  };
}

/** Replaces index.json durably. The caller holds the lock of the names. */
export async function writeIndex(
  disk: Disk,
  paths: StorePaths,
  entries: readonly IndexEntry[],
): Promise<void> {
  const manifests = entries.map(({ name, namedAt, descriptor: given }) => {
    const descriptor = plain(given);
    const annotations = {
      ...descriptor.annotations,
      ...(name === undefined ? {} : { [REF_NAME]: name }),
      ...(namedAt === undefined ? {} : { [NAMED_AT]: namedAt }),
    };
    return Object.keys(annotations).length === 0 ? descriptor : { ...descriptor, annotations };
  });
  const document = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
  await replaceDurably(disk, paths.index, stringifyJson(document));
}
