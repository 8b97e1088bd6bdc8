// Manifest lists that are put together here and pushed: `manifest create`, `annotate`, `push`, `rm`.
//
// A list is a small file below the store's root until it is pushed; what it names is in the registry already, and no layer
// is pulled for it.
import { createHash } from 'node:crypto';
import type { Registry } from '../../distribution/registry.ts';
import type { Port } from '../../host/port.ts';
import { type Bytes, fromArray, toArray } from '../../linux/bytes.ts';
import { isObject } from '../../spec/check.ts';
import { type Descriptor, type Platform, parseDescriptor } from '../../spec/descriptor.ts';
import { splitDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseImageConfig } from '../../spec/image-config.ts';
import { CONFIG_LIMIT } from '../../spec/image-document.ts';
import { type ImageManifest, parseManifest } from '../../spec/image-manifest.ts';
import { parseJson, stringifyJson } from '../../spec/json.ts';
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX } from '../../spec/media-types.ts';
import { canonical, parseReference, type Reference, withTarget } from '../../spec/reference.ts';

/** One image of a list. */
export interface ListEntry {
  /** With its platform. */
  readonly descriptor: Descriptor;
  /** Where it is, by digest. */
  readonly source: Reference;
}

const FILE_LIMIT = 8 << 20;

function pathOf(root: Bytes, list: Reference): Bytes {
  const name = createHash('sha256').update(canonical(list)).digest('hex');
  return `${root}/manifests/${name}.json`;
}

/** The entries of a list that has been created; undefined where there is none. Throws CaissonError `ESTORE` for a damaged one. */
export function readList(port: Port, root: Bytes, list: Reference): ListEntry[] | undefined {
  const path = pathOf(root, list);
  const text = port.readFile(path, FILE_LIMIT);
  if (text === undefined) return undefined;
  const value = parseJson(text, path);
  const entries = isObject(value) && Array.isArray(value.entries) ? (value.entries as unknown[]) : undefined;
  if (entries === undefined) throw new CaissonError(`${path} is damaged: remove it`, { code: 'ESTORE' });
  return entries.map((each, at) => {
    const { descriptor, source } = isObject(each) ? each : {};
    if (typeof source !== 'string')
      throw new CaissonError(`${path} is damaged: remove it`, { code: 'ESTORE' });
    return { descriptor: parseDescriptor(descriptor, `/entries/${at}`), source: parseReference(source) };
  });
}

/** Replaces the list. */
export function writeList(port: Port, root: Bytes, list: Reference, entries: readonly ListEntry[]): void {
  port.makeDirectory(`${root}/manifests`);
  const lines = entries.map(({ descriptor, source }) => ({ descriptor, source: canonical(source) }));
  const text = stringifyJson({ list: canonical(list), entries: lines });
  // It is all that there is of the list until it is pushed.
  if (port.replaceFileDurably === undefined) port.replaceFile(pathOf(root, list), text, 0o600);
  else port.replaceFileDurably(pathOf(root, list), text, 0o600);
}

/** False where there was none. */
export function removeList(port: Port, root: Bytes, list: Reference): boolean {
  const path = pathOf(root, list);
  if (port.stat(path) === undefined) return false;
  port.remove(path);
  return true;
}

/** An image of a registry as an entry: its platform is that of its configuration. Throws CaissonError `EDOCUMENT`. */
export async function entryOf(
  registry: Pick<Registry, 'manifest' | 'blob'>,
  reference: Reference,
): Promise<ListEntry> {
  const { descriptor, bytes } = await registry.manifest(reference);
  const document = parseManifest(fromArray(bytes), descriptor.mediaType);
  if (document.kind === 'index') {
    throw new CaissonError(
      `${canonical(reference)} is a manifest list: name the images in it by their digests`,
      {
        code: 'EDOCUMENT',
        exitCode: 1,
      },
    );
  }
  const { mediaType, digest, size } = descriptor;
  const platform = await platformOf(registry, document);
  return { descriptor: { mediaType, digest, size, platform }, source: withTarget(reference, { digest }) };
}

