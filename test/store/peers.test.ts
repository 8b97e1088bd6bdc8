// Other programs read a store as what it is, an OCI image layout: skopeo and umoci.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { splitDigest } from '../../src/spec/digest.ts';
import { peersRoot } from '../dropin/peers-root.ts';
import { act } from './actions.ts';
import { images, makeTemporary, openReal } from './world.ts';

/** Below /tmp, which the peers' root shares with the host. */
const directory = makeTemporary();
after(() => {
  rmSync(directory, { recursive: true, force: true });
});

const isRoot = process.getuid?.() === 0;
const skip = isRoot && existsSync(`${peersRoot()}/usr/bin/skopeo`) ? false : "the peers' root is not there";

function peer(...command: string[]): string {
  const ended = spawnSync('node', ['scripts/peers.mjs', 'exec', '--', ...command], { encoding: 'utf8' });
  assert.equal(ended.status, 0, ended.stderr);
  return ended.stdout;
}

test('skopeo and umoci find the images by their names, and copy all of one', { skip }, async () => {
  const root = `${directory}/store`;
  const store = await openReal(root);
  await act(store, ['pull', 'one']);
  await act(store, ['pull', 'two']);
  await store.close();
  const names = ['docker.io/library/one:latest', 'docker.io/library/two:latest'];
  assert.deepEqual(peer('umoci', 'ls', '--layout', root).trim().split('\n').sort(), names);
  const image = images.one;
  assert.ok(image !== undefined);
  const raw = peer('skopeo', 'inspect', '--raw', `oci:${root}:${names[0]}`);
  assert.equal(raw, Buffer.from(image.content.get(image.manifest.digest) ?? []).toString());
  peer('skopeo', 'copy', '--insecure-policy', `oci:${root}:${names[0]}`, `dir:${directory}/copy`);
  const copied = readdirSync(`${directory}/copy`);
  for (const { digest } of [...image.layers, image.config])
    assert.ok(copied.includes(splitDigest(digest).hex), digest);
});
