// Tests of descriptors: what is read of one, and the pointer of what is wrong.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDescriptor } from './descriptor.ts';
import { CaissonError } from './error.ts';
import { parseJson } from './json.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;
const PLAIN = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: DIGEST, size: 7143 };

function wrong(fields: object): string {
  try {
    parseDescriptor({ ...PLAIN, ...fields }, '/manifests/0');
  } catch (error) {
    assert.ok(error instanceof CaissonError && error.code === 'EDESCRIPTOR', String(error));
    assert.equal(error.message.slice(0, error.message.indexOf(': ')), error.provenance[0]);
    return error.provenance[0] ?? '';
  }
  return 'accepted';
}

test('descriptor: all fields of the specification, and no others', () => {
  const full = {
    ...PLAIN,
    annotations: { 'org.example/a': 'b' },
    platform: { architecture: 'arm', os: 'linux', variant: 'v7', 'os.version': '1', 'os.features': ['x'] },
    urls: ['https://example.com/x'],
    artifactType: 'application/vnd.example+type',
    data: 'e30=',
  };
  const parsed = parseDescriptor({ ...full, other: 1 }, '');
  assert.deepEqual({ ...parsed, annotations: { ...parsed.annotations } }, full);
  assert.deepEqual(parseDescriptor({ ...PLAIN, platform: null, urls: null, annotations: null }, ''), PLAIN);
});

test('descriptor: names of annotations are data', () => {
  const value = parseJson(
    `{"mediaType":"a/b","digest":"${DIGEST}","size":0,"annotations":{"__proto__":"x"}}`,
  );
  const { annotations } = parseDescriptor(value, '');
  assert.deepEqual(Object.keys(annotations ?? {}), ['__proto__']);
  assert.equal(({} as Record<string, unknown>).x, undefined);
});

test('descriptor: the pointer of what is wrong', () => {
  const cases: readonly (readonly [object, string])[] = [
    [{ mediaType: undefined }, '/manifests/0/mediaType'],
    [{ mediaType: 'a/b; charset=utf-8' }, '/manifests/0/mediaType'],
    [{ mediaType: 'a/b\r\nx: y' }, '/manifests/0/mediaType'],
    [{ digest: 'sha256:../../x' }, '/manifests/0/digest'],
    [{ digest: 1 }, '/manifests/0/digest'],
    [{ size: -1 }, '/manifests/0/size'],
    [{ size: 1.5 }, '/manifests/0/size'],
    [{ size: 2n ** 60n }, '/manifests/0/size'],
    [{ size: 2 ** 60 }, '/manifests/0/size'],
    [{ size: '1' }, '/manifests/0/size'],
    [{ annotations: [] }, '/manifests/0/annotations'],
    [{ annotations: { 'a/b': 1 } }, '/manifests/0/annotations/a~1b'],
    [{ platform: 'linux/amd64' }, '/manifests/0/platform'],
    [{ platform: { os: 'linux' } }, '/manifests/0/platform/architecture'],
    [
      { platform: { os: 'linux', architecture: 'x', 'os.features': [1] } },
      '/manifests/0/platform/os.features/0',
    ],
    [{ urls: 'x' }, '/manifests/0/urls'],
    [{ data: '!' }, '/manifests/0/data'],
  ];
  for (const [fields, pointer] of cases)
    assert.equal(wrong(fields), pointer, JSON.stringify(Object.keys(fields)));
  assert.throws(() => parseDescriptor([], '/x'), /\/x: expected a descriptor/);
});
