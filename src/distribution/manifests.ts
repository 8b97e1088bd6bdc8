// Manifests of a repository: looked up, fetched and verified, put.

import { createHash } from 'node:crypto';
import { bytesToUtf8, fromArray } from '../linux/bytes.ts';
import { isObject } from '../spec/check.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type Digest, digestOf, isDigest, splitDigest } from '../spec/digest.ts';
import { CaissonError } from '../spec/error.ts';
import { type JsonValue, parseJson } from '../spec/json.ts';
import { isSchema1Type, MANIFEST_TYPES, OCI_INDEX, OCI_MANIFEST } from '../spec/media-types.ts';
import { manifestReference, type Reference } from '../spec/reference.ts';
import type { EndpointClient } from './endpoint-client.ts';
import { oneLine } from './http/redaction.ts';
import type { Response } from './http/response.ts';
import { plainMediaType } from './http/response-headers.ts';

export interface Manifest {
  readonly descriptor: Descriptor;
  /** As they came: these are what the digest is of. */
  readonly bytes: Uint8Array;
}

/** Types that say nothing: what web servers answer for files, and what some registries do. */
const VAGUE_TYPES = ['', 'application/json', 'text/plain', 'application/octet-stream', 'text/html'];

/**
 * What a reference stands for. By HEAD, so that it does not count as a pull where those are limited; by GET where HEAD
 * is not answered in full. Throws CaissonError `ENOTFOUND`, `EDENIED`, `EMANIFEST`, ...
 */
export async function resolveManifest(client: EndpointClient, ref: Reference): Promise<Descriptor> {
  const response = await requestManifest(
    client,
    'HEAD',
    manifestReference(ref),
    [200, 400, 403, 404, 405, 501],
  );
  const size = response.length;
  const digest = response.header('docker-content-digest') ?? ref.digest;
  const mediaType = plainMediaType(response.header('content-type'));
  const isComplete =
    size !== undefined &&
    size > 0 &&
    digest !== undefined &&
    isDigest(digest) &&
    MANIFEST_TYPES.includes(mediaType);
  await response.discard();
  if (response.status !== 200 || !isComplete || !isSameDigest(ref.digest, digest))
    return (await fetchManifest(client, ref)).descriptor;
  return { mediaType, digest: ref.digest ?? digest, size };
}

/**
 * The manifest of a reference or descriptor, verified against the digest where one is known. Throws CaissonError
 * `EDIGEST`, `ESIZE`, `EMANIFEST` for what is not what was asked for, `ETOOLARGE` beyond 4 MiB.
 */
export async function fetchManifest(
  client: EndpointClient,
  wanted: Reference | Descriptor,
): Promise<Manifest> {
  const expected = 'mediaType' in wanted ? wanted : undefined;
  const digest = wanted.digest;
  const reference = 'mediaType' in wanted ? wanted.digest : manifestReference(wanted);
  const what = whatOf(client, reference);
  if ((expected?.size ?? 0) > client.limits.manifestBytes) {
    throw new CaissonError(`${what}: larger than ${client.limits.manifestBytes} bytes`, {
      code: 'ETOOLARGE',
    });
  }
  const response = await requestManifest(client, 'GET', reference, [200]);
  const told = response.header('docker-content-digest');
  const contentType = plainMediaType(response.header('content-type'));
  const bytes = await response.bytes(client.limits.manifestBytes);
  if (expected !== undefined && bytes.length !== expected.size) {
    throw new CaissonError(`${what}: ${bytes.length} bytes instead of ${expected.size}`, { code: 'ESIZE' });
  }
  const actual = verifiedDigest(what, bytes, digest, told);
  const mediaType = mediaTypeOf(what, bytes, contentType);
  if (expected !== undefined && expected.mediaType !== mediaType) {
    throw ambiguous(
      what,
      `it is of the type ${oneLine(mediaType)} and was announced as ${oneLine(expected.mediaType)}`,
    );
  }
  return { descriptor: expected ?? { mediaType, digest: actual, size: bytes.length }, bytes };
}

