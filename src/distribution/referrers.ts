// Referrers: manifests that name another as their subject (distribution-spec 1.1), by the API or by a tag.

import { fromArray, toArray } from '../linux/bytes.ts';
import { isObject } from '../spec/check.ts';
import { type Descriptor, parseDescriptor } from '../spec/descriptor.ts';
import { type Digest, splitDigest } from '../spec/digest.ts';
import { CaissonError } from '../spec/error.ts';
import { type JsonValue, parseJson, stringifyJson } from '../spec/json.ts';
import { OCI_INDEX } from '../spec/media-types.ts';
import type { EndpointClient } from './endpoint-client.ts';
import { pagesOf } from './lists.ts';
import { fetchManifest, putManifest } from './manifests.ts';

const REFERRERS_LIMIT = 10_000;

/**
 * The manifests that refer to `digest`, optionally of one artifact type. A registry without the API is asked for the
 * index under the tag that the specification gives to it.
 */
export async function listReferrers(
  client: EndpointClient,
  digest: Digest,
  artifactType?: string,
): Promise<readonly Descriptor[]> {
  const byApi = await fromApi(client, digest, artifactType);
  const found = byApi ?? (await fromTag(client, digest));
  return artifactType === undefined ? found : found.filter((each) => each.artifactType === artifactType);
}

/** undefined where the registry has no such API. */
async function fromApi(
  client: EndpointClient,
  digest: Digest,
  artifactType: string | undefined,
): Promise<Descriptor[] | undefined> {
  const { repository } = client.endpoint;
  const filter = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`;
  let found: Descriptor[] | undefined;
  const pages = pagesOf(client, {
    target: `${repository}/referrers/${digest}${filter}`,
    headers: { Accept: OCI_INDEX },
    scopes: [`repository:${repository}:pull`],
    what: `referrers of ${digest} in ${repository}`,
    mayBeMissing: true,
  });
  for await (const { value } of pages) {
    found = [...(found ?? []), ...descriptorsOf(value)];
    if (found.length > REFERRERS_LIMIT) throw tooMany(client, digest);
  }
  return found;
}

async function fromTag(client: EndpointClient, digest: Digest): Promise<Descriptor[]> {
  const index = await taggedIndex(client, digest);
  return index === undefined ? [] : descriptorsOf(index);
}

/**
 * After a manifest with a subject has been put and the registry did not say `OCI-Subject`: notes it in the index under
 * the subject's tag, as clients must then. Two clients at once may lose one note; the specification accepts that.
 */
export async function noteReferrer(
  client: EndpointClient,
  subject: Digest,
  referrer: Descriptor,
): Promise<void> {
  const index = await taggedIndex(client, subject);
  const known = isObject(index) ? index : { schemaVersion: 2, mediaType: OCI_INDEX };
  const manifests = isObject(index) && Array.isArray(index.manifests) ? index.manifests : [];
  if (descriptorsOf(known).some(({ digest }) => digest === referrer.digest)) return;
  if (manifests.length >= REFERRERS_LIMIT) throw tooMany(client, subject);
  const bytes = toArray(stringifyJson({ ...known, manifests: [...manifests, referrer] }));
  await putManifest(client, { domain: '', path: '', tag: tagOf(subject) }, OCI_INDEX, bytes);
}

/** What a referrer is described by: type, digest and size, with the artifact type and annotations of its manifest. */
export function describeReferrer(
  descriptor: Descriptor,
  bytes: Uint8Array,
): { subject: Digest; referrer: Descriptor } | undefined {
  let document: JsonValue;
  try {
    document = parseJson(fromArray(bytes), 'manifest');
  } catch {
    return undefined;
  }
  if (!isObject(document) || !isObject(document.subject)) return undefined;
  const subject = parseDescriptor(document.subject, '/subject');
  const config = isObject(document.config) ? document.config.mediaType : undefined;
  const artifactType = document.artifactType ?? config;
  const referrer = parseDescriptor({ ...descriptor, artifactType, annotations: document.annotations }, '');
  return { subject: subject.digest, referrer };
}

async function taggedIndex(client: EndpointClient, digest: Digest): Promise<JsonValue | undefined> {
  try {
    const { descriptor, bytes } = await fetchManifest(client, { domain: '', path: '', tag: tagOf(digest) });
    return descriptor.mediaType === OCI_INDEX ? parseJson(fromArray(bytes), 'referrers') : undefined;
  } catch (error) {
    if (error instanceof CaissonError && error.code === 'ENOTFOUND') return undefined;
    throw error;
  }
}

/** distribution-spec, "Referrers Tag Schema": at most 64 of the digits. */
function tagOf(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `${algorithm}-${hex.slice(0, 64)}`;
}

function descriptorsOf(index: JsonValue): Descriptor[] {
  const manifests = isObject(index) ? index.manifests : undefined;
  if (!Array.isArray(manifests)) return [];
  return (manifests as readonly JsonValue[]).map((each, at) => parseDescriptor(each, `/manifests/${at}`));
}

function tooMany(client: EndpointClient, digest: Digest): CaissonError {
  return new CaissonError(`more than ${REFERRERS_LIMIT} referrers of ${digest} (${client.endpoint.host})`, {
    code: 'ELIST',
  });
}
