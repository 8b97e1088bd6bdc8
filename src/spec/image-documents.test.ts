// Manifests, indexes and configurations of images: what is taken, and what is refused because two could read it differently.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8ToBytes } from '../linux/bytes.ts';
import { CaissonError } from './error.ts';
import { checkLayerCount, parseImageConfig } from './image-config.ts';
import { CONFIG_LIMIT, MANIFEST_LIMIT } from './image-document.ts';
import { isAttestation } from './image-index.ts';
import { isImage, parseImageManifest, parseManifest } from './image-manifest.ts';
import { DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST } from './media-types.ts';

const hex = (digit: string) => `sha256:${digit.repeat(64)}`;
const config = { mediaType: OCI_CONFIG, digest: hex('c'), size: 2 };
const layer = { mediaType: OCI_LAYER_GZIP, digest: hex('1'), size: 100 };
const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] };
const entry = { mediaType: OCI_MANIFEST, digest: hex('a'), size: 10 };
const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry] };

const text = (value: unknown) => JSON.stringify(value);

function refused(document: string, pattern: RegExp, declared?: string): CaissonError {
  let thrown: unknown;
  assert.throws(
    () => parseManifest(document, declared),
    (error) => {
      thrown = error;
      return error instanceof CaissonError && pattern.test(error.message);
    },
  );
  return thrown as CaissonError;
}

test('a manifest is read', () => {
  const parsed = parseImageManifest(text({ ...manifest, annotations: { a: 'b' }, subject: entry }));
  assert.equal(parsed.mediaType, OCI_MANIFEST);
  assert.deepEqual(
    parsed.layers.map(({ digest, size }) => [digest, size]),
    [[hex('1'), 100]],
  );
  assert.equal(parsed.annotations?.a, 'b');
  assert.equal(parsed.subject?.digest, hex('a'));
  assert.equal(isImage(parsed), true);
  const artifact = { ...manifest, config: { ...config, mediaType: 'application/vnd.oci.empty.v1+json' } };
  assert.equal(isImage(parseImageManifest(text({ ...artifact, artifactType: 'text/x-thing' }))), false);
});

test('an index is read, and its attestations are known', () => {
  const attestation = { ...entry, platform: { os: 'unknown', architecture: 'unknown' } };
  const noted = { ...entry, annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } };
  const parsed = parseManifest(text({ ...index, manifests: [entry, attestation, noted] }), OCI_INDEX);
  assert.equal(parsed.kind, 'index');
  if (parsed.kind !== 'index') return;
  assert.deepEqual(parsed.manifests.map(isAttestation), [false, true, true]);
});

test('the type is the declared one, or what the content says', () => {
  const { mediaType: _, ...bare } = manifest;
  assert.equal(parseManifest(text(bare)).mediaType, OCI_MANIFEST);
  assert.equal(parseManifest(text(bare), DOCKER_MANIFEST).mediaType, DOCKER_MANIFEST);
  const { mediaType: __, ...bareIndex } = index;
  assert.equal(parseManifest(text(bareIndex)).mediaType, OCI_INDEX);
});

test('T42: what is both manifest and index is refused', () => {
  refused(text({ ...manifest, manifests: [entry] }), /\/manifests: .*CVE-2021-41190/);
  refused(text({ ...index, layers: [] }), /\/layers: .*CVE-2021-41190/);
  refused(text({ ...index, config }), /\/config: /);
  const { mediaType: _, ...bare } = { ...manifest, manifests: [] };
  refused(text(bare), /both layers and manifests/);
  refused(text({ schemaVersion: 2 }), /neither layers nor manifests/);
});

test('T42: a type that is not the announced one is refused', () => {
  refused(text(manifest), /announced as/, DOCKER_MANIFEST);
  refused(text(manifest), /announced as/, OCI_INDEX);
  refused(text({ ...manifest, mediaType: 'text/plain' }), /neither a manifest nor an index/);
  const { mediaType: _, ...bare } = manifest;
  refused(text(bare), /\/layers: /, OCI_INDEX);
  refused(text({ ...manifest, schemaVersion: 3 }), /schemaVersion: expected 2/);
});

