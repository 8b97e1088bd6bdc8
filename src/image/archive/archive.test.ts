// Tests of archives of images: written and read again, old forms, and hostile ones (T44).
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Bytes, fromArray, toArray } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { digestOf } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseImageManifest } from '../../spec/image-manifest.ts';
import { stringifyJson } from '../../spec/json.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_LAYER_GZIP, OCI_MANIFEST } from '../../spec/media-types.ts';
import { familiar, parseReference } from '../../spec/reference.ts';
import { concat, END, type Header, member } from '../tar.testing.ts';
import { digestOfBytes, MemoryBlobs } from './blobs.testing.ts';
import { readArchive } from './read.ts';
import { writeArchive } from './write.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };
const LAYER = concat(member({ name: 'etc/motd' }, 'hello\n'), END);
const hexOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const CONFIG = toArray(
  stringifyJson({
    architecture: 'amd64',
    os: 'linux',
    config: { Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: [digestOfBytes(LAYER)] },
  }),
);

/** A store with one image of one layer. */
async function storeWithImage(layer = LAYER, type = OCI_LAYER) {
  const blobs = new MemoryBlobs();
  const config = await blobs.put(OCI_CONFIG, CONFIG);
  const made = await blobs.put(type, layer);
  const text = stringifyJson({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [made] });
  const descriptor = await blobs.put(OCI_MANIFEST, toArray(text));
  return {
    blobs,
    image: { descriptor, manifest: parseImageManifest(text), names: [parseReference('example:1')] },
  };
}

async function bytesOf(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk.slice());
  return concat(...chunks);
}

/** In pieces of a prime length, so that nothing is aligned. */
function source(bytes: Uint8Array) {
  return async function* () {
    for (let at = 0; at < bytes.length; at += 997) yield bytes.subarray(at, at + 997);
  };
}

function read(bytes: Uint8Array, blobs = new MemoryBlobs()) {
  return readArchive(source(bytes), blobs, AMD64);
}

function tar(...members: (readonly [Header | string, Bytes | Uint8Array])[]): Uint8Array {
  return concat(
    ...members.map(([head, content]) =>
      member(
        typeof head === 'string' ? { name: head } : head,
        typeof content === 'string' ? content : fromArray(content),
      ),
    ),
    END,
  );
}

for (const format of ['docker', 'oci'] as const) {
  test(`an archive (${format}) has every digest again, and is the same each time`, async () => {
    const { blobs, image } = await storeWithImage(gzipSync(LAYER), OCI_LAYER_GZIP);
    const archive = await bytesOf(writeArchive([image], blobs, format));
    assert.deepEqual(archive, await bytesOf(writeArchive([image], blobs, format)));
    const other = new MemoryBlobs();
    const [found, ...more] = await read(archive, other);
    assert.equal(more.length, 0);
    assert.deepEqual(found?.descriptor, image.descriptor);
    assert.deepEqual(found?.names.map(familiar), ['example:1']);
    assert.deepEqual([...other.content.keys()].sort(), [...blobs.content.keys()].sort());
    assert.equal(other.open, 0);
  });
}

test('a blob named by sha512 needs a longer name than a header has', async () => {
  const { blobs, image } = await storeWithImage();
  const digest = digestOf('sha512', createHash('sha512').update(LAYER).digest('hex'));
  blobs.content.set(digest, LAYER);
  const layers: Descriptor[] = [{ mediaType: OCI_LAYER, digest, size: LAYER.length }];
  const text = stringifyJson({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: image.manifest.config,
    layers,
  });
  const manifest = parseImageManifest(text);
  const descriptor = await blobs.put(OCI_MANIFEST, toArray(text));
  const other = new MemoryBlobs();
  await read(await bytesOf(writeArchive([{ descriptor, manifest, names: [] }], blobs, 'oci')), other);
  assert.ok(other.has(digest));
});

const OLD_LIST = (layer: Bytes, tags: unknown = ['old:2']) =>
  stringifyJson([{ Config: 'c.json', RepoTags: tags, Layers: [layer] }]);

test("docker's old archive: layers by links, compressed or not, the list at the end", async () => {
  for (const [layer, type] of [
    [LAYER, OCI_LAYER],
    [gzipSync(LAYER), OCI_LAYER_GZIP],
  ] as const) {
    const blobs = new MemoryBlobs();
    const archive = tar(
      [{ name: 'aaa/layer.tar', type: '2', linkName: '../bbb/layer.tar' }, ''],
      ['bbb/layer.tar', layer],
      ['bbb/VERSION', '1.0'],
      ['c.json', CONFIG],
      ['manifest.json', OLD_LIST('aaa/layer.tar')],
      ['repositories', '{}'],
    );
    const [found] = await read(archive, blobs);
    assert.deepEqual(found?.names.map(familiar), ['old:2']);
    assert.deepEqual(found?.manifest.layers, [
      { mediaType: type, digest: digestOfBytes(layer), size: layer.length },
    ]);
    assert.ok(blobs.has(digestOfBytes(layer)) && blobs.has(digestOfBytes(CONFIG)));
  }
});

