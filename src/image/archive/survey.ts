// The first walk over an archive of images: content that is named by its digest goes into the store, documents are
// kept, and of everything else the digest is taken.
//
// No member becomes a file by its own name, and links are followed in the table of members alone, so that there is
// nothing that could lead outside (CVE-2014-9356, containerd CVE-2026-53492, T44).
import { createHash, type Hash } from 'node:crypto';
import type { Bytes } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { type Digest, digestOf, isDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { MANIFEST_LIMIT } from '../../spec/image-document.ts';
import { memberPath } from '../member-path.ts';
import { type TarEntry, type TarEvent, TarReader } from '../tar.ts';
import type { ArchiveSource, BlobIngest, Blobs } from './blobs.ts';

/** What a file of the archive is: where its bytes are, and how they begin. */
export interface Member {
  readonly digest: Digest;
  readonly size: number;
  /** The first bytes, enough to tell a compression. */
  readonly start: Uint8Array;
}

export interface Survey {
  readonly members: ReadonlyMap<Bytes, Member>;
  /** Symbolic and hard links: name to the name of the target. */
  readonly links: ReadonlyMap<Bytes, Bytes>;
  /** The content of documents: manifest.json, index.json, configurations. */
  readonly documents: ReadonlyMap<Bytes, Uint8Array>;
}

/** Members of all kinds; docker's archives have four for each layer. */
const MEMBER_LIMIT = 100_000;
/** A file larger than this is no document; all documents together. */
const DOCUMENT_LIMIT = 2 * MANIFEST_LIMIT;
const DOCUMENTS_LIMIT = 16 * MANIFEST_LIMIT;
const START = 8;

/** Walks over the archive once. Throws CaissonError `EARCHIVE` for what is no archive, and what the store throws. */
export async function survey(source: ArchiveSource, blobs: Blobs): Promise<Survey> {
  const surveyor = new Surveyor(blobs);
  const reader = new TarReader();
  try {
    for await (const chunk of source()) for (const event of reader.push(chunk)) await surveyor.take(event);
    reader.finish();
  } catch (error) {
    await surveyor.abort();
    throw error;
  }
  return surveyor;
}

/** The digest that a member of an OCI layout is named by: `blobs/sha256/<hex>`. */
function namedDigest(path: Bytes): Digest | undefined {
  const [folder, algorithm, hex, more] = path.split('/');
  if (folder !== 'blobs' || more !== undefined) return undefined;
  const digest = `${algorithm}:${hex}`;
  return isDigest(digest) ? digest : undefined;
}

function isDocument(path: Bytes, size: number): boolean {
  return size <= DOCUMENT_LIMIT && (path.endsWith('.json') || path === 'oci-layout');
}

interface Current {
  readonly path: Bytes;
  readonly size: number;
  readonly start: Uint8Array;
  readonly known: Digest | undefined;
  readonly hash: Hash | undefined;
  readonly ingest: BlobIngest | undefined;
  readonly document: Uint8Array | undefined;
}

class Surveyor implements Survey {
  readonly members = new Map<Bytes, Member>();
  readonly links = new Map<Bytes, Bytes>();
  readonly documents = new Map<Bytes, Uint8Array>();
  private readonly blobs: Blobs;
  private current: Current | undefined;
  private kept = 0;
  private count = 0;

  constructor(blobs: Blobs) {
    this.blobs = blobs;
  }

  async take(event: TarEvent): Promise<void> {
    if (event.kind === 'entry') await this.begin(event.entry);
    else if (event.kind === 'data') await this.content(event.offset, event.bytes);
    else await this.end();
  }

  async abort(): Promise<void> {
    const { current } = this;
    this.current = undefined;
    await current?.ingest?.abort(false);
  }

  private async begin(entry: TarEntry): Promise<void> {
    if (++this.count > MEMBER_LIMIT) throw refused(`it has more than ${MEMBER_LIMIT} members`);
    const path = memberPath(entry.path);
    if (entry.type === 'symlink' || entry.type === 'hardlink') {
      this.links.set(path, linkTarget(path, entry));
      return;
    }
    if (entry.type !== 'file') return;
    const { size } = entry;
    const known = namedDigest(path);
    const keep = known === undefined && isDocument(path, size);
    if (keep) this.kept += size;
    if (this.kept > DOCUMENTS_LIMIT) throw refused('its documents are too large');
    const missing = known !== undefined && !this.blobs.has(known);
    this.current = {
      path,
      size,
      known,
      start: new Uint8Array(START),
      hash: known === undefined ? createHash('sha256') : undefined,
      ingest: missing
        ? await beginIngest(this.blobs, { mediaType: 'application/octet-stream', digest: known, size })
        : undefined,
      document: keep ? new Uint8Array(size) : undefined,
    };
  }

  private async content(offset: number, bytes: Uint8Array): Promise<void> {
    const { current } = this;
    if (current === undefined) return;
    if (offset < START) current.start.set(bytes.subarray(0, START - offset), offset);
    current.hash?.update(bytes);
    current.document?.set(bytes, offset);
    const { ingest } = current;
    if (ingest === undefined || offset + bytes.length <= ingest.offset) return;
    await ingest.write(bytes.subarray(Math.max(0, ingest.offset - offset)));
  }

  private async end(): Promise<void> {
    const { current } = this;
    if (current === undefined) return;
    await current.ingest?.commit();
    this.current = undefined;
    const { path, size, start, known, hash, document } = current;
    const digest = known ?? digestOf('sha256', hash?.digest('hex') ?? '');
    this.members.set(path, { digest, size, start });
    if (document !== undefined) this.documents.set(path, document);
  }
}

/** From the beginning: what another attempt has left may be of another archive. */
export async function beginIngest(blobs: Blobs, descriptor: Descriptor): Promise<BlobIngest> {
  const ingest = await blobs.ingest(descriptor);
  await ingest.restart();
  return ingest;
}

/** A symbolic link's target stands where the link is, a hard link's in the archive. Outside of it there is nothing. */
function linkTarget(path: Bytes, { type, linkName }: TarEntry): Bytes {
  const from = type === 'hardlink' || linkName.startsWith('/') ? [] : path.split('/').slice(0, -1);
  for (const part of linkName.split('/')) {
    if (part === '..') from.pop();
    else if (part !== '' && part !== '.') from.push(part);
  }
  return from.join('/');
}

const LONGEST_CHAIN = 40;

/** The file that a name of the archive means, links followed. Throws CaissonError `EARCHIVE` where there is none. */
export function memberNamed({ members, links }: Survey, name: Bytes): { path: Bytes; member: Member } {
  let path = memberPath(name);
  for (let length = 0; length < LONGEST_CHAIN; length++) {
    const member = members.get(path);
    if (member !== undefined) return { path, member };
    const target = links.get(path);
    if (target === undefined) break;
    path = target;
  }
  throw refused(`it names ${JSON.stringify(name)}, which is not in it`);
}

export function refused(why: string): CaissonError {
  return new CaissonError(`archive of images: ${why}`, { code: 'EARCHIVE' });
}
