// Tests of media types: each is of one kind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as types from './media-types.ts';

test('media types: an index is no manifest, a layer is neither', () => {
  assert.deepEqual(types.MANIFEST_TYPES.filter(types.isIndexType), [types.OCI_INDEX, types.DOCKER_LIST]);
  assert.deepEqual(types.MANIFEST_TYPES.filter(types.isManifestType), [
    types.OCI_MANIFEST,
    types.DOCKER_MANIFEST,
  ]);
  for (const type of types.MANIFEST_TYPES) assert.equal(types.layerCompression(type), undefined);
  assert.equal(types.isImageConfigType(types.OCI_EMPTY), false);
  assert.equal(types.isSchema1Type('application/vnd.docker.distribution.manifest.v1+prettyjws'), true);
});

test('media types: compressions and foreign layers', () => {
  assert.equal(types.layerCompression(types.OCI_LAYER_ZSTD), 'zstd');
  assert.equal(types.layerCompression(types.DOCKER_LAYER_GZIP), 'gzip');
  assert.equal(types.layerCompression(types.DOCKER_FOREIGN_LAYER), 'none');
  assert.equal(
    types.layerCompression('application/vnd.oci.image.layer.v1.tar+gzip; charset=utf-8'),
    undefined,
  );
  assert.equal(types.isForeignLayer(types.OCI_FOREIGN_LAYER_ZSTD), true);
  assert.equal(types.isForeignLayer(types.OCI_LAYER_ZSTD), false);
});