test('an index in a layout: the image for this machine', async () => {
  const { blobs, image } = await storeWithImage();
  const other = await blobs.put(OCI_MANIFEST, toArray('{"schemaVersion":2}'));
  const list = await blobs.put(
    OCI_INDEX,
    toArray(
      stringifyJson({
        schemaVersion: 2,
        manifests: [
          { ...other, platform: { os: 'linux', architecture: 's390x' } },
          { ...image.descriptor, platform: { os: 'linux', architecture: 'amd64' } },
        ],
      }),
    ),
  );
  const index = (annotations: object) =>
    stringifyJson({ schemaVersion: 2, manifests: [{ ...list, annotations }] });
  const blobMembers = [...blobs.content].map(
    ([digest, bytes]) => [`blobs/sha256/${digest.slice(7)}`, bytes] as const,
  );
  const archive = (annotations: object) =>
    tar(...blobMembers, ['index.json', index(annotations)], ['oci-layout', '{}']);
  const named = async (annotations: object) => (await read(archive(annotations)))[0]?.names.map(familiar);
  assert.deepEqual((await read(archive({})))[0]?.descriptor, image.descriptor);
  assert.deepEqual(await named({ 'org.opencontainers.image.ref.name': 'latest' }), []);
  assert.deepEqual(await named({ 'org.opencontainers.image.ref.name': 'quay.io/a/b:3' }), ['quay.io/a/b:3']);
  assert.deepEqual(await named({ 'io.containerd.image.name': 'docker.io/library/x:1' }), ['x:1']);
  await assert.rejects(
    readArchive(source(archive({})), new MemoryBlobs(), { os: 'linux', architecture: 'riscv64' }),
    {
      message: /no image for linux\/riscv64; it has linux\/s390x, linux\/amd64/,
    },
  );
});

const EVIL = 'sha256:'.padEnd(71, 'e').slice(7);

/** What is wrong with an archive; its members; the refusal. */
const HOSTILE: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ['no image at all', tar(['etc/passwd', 'root']), /neither a manifest.json nor an index.json/],
  [
    'a blob under a digest that is not its own',
    tar([`blobs/sha256/${EVIL}`, 'x'], ['index.json', '{}']),
    /does not verify/,
  ],
  ['a list that is none', tar(['manifest.json', '{}']), /not a list/],
  ['a list of nonsense', tar(['manifest.json', '[7]']), /not an object/],
  [
    'a layer that is not there',
    tar(['c.json', CONFIG], ['manifest.json', OLD_LIST('l.tar')]),
    /names "l.tar", which is not in it/,
  ],
  [
    'a layer outside',
    tar(['c.json', CONFIG], ['manifest.json', OLD_LIST('../../../etc/passwd')]),
    /has `..` in its name/,
  ],
  [
    'a layer that is a link out of the archive',
    tar(
      [{ name: 'l.tar', type: '2', linkName: '/etc/passwd' }, ''],
      ['c.json', CONFIG],
      ['manifest.json', OLD_LIST('l.tar')],
    ),
    /names "l.tar", which is not in it/,
  ],
  [
    'links in a circle',
    tar(
      [{ name: 'a', type: '2', linkName: 'b' }, ''],
      [{ name: 'b', type: '2', linkName: 'a' }, ''],
      ['c.json', CONFIG],
      ['manifest.json', OLD_LIST('a')],
    ),
    /not in it/,
  ],
  [
    'a name with a digest',
    tar(
      ['l.tar', LAYER],
      ['c.json', CONFIG],
      ['manifest.json', OLD_LIST('l.tar', [`x@sha256:${'a'.repeat(64)}`])],
    ),
    /has no digest/,
  ],
  [
    'a name that is none',
    tar(['l.tar', LAYER], ['c.json', CONFIG], ['manifest.json', OLD_LIST('l.tar', ['../../etc'])]),
    /invalid reference/,
  ],
  ['tags that are no texts', tar(['manifest.json', OLD_LIST('l.tar', [7])]), /not a list of texts/],
  [
    'more layers than the configuration vouches for',
    tar(
      ['l.tar', LAYER],
      ['c.json', CONFIG],
      ['manifest.json', stringifyJson([{ Config: 'c.json', Layers: ['l.tar', 'l.tar'] }])],
    ),
    /the manifest has 2 layers, and the configuration 1/,
  ],
  ['duplicate names in the list', tar(['manifest.json', '[{"Config":"a","Config":"b"}]']), /Config/],
  [
    'an xz layer',
    tar(['l.tar', toArray('\xfd7zXZ\0')], ['c.json', CONFIG], ['manifest.json', OLD_LIST('l.tar')]),
    /xz/,
  ],
];

for (const [what, archive, expected] of HOSTILE) {
  test(`refused: ${what}`, async () => {
    const blobs = new MemoryBlobs();
    await assert.rejects(read(archive, blobs), (error) => {
      assert.ok(error instanceof CaissonError);
      assert.match(error.message, expected);
      return true;
    });
    assert.equal(blobs.open, 0);
  });
}

test('an archive that ends in the middle leaves nothing open', async () => {
  const { blobs, image } = await storeWithImage();
  const whole = await bytesOf(writeArchive([image], blobs, 'docker'));
  for (let length = 0; length < whole.length - 1024; length += 511) {
    const other = new MemoryBlobs();
    await assert.rejects(read(whole.subarray(0, length), other), CaissonError);
    assert.equal(other.open, 0);
  }
});

test('the digest of a layer in an old archive is not one that another layer can take', () => {
  assert.equal(digestOfBytes(LAYER), `sha256:${hexOf(LAYER)}`);
});