/** Puts a manifest under a tag or its digest. Throws CaissonError `EDIGEST` when the registry stored something else. */
export async function putManifest(
  client: EndpointClient,
  ref: Reference,
  mediaType: string,
  bytes: Uint8Array,
): Promise<{ descriptor: Descriptor; hasSubject: boolean }> {
  const digest =
    ref.digest === undefined ? hash('sha256', bytes) : hash(splitDigest(ref.digest).algorithm, bytes);
  const reference = ref.tag ?? digest;
  const what = whatOf(client, reference);
  if (ref.digest !== undefined && ref.digest !== digest) throw mismatch(what, ref.digest, digest);
  const response = await client.send({
    method: 'PUT',
    target: `${client.endpoint.repository}/manifests/${reference}`,
    headers: { 'Content-Type': mediaType },
    content: { length: bytes.length, open: () => once(bytes) },
    scopes: [`repository:${client.endpoint.repository}:pull,push`],
    what,
    accept: [200, 201, 202],
  });
  const told = response.header('docker-content-digest');
  const hasSubject = response.header('oci-subject') !== undefined;
  await response.discard();
  if (told !== undefined && isDigest(told) && told !== hash(splitDigest(told).algorithm, bytes))
    throw mismatch(what, digest, told);
  return { descriptor: { mediaType, digest, size: bytes.length }, hasSubject };
}

/** The digest of bytes. */
export function hash(algorithm: 'sha256' | 'sha512', bytes: Uint8Array): Digest {
  return digestOf(algorithm, createHash(algorithm).update(bytes).digest('hex'));
}

function requestManifest(
  client: EndpointClient,
  method: 'GET' | 'HEAD',
  reference: string,
  accept: readonly number[],
): Promise<Response> {
  const { repository } = client.endpoint;
  return client.send({
    method,
    target: `${repository}/manifests/${reference}`,
    headers: { Accept: MANIFEST_TYPES.join(', ') },
    scopes: [`repository:${repository}:pull`],
    what: whatOf(client, reference),
    accept,
  });
}

function whatOf(client: EndpointClient, reference: string): string {
  return `manifest ${reference} of ${client.endpoint.repository}`;
}

function isSameDigest(wanted: Digest | undefined, told: string): boolean {
  // Of another algorithm it says nothing.
  if (
    wanted === undefined ||
    !isDigest(told) ||
    splitDigest(told).algorithm !== splitDigest(wanted).algorithm
  )
    return true;
  return told === wanted;
}

/** The digest that was asked for decides; without one, what the registry tells must be true. */
function verifiedDigest(
  what: string,
  bytes: Uint8Array,
  wanted: Digest | undefined,
  told: string | undefined,
): Digest {
  const claimed = wanted ?? (told !== undefined && isDigest(told) ? told : undefined);
  const actual = hash(claimed === undefined ? 'sha256' : splitDigest(claimed).algorithm, bytes);
  if (claimed !== undefined && claimed !== actual) throw mismatch(what, claimed, actual);
  return actual;
}

/** The document says what it is, and the header does; two opinions are an attack (CVE-2021-41190). */
function mediaTypeOf(what: string, bytes: Uint8Array, contentType: string): string {
  let document: JsonValue;
  try {
    document = parseJson(fromArray(bytes), 'manifest');
  } catch (error) {
    throw ambiguous(what, `it is not JSON: ${error instanceof Error ? error.message : ''}`);
  }
  if (!isObject(document)) throw ambiguous(what, 'it is not a JSON object');
  if (isSchema1Type(contentType) || document.schemaVersion === 1) {
    throw new CaissonError(`${what}: it is of Docker's schema 1, which is not supported`, {
      code: 'EMANIFEST',
      details: ['images of that kind are older than 2016; push it again with a current engine'],
    });
  }
  const own = typeof document.mediaType === 'string' ? bytesToUtf8(document.mediaType) : undefined;
  const isVague = VAGUE_TYPES.includes(contentType);
  if (own !== undefined && !isVague && own !== contentType)
    throw ambiguous(what, `it calls itself ${oneLine(own)} and the registry says ${oneLine(contentType)}`);
  const mediaType = own ?? (isVague ? guess(document) : contentType);
  if (mediaType !== undefined && MANIFEST_TYPES.includes(mediaType)) return mediaType;
  throw ambiguous(
    what,
    `its type is ${oneLine(mediaType ?? (contentType || 'unknown'))}, which is no image's`,
  );
}

/** image-spec once let manifests be without `mediaType`. */
function guess(document: { readonly [key: string]: JsonValue }): string | undefined {
  const [manifests, layers] = [document.manifests !== undefined, document.layers !== undefined];
  if (manifests === layers) return undefined;
  return manifests ? OCI_INDEX : OCI_MANIFEST;
}

function ambiguous(what: string, why: string): CaissonError {
  return new CaissonError(`${what}: ${why}`, { code: 'EMANIFEST' });
}

function mismatch(what: string, wanted: Digest, actual: Digest): CaissonError {
  return new CaissonError(`${what}: its digest is ${actual} and should be ${wanted}`, { code: 'EDIGEST' });
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