test('T42: names twice, and names that Go takes for others, are refused', () => {
  const twice = text(manifest).replace('"layers":', '"layers":[],"layers":');
  const error = refused(twice, /a second property "layers"/);
  assert.equal(error.code, 'EINVALIDJSON');
  refused(text(manifest).replace('"config":', '"config":{"a":1,"a":2},"x":'), /a second property "a"/);
  refused(text({ ...manifest, Layers: [] }), /"Layers" could be taken for layers/);
  refused(text({ ...manifest, MANIFESTS: [] }), /could be taken for manifests/);
  refused(utf8ToBytes(text({ ...manifest, 'layer\u017f': [] })), /could be taken for layers/);
  refused(text({ ...manifest, MediaType: OCI_INDEX }), /could be taken for mediaType/);
  const other = { ...layer, Digest: hex('2') };
  refused(text({ ...manifest, layers: [layer, other] }), /\/layers\/1\/Digest: .*could be taken for digest/);
  refused(text({ ...manifest, config: { ...config, Size: 3 } }), /could be taken for size/);
  const platform = { os: 'linux', OS: 'windows', architecture: 'amd64' };
  refused(text({ ...index, manifests: [{ ...entry, platform }] }), /\/manifests\/0\/platform\/OS/);
  assert.throws(
    () => parseImageConfig('{"config":{"Entrypoint":["a"],"entrypoint":["b"]}}'),
    /could be taken/,
  );
});

test("Docker's schema 1 is explained", () => {
  for (const document of [
    { schemaVersion: 1, fsLayers: [] },
    { schemaVersion: 2, fsLayers: [] },
  ]) {
    const error = refused(text(document), /schema 1/);
    assert.equal(error.code, 'EUNSUPPORTED');
  }
  refused(text({ ...manifest, fsLayers: [] }), /fsLayers/);
});

test('descriptors name their field', () => {
  refused(
    text({ ...manifest, layers: [layer, { ...layer, digest: 'sha256:../../x' }] }),
    /\/layers\/1\/digest/,
  );
  refused(text({ ...manifest, layers: [{ ...layer, size: -1 }] }), /\/layers\/0\/size/);
  refused(text({ ...manifest, layers: [{ ...layer, size: 1e300 }] }), /\/layers\/0\/size/);
  refused(text({ ...manifest, layers: {} }), /\/layers: expected an array/);
  refused(text({ ...manifest, config: undefined }), /\/config: expected a descriptor/);
  refused(text({ ...index, manifests: 'x' }), /\/manifests: expected an array/);
});

test('size, depth and number of values are bounded', () => {
  refused(' '.repeat(MANIFEST_LIMIT + 1), /at most 4194304 are read/);
  refused(`{"a":${'['.repeat(40)}${']'.repeat(40)}}`, /nested deeper than 32/);
  refused(`{"a":[${'[],'.repeat(500_000)}[]]}`, /more than 400000 values/);
  assert.throws(() => parseImageConfig(' '.repeat(CONFIG_LIMIT + 1)), /at most 8388608 are read/);
  refused('[]', /expected an object/);
  refused('', /expected a value/);
});

test('prototype keys are names like any other', () => {
  const parsed = parseImageManifest(
    `{"__proto__":{"manifests":[]},${text({ ...manifest, annotations: {} })
      .slice(1)
      .replace('"annotations":{}', '"annotations":{"__proto__":"x","constructor":"y"}')}`,
  );
  assert.equal(parsed.annotations?.constructor, 'y');
  assert.equal(Object.getOwnPropertyDescriptor(parsed.annotations, '__proto__')?.value, 'x');
  assert.equal(({} as Record<string, unknown>).manifests, undefined);
  // A field that is on the prototype alone is not there.
  refused('{"schemaVersion":2,"__proto__":{"layers":[],"config":{}}}', /neither layers nor manifests/);
  const labels = parseImageConfig(
    '{"config":{"Labels":{"__proto__":"p","toString":"t"},"Env":["__proto__=1"]}}',
  ).config.labels;
  assert.equal(labels.toString, 't');
  assert.deepEqual(Object.keys(labels), ['__proto__', 'toString']);
});

