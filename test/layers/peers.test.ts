// The same image unpacked by umoci, podman and caisson: every file equal, in every attribute.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { writeLayer } from '../../src/image/layer/write.ts';
import { concat, END, member, pax } from '../../src/image/tar.testing.ts';
import { OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD } from '../../src/spec/media-types.ts';
import { peersMissing, runInPeers } from '../peers/harness.ts';
import { EVERYTHING } from './corpus.ts';
import { apply, directory, listing, packed, place, portOf, skip, treeProgram } from './harness.ts';
import { type LayoutLayer, writeLayout } from './layout.ts';

const missing = skip || (peersMissing() ?? false);

const file = (name: string, content = '', more = {}) => member({ name, mtime: 1e9, ...more }, content);
const folder = (name: string, more = {}) => member({ name, type: '5', mode: 0o755, mtime: 1e9, ...more });
const link = (name: string, linkName: string) => member({ name, type: '2', linkName, mtime: 1e9 });

/** Changes of the corpus: removed, replaced, opaque, links over directories, what comes back. */
const SECOND = concat(
  folder('./'),
  ...[
    folder('etc'),
    file('etc/.wh.motd'),
    folder('etc/empty', { mode: 0o711, uid: 9 }),
    file('etc/empty/not'),
  ],
  ...[
    folder('usr'),
    folder('usr/bin'),
    file('usr/bin/.wh..wh..opq'),
    file('usr/bin/only', 'this one', { mode: 0o4755 }),
  ],
  ...[file('large', 'small now', { uid: 70_000, gid: 4_000_000_000 }), file('.wh.pipe'), file('.wh.null')],
  ...[folder('var'), link('var/log', '../tmp'), file('dangling', 'a file'), file('.wh.nothing')],
  pax(['mtime', '1234567890.123456789'], ['SCHILY.xattr.user.second', 'layer']),
  member({ name: 'times', mode: 0o640 }, 'x'),
  END,
);
const THIRD = concat(
  ...[
    folder('etc'),
    file('etc/motd', 'back', { uid: 1 }),
    member({ name: 'etc/again', type: '1', linkName: 'etc/motd', uid: 1, mtime: 1e9 }),
  ],
  ...[file('.wh.deep'), folder('usr'), file('usr/.wh.bin')],
  END,
);

function stack(base: string): LayoutLayer[] {
  const first = packed(base, 'all', EVERYTHING, ['-S', '--format=pax', '--xattrs', '--xattrs-include=*']);
  const zstd = (archive: Uint8Array) =>
    new Uint8Array(execFileSync('zstd', ['-q', '-c'], { input: archive }));
  return [
    { archive: first, bytes: gzipSync(first), mediaType: OCI_LAYER_GZIP },
    { archive: SECOND, bytes: SECOND, mediaType: OCI_LAYER },
    { archive: THIRD, bytes: zstd(THIRD), mediaType: OCI_LAYER_ZSTD },
  ];
}

async function ours(base: string, layers: readonly LayoutLayer[]): Promise<string[]> {
  const merged = directory(base, 'merged');
  for (const { bytes, mediaType } of layers) await apply(bytes, merged, { mediaType, form: 'merged' });
  return listing(merged);
}

function peer(base: string, script: string): string[] {
  writeFileSync(join(base, 'peer.sh'), `set -e\ncd ${base}\n${script}\n`);
  const { status, stdout, stderr } = runInPeers(['sh', join(base, 'peer.sh')], '/tmp');
  assert.equal(status, 0, stderr);
  return stdout.trimEnd().split('\n');
}

/** The root of a tree is its own. */
const lines = (text: readonly string[]) => text.filter((line) => line.startsWith('./'));

/** podman sets no time before 1970. */
const forPodman = (text: readonly string[]) =>
  text.map((line) => line.replace(/ -\d+\.\d{9} /, ' 0.000000000 '));

/** podman's storage is unpacked in its own overlay form, and shown by the kernel. */
const podman = (base: string) => {
  const options = `--root ${base}/podman --runroot ${base}/run --storage-driver overlay`;
  return `podman ${options} pull -q oci:${base}/layout:latest >id && ${treeProgram()} $(podman ${options} image mount $(cat id)); podman ${options} image umount -a >/dev/null`;
};

/** In an overlay a file of a layer below has as many names as it had there. */
const withoutLinks = (text: readonly string[]) =>
  text.map((line) => line.replace(/^(\S+ . \S+ \S+ \S+) \d+ /, '$1 '));

test('every kind of file, in three layers', { skip: missing }, async (t) => {
  const base = place(t);
  const layers = stack(base);
  writeLayout(join(base, 'layout'), layers);
  const expected = await ours(base, layers);
  assert.ok(expected.length > 20);
  peer(base, 'umoci unpack --image layout:latest umoci >umoci.log 2>&1 || { cat umoci.log >&2; exit 1; }');
  assert.deepEqual(listing(join(base, 'umoci/rootfs')), expected, 'umoci');
  const shown = lines(peer(base, podman(base)));
  assert.deepEqual(withoutLinks(shown), withoutLinks(forPodman(expected)), 'podman');
  peer(base, 'rm -rf podman run umoci');
});

test('the first layer alone, with devices and long names', { skip: missing }, async (t) => {
  const base = place(t);
  const layers = stack(base).slice(0, 1);
  writeLayout(join(base, 'layout'), layers);
  const expected = await ours(base, layers);
  assert.ok(expected.length > 320);
  peer(base, 'umoci unpack --image layout:latest umoci >umoci.log 2>&1 || { cat umoci.log >&2; exit 1; }');
  assert.deepEqual(listing(join(base, 'umoci/rootfs')), expected, 'umoci');
  assert.deepEqual(lines(peer(base, podman(base))), forPodman(expected), 'podman');
  peer(base, 'rm -rf podman run umoci');
});

test('a layer that caisson has written is unpacked by them as the tree it was', {
  skip: missing,
}, async (t) => {
  const base = place(t);
  packed(base, 'all', EVERYTHING);
  const source = join(base, 'source-all');
  for (const compression of ['gzip', 'none'] as const) {
    const parts: Uint8Array[] = [];
    const archive: Uint8Array[] = [];
    const keep = (into: Uint8Array[]) => (chunk: Uint8Array) => {
      into.push(chunk.slice());
    };
    const options = { cause: 'test', form: 'plain' } as const;
    const layer = await writeLayer(portOf('root'), source, { ...options, compression }, keep(parts));
    await writeLayer(portOf('root'), source, { ...options, compression: 'none' }, keep(archive));
    rmSync(join(base, 'layout'), { recursive: true, force: true });
    writeLayout(join(base, 'layout'), [
      { bytes: concat(...parts), archive: concat(...archive), mediaType: layer.mediaType },
    ]);
    peer(
      base,
      'rm -rf umoci; umoci unpack --image layout:latest umoci >umoci.log 2>&1 || { cat umoci.log >&2; exit 1; }',
    );
    assert.deepEqual(listing(join(base, 'umoci/rootfs')), listing(source), compression);
    assert.ok(!existsSync(join(base, 'podman')));
    assert.deepEqual(lines(peer(base, podman(base))), forPodman(listing(source)), `podman, ${compression}`);
    peer(base, 'rm -rf podman run umoci');
  }
});
