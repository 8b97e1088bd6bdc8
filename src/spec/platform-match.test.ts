// Platforms: names, aliases, variants, and the choice from an index.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Descriptor, parseDescriptor } from './descriptor.ts';
import type { ImageIndex } from './image-index.ts';
import { OCI_INDEX, OCI_MANIFEST } from './media-types.ts';
import {
  choosePlatform,
  type NamedPlatform,
  offeredPlatforms,
  parsePlatformName,
  platformName,
} from './platform-match.ts';

const AMD64: NamedPlatform = { os: 'linux', architecture: 'amd64' };

function named(text: string): string {
  return platformName(parsePlatformName(text, AMD64));
}

/** An index of such platforms; `-` names none. */
function indexOf(...platforms: string[]): ImageIndex {
  const manifests = platforms.map((text, position) => {
    const [os, architecture, variant] = text.split('/');
    const digest = `sha256:${position.toString(16).padStart(64, '0')}`;
    const platform = text === '-' ? undefined : { os, architecture, ...(variant && { variant }) };
    return parseDescriptor({ mediaType: OCI_MANIFEST, digest, size: 1, platform }, '');
  });
  return { kind: 'index', mediaType: OCI_INDEX, manifests };
}

function chosen(index: ImageIndex, wanted: string): number {
  const found = choosePlatform(index, parsePlatformName(wanted, AMD64));
  return index.manifests.indexOf(found as Descriptor);
}

test('names and aliases have one spelling', () => {
  const cases: [string, string][] = [
    ['linux/amd64', 'linux/amd64'],
    ['linux/x86_64', 'linux/amd64'],
    ['Linux/AMD64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['aarch64', 'linux/arm64'],
    ['linux/arm64/8', 'linux/arm64'],
    ['linux/arm64/v9', 'linux/arm64/v9'],
    ['arm', 'linux/arm'],
    ['linux/arm/v7', 'linux/arm'],
    ['armhf', 'linux/arm'],
    ['armel', 'linux/arm/v6'],
    ['i386', 'linux/386'],
    ['linux', 'linux/amd64'],
    ['windows', 'windows/amd64'],
    ['freebsd/riscv64', 'freebsd/riscv64'],
  ];
  for (const [text, expected] of cases) assert.equal(named(text), expected, text);
});

test('what is no platform is refused', () => {
  for (const text of ['', '/', 'linux/', 'a/b/c/d', 'sparkling', 'linux/amd 64', '../x', 'x'.repeat(100)])
    assert.throws(() => named(text), { code: 'EPLATFORM' }, text);
});

test('the best entry is chosen, of equals the first', () => {
  const index = indexOf('linux/arm64', 'linux/amd64', 'linux/amd64', 'linux/386');
  assert.equal(chosen(index, 'linux/amd64'), 1);
  assert.equal(chosen(index, 'linux/arm64/v8'), 0);
  assert.equal(chosen(index, 'linux/s390x'), -1);
  assert.equal(chosen(index, 'windows/amd64'), -1);
});

test('variants fall back downwards, never upwards', () => {
  const arm = indexOf('linux/arm/v5', 'linux/arm/v7', 'linux/arm/v6');
  assert.equal(chosen(arm, 'linux/arm'), 1);
  assert.equal(chosen(arm, 'linux/arm/v6'), 2);
  assert.equal(chosen(arm, 'linux/arm/v5'), 0);
  assert.equal(chosen(arm, 'linux/arm64'), 1);
  assert.equal(chosen(indexOf('linux/arm/v7'), 'linux/arm/v6'), -1);
  const amd64 = indexOf('linux/amd64/v3', 'linux/amd64', 'linux/amd64/v2');
  assert.equal(chosen(amd64, 'linux/amd64'), 1);
  assert.equal(chosen(amd64, 'linux/amd64/v2'), 2);
  assert.equal(chosen(amd64, 'linux/amd64/v4'), 0);
  assert.equal(chosen(indexOf('linux/amd64/v3'), 'linux/amd64'), -1);
  assert.equal(chosen(indexOf('linux/arm64'), 'linux/arm64/v9'), 0);
  assert.equal(chosen(indexOf('linux/386'), 'linux/amd64'), 0);
});

test('attestations are never chosen, an entry without a platform last', () => {
  assert.equal(chosen(indexOf('unknown/unknown'), 'unknown/unknown'), -1);
  assert.equal(chosen(indexOf('-', 'linux/amd64'), 'linux/amd64'), 1);
  assert.equal(chosen(indexOf('unknown/unknown', '-'), 'linux/amd64'), 1);
});

test('what an index offers is listed once, without attestations', () => {
  const index = indexOf('linux/amd64', 'unknown/unknown', 'linux/arm/v7', 'linux/arm64/v8', 'linux/amd64');
  assert.deepEqual(offeredPlatforms(index), ['linux/amd64', 'linux/arm', 'linux/arm64']);
});