/** Throws CaissonError `EDIGEST` for another content than the digest's, by whatever algorithm that is. */
async function platformOf(
  registry: Pick<Registry, 'blob'>,
  { config }: Pick<ImageManifest, 'config'>,
): Promise<Platform> {
  if (config.size > CONFIG_LIMIT)
    throw new CaissonError('its configuration is too large', { code: 'EDOCUMENT' });
  const { content } = await registry.blob(config, 0);
  const chunks: Bytes[] = [];
  const { algorithm, hex } = splitDigest(config.digest);
  const hash = createHash(algorithm);
  let size = 0;
  for await (const chunk of content) {
    size += chunk.length;
    if (size > config.size) break;
    hash.update(chunk);
    chunks.push(fromArray(chunk));
  }
  if (size !== config.size || hash.digest('hex') !== hex)
    throw new CaissonError(`${config.digest}: the content that came is another`, { code: 'EDIGEST' });
  const { os, architecture, variant, 'os.version': version } = parseImageConfig(chunks.join(''));
  return {
    architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { 'os.version': version }),
  };
}

/** The list with one more; the same image is there once, as it was added last. */
export function withEntry(entries: readonly ListEntry[], entry: ListEntry): ListEntry[] {
  return [...entries.filter(({ descriptor }) => descriptor.digest !== entry.descriptor.digest), entry];
}

/** The document of a list: docker's where all images are docker's, else OCI's. */
export function listDocument(entries: readonly ListEntry[]): {
  readonly mediaType: string;
  readonly text: Bytes;
} {
  const manifests = entries.map(({ descriptor }) => descriptor);
  const docker = manifests.length > 0 && manifests.every(({ mediaType }) => mediaType === DOCKER_MANIFEST);
  const mediaType = docker ? DOCKER_LIST : OCI_INDEX;
  return { mediaType, text: stringifyJson({ schemaVersion: 2, mediaType, manifests }, '   ') };
}

/** Throws CaissonError `EUSAGE` for an image of another registry, which cannot be taken from there. */
export async function pushList(
  registry: Registry,
  list: Reference,
  entries: readonly ListEntry[],
  pull: (source: Reference) => Promise<{ readonly descriptor: Descriptor; readonly bytes: Uint8Array }>,
): Promise<Descriptor> {
  for (const { source } of entries) {
    if (source.domain === list.domain) continue;
    throw new CaissonError(
      `cannot use source images from a different registry than the target image: ${source.domain} != ${list.domain}`,
      { code: 'EUSAGE', exitCode: 1 },
    );
  }
  for (const { source } of entries)
    if (source.path !== list.path) await copyManifest(registry, list, source, pull);
  const { mediaType, text } = listDocument(entries);
  return await registry.putManifest(list, mediaType, toArray(text));
}

/** Within one registry: blobs are mounted and the manifest is put again. */
async function copyManifest(
  registry: Registry,
  list: Reference,
  source: Reference,
  pull: (source: Reference) => Promise<{ readonly descriptor: Descriptor; readonly bytes: Uint8Array }>,
): Promise<void> {
  const { descriptor, bytes } = await pull(source);
  const document = parseManifest(fromArray(bytes), descriptor.mediaType);
  const blobs = document.kind === 'manifest' ? [...document.layers, document.config] : [];
  for (const blob of blobs) {
    if (await registry.hasBlob(blob)) continue;
    if (await registry.mount(blob, source.path)) continue;
    throw new CaissonError(
      `${canonical(list)}: the registry does not take ${blob.digest} from ${source.path}`,
      {
        code: 'EREGISTRY',
        exitCode: 1,
        details: ['push the image to the same repository first'],
      },
    );
  }
  await registry.putManifest(withTarget(list, { digest: descriptor.digest }), descriptor.mediaType, bytes);
}