const full = {
  architecture: 'amd64',
  os: 'linux',
  created: '2024-01-01T00:00:00Z',
  'os.features': ['x'],
  config: {
    User: '1000',
    ExposedPorts: { '80/tcp': {} },
    Env: ['PATH=/bin', 'ALONE'],
    Entrypoint: ['/a'],
    Cmd: [],
    Volumes: { '/data': {} },
    WorkingDir: '/w',
    Labels: { l: 'v' },
    StopSignal: 'SIGTERM',
    StopTimeout: 7,
    Shell: ['/bin/sh', '-c'],
    Healthcheck: { Test: ['CMD', 'x'], Interval: 30_000_000_000, Retries: 3 },
    OnBuild: ['RUN x'],
  },
  rootfs: { type: 'layers', diff_ids: [hex('d')] },
  history: [{ created_by: 'x', empty_layer: true }, { comment: 'y' }],
};

test('a configuration is read', () => {
  const parsed = parseImageConfig(text(full));
  assert.equal(parsed.architecture, 'amd64');
  assert.deepEqual(parsed.diffIds, [hex('d')]);
  assert.deepEqual(parsed.config.env, ['PATH=/bin']);
  assert.deepEqual(parsed.config.cmd, []);
  assert.equal(parsed.config.stopTimeout, 7);
  assert.equal(parsed.config.healthcheck?.interval, 30_000_000_000);
  assert.deepEqual([...parsed.config.volumes, ...parsed.config.exposedPorts], ['/data', '80/tcp']);
  assert.deepEqual(parsed.history, [{ created_by: 'x', empty_layer: true }, { comment: 'y' }]);
  const empty = parseImageConfig('{}');
  assert.deepEqual([empty.diffIds, empty.config.env, empty.config.entrypoint], [[], [], undefined]);
});

test('a configuration whose fields are wrong names them', () => {
  const wrong = (part: object, pattern: RegExp) => {
    assert.throws(() => parseImageConfig(text({ ...full, ...part })), pattern);
  };
  wrong({ config: [] }, /\/config: expected an object/);
  wrong({ config: { Env: 'x' } }, /\/config\/Env: expected an array/);
  wrong({ config: { Env: ['=x'] } }, /\/config\/Env\/0: a variable without a name/);
  wrong({ config: { Cmd: [1] } }, /\/config\/Cmd\/0: expected a string/);
  wrong({ config: { User: 'a\0b' } }, /\/config\/User: contains a NUL byte/);
  wrong({ config: { Labels: { a: 1 } } }, /\/config\/Labels\/a: expected a string/);
  wrong({ config: { Volumes: [] } }, /\/config\/Volumes: expected an object/);
  wrong({ config: { Healthcheck: { Interval: 0.5 } } }, /Healthcheck\/Interval/);
  wrong({ rootfs: { type: 'other' } }, /\/rootfs\/type/);
  wrong({ rootfs: { type: 'layers', diff_ids: ['sha256:0'] } }, /\/rootfs\/diff_ids\/0/);
  wrong({ rootfs: { type: 'layers', Diff_Ids: [] } }, /could be taken for diff_ids/);
  wrong({ history: {} }, /\/history: expected an array/);
  wrong({ RootFS: {} }, /could be taken for rootfs/);
});

test('manifest and configuration must agree on the number of layers', () => {
  const parsed = parseImageConfig(text(full));
  checkLayerCount(parseImageManifest(text(manifest)), parsed, 'image');
  const two = parseImageManifest(text({ ...manifest, layers: [layer, layer] }));
  assert.throws(() => {
    checkLayerCount(two, parsed, 'image');
  }, /the manifest has 2 layers, and the configuration 1/);
});
