// Properties of the readers of manifests, indexes and configurations over generated and damaged documents (Z02).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CaissonError } from './error.ts';
import { parseImageConfig } from './image-config.ts';
import { parseManifest } from './image-manifest.ts';
import {
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
} from './media-types.ts';

const digest = fc
  .array(fc.constantFrom(...'0123456789abcdef'), { minLength: 64, maxLength: 64 })
  .map((digits) => `sha256:${digits.join('')}`);
const ascii = fc.string({ maxLength: 8, unit: 'grapheme-ascii' });
const key = fc.oneof(ascii, fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty'));
const annotations = fc
  .array(fc.tuple(key, ascii), { maxLength: 3 })
  .map((entries) => Object.fromEntries(entries));
const descriptor = (mediaType: string) =>
  fc.record(
    {
      mediaType: fc.constant(mediaType),
      digest,
      size: fc.maxSafeNat(),
      annotations,
      platform: fc.record({ architecture: ascii, os: ascii }),
      urls: fc.array(ascii, { maxLength: 2 }),
    },
    { requiredKeys: ['mediaType', 'digest', 'size'] },
  );
const manifest = fc.record(
  {
    schemaVersion: fc.constant(2),
    mediaType: fc.constantFrom(OCI_MANIFEST, DOCKER_MANIFEST),
    config: descriptor(OCI_CONFIG),
    layers: fc.array(descriptor(OCI_LAYER), { maxLength: 4 }),
    subject: descriptor(OCI_MANIFEST),
    annotations,
  },
  { requiredKeys: ['schemaVersion', 'config', 'layers'] },
);
const index = fc.record(
  {
    schemaVersion: fc.constant(2),
    mediaType: fc.constantFrom(OCI_INDEX, DOCKER_LIST),
    manifests: fc.array(descriptor(OCI_MANIFEST), { maxLength: 4 }),
    annotations,
  },
  { requiredKeys: ['schemaVersion', 'manifests'] },
);
const config = fc.record(
  {
    architecture: ascii,
    os: ascii,
    config: fc.record(
      {
        Env: fc.array(ascii.map((name) => `V${name}=1`)),
        Labels: annotations,
        User: ascii,
        Cmd: fc.array(ascii),
      },
      { requiredKeys: [] },
    ),
    rootfs: fc.record({ type: fc.constant('layers'), diff_ids: fc.array(digest, { maxLength: 3 }) }),
    history: fc.array(fc.record({ created_by: ascii, empty_layer: fc.boolean() }), { maxLength: 3 }),
  },
  { requiredKeys: ['architecture', 'os', 'rootfs'] },
);

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('what is read and written again is read as the same', () => {
  fc.assert(
    fc.property(fc.oneof(manifest, index), (document) => {
      const read = parseManifest(JSON.stringify(document));
      const { kind: _, ...fields } = read;
      const again = parseManifest(JSON.stringify({ schemaVersion: 2, ...fields }));
      assert.deepEqual(plain(again), plain(read));
      const { mediaType: declared } = read;
      assert.deepEqual(plain(fields), plain({ ...document, mediaType: declared, schemaVersion: undefined }));
    }),
  );
});

test('a configuration keeps what it was given', () => {
  fc.assert(
    fc.property(config, (document) => {
      const read = parseImageConfig(JSON.stringify(document));
      assert.deepEqual(read.diffIds, document.rootfs.diff_ids);
      assert.deepEqual(read.config.env, document.config?.Env ?? []);
      assert.deepEqual(Object.entries(read.config.labels), Object.entries(document.config?.Labels ?? {}));
      assert.deepEqual(plain(read.history), plain(document.history ?? []));
    }),
  );
});

test('a document that is manifest and index at once is always refused', () => {
  fc.assert(
    fc.property(
      manifest,
      index,
      fc.option(fc.constantFrom(OCI_MANIFEST, OCI_INDEX)),
      (one, other, declared) => {
        assert.throws(
          () => parseManifest(JSON.stringify({ ...one, ...other }), declared ?? undefined),
          CaissonError,
        );
      },
    ),
  );
});

/** What may stand anywhere in a document. */
const SCRAPS = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  'null',
  '1e999',
  '-0',
  '"__proto__":',
  '\\ud800',
  '\xff',
  '\0',
];

test('damaged documents end in a CaissonError or are read, and nothing else', () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 6 }), fc.constantFrom('', ...SCRAPS)), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(fc.oneof(manifest, index, config), damage, (document, places) => {
      let text = JSON.stringify(document);
      for (const [at, length, scrap] of places) {
        const from = at % (text.length + 1);
        text = text.slice(0, from) + scrap + text.slice(from + length);
      }
      for (const parse of [parseManifest, parseImageConfig]) {
        try {
          parse(text);
        } catch (error) {
          assert.ok(error instanceof CaissonError, `${String(error)}: ${text}`);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('any JSON value in any place ends in a CaissonError or is read', () => {
  const fields = ['schemaVersion', 'mediaType', 'config', 'layers', 'manifests', 'subject', 'annotations'];
  const more = ['rootfs', 'history', 'created', 'os', 'architecture', 'artifactType'];
  const any = fc.dictionary(fc.constantFrom(...fields, ...more), fc.jsonValue({ maxDepth: 3 }));
  fc.assert(
    fc.property(any, (document) => {
      for (const parse of [parseManifest, parseImageConfig]) {
        try {
          parse(JSON.stringify(document));
        } catch (error) {
          assert.ok(error instanceof CaissonError, String(error));
        }
      }
    }),
  );
});
