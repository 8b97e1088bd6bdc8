// An OCI image layout on disk, put together without any of caisson's own code for images.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface LayoutLayer {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** The uncompressed archive. */
  readonly archive: Uint8Array;
}

const hex = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Writes the image `NAME:latest` of these layers into a new layout `path`. */
export function writeLayout(path: string, layers: readonly LayoutLayer[]): void {
  mkdirSync(join(path, 'blobs/sha256'), { recursive: true });
  const put = (mediaType: string, bytes: Uint8Array) => {
    writeFileSync(join(path, 'blobs/sha256', hex(bytes)), bytes);
    return { mediaType, digest: `sha256:${hex(bytes)}`, size: bytes.length };
  };
  const json = (mediaType: string, value: unknown) => put(mediaType, Buffer.from(JSON.stringify(value)));
  const config = json('application/vnd.oci.image.config.v1+json', {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Cmd: ['/nothing'] },
    rootfs: { type: 'layers', diff_ids: layers.map(({ archive }) => `sha256:${hex(archive)}`) },
  });
  const manifest = json('application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config,
    layers: layers.map(({ bytes, mediaType }) => put(mediaType, bytes)),
  });
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
  writeFileSync(
    join(path, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  writeFileSync(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}
