// The image of these tests: busybox in an archive that docker, containerd, podman and buildah all take.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { makeRootfs } from '../harness/rootfs.ts';

/** Name of the image; no registry has it. */
export const IMAGE = 'caisson.test/busybox:1';

/** Another name of the same image, for the sandboxes of a kubelet. */
export const PAUSE_IMAGE = 'caisson.test/pause:1';

const CONFIG = { Env: ['PATH=/bin', 'FROM_IMAGE=yes'], Cmd: ['/bin/sleep', '100000'] };

function blob(directory: string, content: Buffer): { digest: string; size: number } {
  const hex = createHash('sha256').update(content).digest('hex');
  writeFileSync(`${directory}/blobs/sha256/${hex}`, content);
  return { digest: `sha256:${hex}`, size: content.length };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function tar(file: string, directory: string): void {
  const owners = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name', '--mtime=@0'];
  const { status, stderr } = spawnSync('tar', ['-cf', file, ...owners, '-C', directory, '.'], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`tar: ${stderr}`);
}

/**
 * Writes the archive `file`: an OCI image layout with the `manifest.json` of `docker save` beside it.
 * @param name of the image, with its tag
 */
export function writeImage(file: string, name = IMAGE): void {
  const work = `${file}.work`;
  mkdirSync(`${work}/image/blobs/sha256`, { recursive: true });
  makeRootfs(`${work}/rootfs`);
  chmodSync(`${work}/rootfs/tmp`, 0o1777);
  tar(`${work}/layer.tar`, `${work}/rootfs`);
  const layer = blob(`${work}/image`, readFileSync(`${work}/layer.tar`));
  const rootfs = { type: 'layers', diff_ids: [layer.digest] };
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const created = '2026-01-01T00:00:00Z';
  const config = blob(`${work}/image`, json({ architecture, os: 'linux', created, config: CONFIG, rootfs }));
  const oci = (kind: string) => `application/vnd.oci.image.${kind}`;
  const manifest = {
    schemaVersion: 2,
    mediaType: oci('manifest.v1+json'),
    config: { mediaType: oci('config.v1+json'), ...config },
    layers: [{ mediaType: oci('layer.v1.tar'), ...layer }],
  };
  const entry = {
    mediaType: manifest.mediaType,
    ...blob(`${work}/image`, json(manifest)),
    annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name },
  };
  writeFileSync(`${work}/image/index.json`, json({ schemaVersion: 2, manifests: [entry] }));
  writeFileSync(`${work}/image/oci-layout`, json({ imageLayoutVersion: '1.0.0' }));
  const path = ({ digest }: { digest: string }) => `blobs/${digest.replace(':', '/')}`;
  const saved = [{ Config: path(config), RepoTags: [name], Layers: [path(layer)] }];
  writeFileSync(`${work}/image/manifest.json`, json(saved));
  tar(`${work}/image.tar`, `${work}/image`);
  renameSync(`${work}/image.tar`, file);
  rmSync(work, { recursive: true });
}
