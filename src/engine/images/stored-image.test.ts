// Tests of how images are found by what a person types, and of filters.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDigest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseImageConfig } from '../../spec/image-config.ts';
import { OCI_CONFIG, OCI_MANIFEST } from '../../spec/media-types.ts';
import { familiar, parseNamed } from '../../spec/reference.ts';
import { filterImages } from './filter.ts';
import { findImage, repoDigests, type StoredImage } from './stored-image.ts';

function image(
  id: string,
  names: readonly string[],
  created = '2024-01-01T00:00:00Z',
  labels = {},
): StoredImage {
  const digest = parseDigest(`sha256:${id.padEnd(64, '0')}`);
  const top = { mediaType: OCI_MANIFEST, digest: parseDigest(`sha256:${`f${id}`.padEnd(64, '1')}`), size: 1 };
  const config = { mediaType: OCI_CONFIG, digest, size: 1 };
  return {
    id: digest,
    top,
    descriptor: top,
    manifest: { kind: 'manifest', mediaType: OCI_MANIFEST, config, layers: [] },
    config: parseImageConfig(
      JSON.stringify({ architecture: 'amd64', os: 'linux', created, config: { Labels: labels } }),
    ),
    chains: [],
    names: names.map(parseNamed),
    namedAt: undefined,
  };
}

const ONE = image('abc1', ['debian:12', 'debian:latest', 'localhost:5000/debian:12']);
const TWO = image('abd2', ['team/app:1'], '2024-02-01T00:00:00Z', { maker: 'us' });
const BARE = image('e3', [], '2024-03-01T00:00:00Z');
const ALL = [ONE, TWO, BARE];

test('by name, by tag, by digest, by the beginning of an ID', () => {
  const found = (text: string) => findImage(ALL, text)?.image;
  for (const text of [
    'debian',
    'debian:12',
    'docker.io/library/debian',
    'localhost:5000/debian:12',
    'abc1',
    ONE.id,
    ONE.id.slice(7),
  ])
    assert.equal(found(text), ONE, text);
  assert.equal(found(`debian@${ONE.top.digest}`), ONE);
  assert.equal(found(`team/app@${ONE.top.digest}`), undefined);
  assert.equal(found(`sha256:abd2`), TWO);
  assert.equal(found('e3'), BARE);
  for (const text of ['debian:13', 'app', 'localhost:5000/debian', 'abd3', 'sha256:zz'.replace('zz', 'ff9')])
    assert.equal(found(text), undefined, text);
  assert.equal(familiar(findImage(ALL, 'debian')?.reference ?? parseNamed('x')), 'debian:latest');
  assert.equal(findImage(ALL, 'abc1')?.reference, undefined);
});

test('what is not one image is refused', () => {
  assert.throws(
    () => findImage(ALL, 'ab'),
    (error) => error instanceof CaissonError && error.code === 'EAMBIGUOUS',
  );
  assert.throws(
    () => findImage(ALL, 'Not/A/Name'),
    (error) => error instanceof CaissonError && error.code === 'EREFERENCE',
  );
});

test('a name that looks like an ID is a name first', () => {
  const named = image('99', ['abc1:latest']);
  assert.equal(findImage([ONE, named], 'abc1')?.image, named);
});

test('digests of repositories, each once', () => {
  assert.deepEqual(repoDigests(ONE).map(familiar), [
    `debian@${ONE.top.digest}`,
    `localhost:5000/debian@${ONE.top.digest}`,
  ]);
  assert.deepEqual(repoDigests(BARE), []);
});

test('filters', () => {
  const now = Date.parse('2024-03-02T00:00:00Z');
  const ids = (...filters: string[]) => filterImages(ALL, filters, now).map((each) => ALL.indexOf(each));
  assert.deepEqual(ids(), [0, 1, 2]);
  assert.deepEqual(ids('dangling=true'), [2]);
  assert.deepEqual(ids('dangling=false'), [0, 1]);
  assert.deepEqual(ids('label=maker'), [1]);
  assert.deepEqual(ids('label!=maker=us'), [0, 2]);
  assert.deepEqual(ids('reference=deb*'), [0]);
  assert.deepEqual(ids('reference=*/app'), [1]);
  assert.deepEqual(ids('before=team/app:1'), [0]);
  assert.deepEqual(ids('since=debian'), [1, 2]);
  assert.deepEqual(ids('until=48h'), [0, 1]);
  assert.deepEqual(ids('until=2024-01-15'), [0]);
  for (const filter of ['nope=1', 'dangling=maybe', 'until=soon', 'before=absent'])
    assert.throws(() => ids(filter), CaissonError, filter);
});
