// Image indexes: manifests of the same image for several platforms (image-spec 1.1, image-index.md; Docker's list).

import type { Fields } from './check.ts';
import { type Annotations, type Descriptor, parseAnnotations, parseMediaType } from './descriptor.ts';
import { descriptorIn, refuseDocument } from './image-document.ts';

export interface ImageIndex {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Annotations;
}

export const INDEX_FIELDS: readonly string[] = [
  'schemaVersion',
  'mediaType',
  'artifactType',
  'manifests',
  'subject',
  'annotations',
];

/**
 * The index of a document that has been found to be one (parseManifest). Throws CaissonError `EDOCUMENT` or
 * `EDESCRIPTOR`.
 */
export function indexOf(fields: Fields, mediaType: string, what: string): ImageIndex {
  if (!Array.isArray(fields.manifests))
    throw refuseDocument(what, '/manifests', 'expected an array of descriptors');
  const manifests = fields.manifests.map((one: unknown, index) =>
    descriptorIn(one, what, `/manifests/${index}`),
  );
  const artifactType =
    fields.artifactType == null ? undefined : parseMediaType(fields.artifactType, '/artifactType');
  const subject = fields.subject == null ? undefined : descriptorIn(fields.subject, what, '/subject');
  const annotations = parseAnnotations(fields.annotations, '/annotations');
  return {
    kind: 'index',
    mediaType,
    manifests,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(subject === undefined ? {} : { subject }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/**
 * Whether an entry of an index is a statement about another entry and no image: BuildKit puts attestations into
 * indexes as manifests for the platform `unknown/unknown` (docs.docker.com, "Attestation storage").
 */
export function isAttestation({ annotations, platform }: Descriptor): boolean {
  if (annotations?.['vnd.docker.reference.type'] === 'attestation-manifest') return true;
  return platform?.os === 'unknown' && platform.architecture === 'unknown';
}
