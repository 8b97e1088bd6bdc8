// The platform of an image in a manifest list is that of its configuration, and of no other content.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { isDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { OCI_CONFIG, OCI_MANIFEST } from '../../spec/media-types.ts';
import { parseReference } from '../../spec/reference.ts';
import { entryOf } from './manifest-list.ts';

const CONFIG = JSON.stringify({
  os: 'linux',
  architecture: 'arm64',
  rootfs: { type: 'layers', diff_ids: [] },
  config: {},
});

/** A registry of one image whose configuration has a digest of that algorithm, and that answers with `content`. */
function registryOf(algorithm: string, content: string) {
  const digest = `${algorithm}:${createHash(algorithm).update(CONFIG).digest('hex')}`;
  assert.ok(isDigest(digest));
  const config = { mediaType: OCI_CONFIG, digest, size: CONFIG.length };
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [] }),
  );
  return {
    manifest: async () => ({ descriptor: { mediaType: OCI_MANIFEST, digest, size: bytes.length }, bytes }),
    blob: async () => ({
      offset: 0,
      content: (async function* () {
        for (let at = 0; at < content.length; at += 7) yield Buffer.from(content.slice(at, at + 7));
      })(),
    }),
  };
}

const REFERENCE = parseReference('r.example/a:1');

test('the platform of the configuration', async () => {
  for (const algorithm of ['sha256', 'sha512']) {
    const { descriptor } = await entryOf(registryOf(algorithm, CONFIG), REFERENCE);
    assert.deepEqual(descriptor.platform, { architecture: 'arm64', os: 'linux' });
  }
});

test('another content is refused, whatever the algorithm, and no more is read than was announced', async () => {
  const other = CONFIG.replace('arm64', 'amd64');
  for (const algorithm of ['sha256', 'sha512'])
    for (const content of [other, `${CONFIG} `, CONFIG.slice(1), '', 'x'.repeat(1 << 16)])
      await assert.rejects(entryOf(registryOf(algorithm, content), REFERENCE), (error: unknown) => {
        assert.ok(error instanceof CaissonError && error.code === 'EDIGEST', String(error));
        return true;
      });
});
