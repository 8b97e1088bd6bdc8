// Image manifests: the configuration and the layers of one image (image-spec 1.1, manifest.md; Docker's schema 2).

import type { Bytes } from '../linux/bytes.ts';
import { type Fields, quote } from './check.ts';
import { type Annotations, type Descriptor, parseAnnotations, parseMediaType } from './descriptor.ts';
import { CaissonError } from './error.ts';
import {
  descriptorIn,
  MANIFEST_LIMIT,
  parseDocument,
  refuseDocument,
  refuseLookAlikes,
} from './image-document.ts';
import { type ImageIndex, INDEX_FIELDS, indexOf } from './image-index.ts';
import {
  isImageConfigType,
  isIndexType,
  isManifestType,
  isSchema1Type,
  OCI_INDEX,
  OCI_MANIFEST,
} from './media-types.ts';

/** The manifest of one image or artifact. */
export interface ImageManifest {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  /** The manifest that this one says something about (a signature, an attestation). */
  readonly subject?: Descriptor;
  readonly annotations?: Annotations;
}

/** What a manifest or an index may have; the other one's fields are in both sets, so that neither is hidden by case. */
const FIELDS: ReadonlySet<string> = new Set([...INDEX_FIELDS, 'config', 'layers', 'fsLayers']);

/**
 * Takes a manifest or an index from the bytes of its document. `declared` is the media type that a Content-Type header
 * or a descriptor gave; it must be the document's own. A document that is both, or neither, is refused.
 * Throws CaissonError `EDOCUMENT`, `EDESCRIPTOR` or `EINVALIDJSON`, and `EUNSUPPORTED` for Docker's schema 1.
 */
export function parseManifest(text: Bytes, declared?: string, what = 'manifest'): ImageManifest | ImageIndex {
  const fields = parseDocument(text, what, MANIFEST_LIMIT);
  refuseLookAlikes(fields, FIELDS, what);
  const mediaType = typeOf(fields, declared, what);
  const index = isIndexType(mediaType);
  const foreign = index ? ['layers', 'config', 'fsLayers'] : ['manifests', 'fsLayers'];
  for (const name of foreign) {
    if (!Object.hasOwn(fields, name)) continue;
    throw refuseDocument(
      what,
      `/${name}`,
      `it is ${index ? 'an index' : 'a manifest'} and must not have ${name} (CVE-2021-41190)`,
    );
  }
  if (fields.schemaVersion !== 2) throw refuseDocument(what, '/schemaVersion', 'expected 2');
  return index ? indexOf(fields, mediaType, what) : manifestOf(fields, mediaType, what);
}

/** Likewise, where only the manifest of one image will do. Throws CaissonError `EDOCUMENT` for an index. */
export function parseImageManifest(text: Bytes, declared?: string, what = 'manifest'): ImageManifest {
  const document = parseManifest(text, declared, what);
  if (document.kind === 'manifest') return document;
  throw refuseDocument(what, '', 'this is an index of images, and one image is wanted');
}

/** Whether the manifest is that of an image that can run: artifacts have configurations of other types. */
export function isImage(manifest: ImageManifest): boolean {
  return isImageConfigType(manifest.config.mediaType);
}

/** The type that the document has: its own word and the declared one must agree, its content must fit. */
function typeOf(fields: Fields, declared: string | undefined, what: string): string {
  const own = fields.mediaType ?? undefined;
  if (own !== undefined && typeof own !== 'string')
    throw refuseDocument(what, '/mediaType', 'expected a string');
  if (own !== undefined && declared !== undefined && own !== declared) {
    throw refuseDocument(
      what,
      '/mediaType',
      `it calls itself ${quote(own)} and was announced as ${quote(declared)} (CVE-2021-41190)`,
    );
  }
  const said = own ?? declared;
  const schema1 =
    fields.schemaVersion === 1 || Object.hasOwn(fields, 'fsLayers') || isSchema1Type(said ?? '');
  if (schema1 && !Object.hasOwn(fields, 'layers') && !Object.hasOwn(fields, 'manifests')) {
    throw schema1Error(what);
  }
  if (said !== undefined && (isIndexType(said) || isManifestType(said))) return said;
  if (said !== undefined) {
    throw refuseDocument(what, '/mediaType', `${quote(said)} is the type of neither a manifest nor an index`);
  }
  return typeByContent(fields, what);
}

function schema1Error(what: string): CaissonError {
  return new CaissonError(
    `${what}: this is Docker's schema 1 of before 2016, whose layers have no content addresses`,
    {
      code: 'EUNSUPPORTED',
      details: ['push the image again with a tool of today, or convert it with `skopeo copy --format oci`'],
    },
  );
}

/** image-spec 1.1: the type may be absent from the document. */
function typeByContent(fields: Fields, what: string): string {
  const layers = Object.hasOwn(fields, 'layers');
  const manifests = Object.hasOwn(fields, 'manifests');
  if (layers && manifests)
    throw refuseDocument(what, '', 'it has both layers and manifests (CVE-2021-41190)');
  if (!layers && !manifests) throw refuseDocument(what, '', 'it has neither layers nor manifests');
  return layers ? OCI_MANIFEST : OCI_INDEX;
}

function manifestOf(fields: Fields, mediaType: string, what: string): ImageManifest {
  if (!Array.isArray(fields.layers))
    throw refuseDocument(what, '/layers', 'expected an array of descriptors');
  const config = descriptorIn(fields.config, what, '/config');
  const layers = fields.layers.map((layer: unknown, index) => descriptorIn(layer, what, `/layers/${index}`));
  const artifactType = optionalType(fields.artifactType);
  const subject = fields.subject == null ? undefined : descriptorIn(fields.subject, what, '/subject');
  const annotations = parseAnnotations(fields.annotations, '/annotations');
  return {
    kind: 'manifest',
    mediaType,
    config,
    layers,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(subject === undefined ? {} : { subject }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

function optionalType(value: unknown): string | undefined {
  return value == null ? undefined : parseMediaType(value, '/artifactType');
}
