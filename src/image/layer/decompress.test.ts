// Tests of decompression: members and frames that follow each other, damage, rubbish, and readers that stop.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { CaissonError } from '../../spec/error.ts';
import { DOCKER_LAYER_GZIP, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD } from '../../spec/media-types.ts';
import { compress } from './compress.ts';
import { decompress } from './decompress.ts';
import { unzstdWithout } from './zstd-fallback.ts';

async function* chunks(bytes: Uint8Array, size = bytes.length): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts);
}

async function refuses(content: AsyncIterable<Uint8Array>, reason: RegExp, code = 'EARCHIVE'): Promise<void> {
  await assert.rejects(all(content), (error: unknown) => {
    assert.ok(error instanceof CaissonError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, reason);
    return true;
  });
}

const TEXT = Buffer.from('hello hello hello hello layers\n');
/** `zstd -19 --check` of TEXT, `zstd --no-check` of another line, and a skippable frame of four bytes. */
const FRAME = Buffer.from('28b52ffd04689d00006868656c6c6f206c61796572730a0100f14a1136fe2255', 'hex');
const SECOND = Buffer.from('28b52ffd00586900007365636f6e64206672616d650a', 'hex');
const SKIPPABLE = Buffer.from('502a4d1804000000abadcafe', 'hex');
const NOISE = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i * 31 + (i >> 3)) & 0xff));

test('gzip: one member, several, empty ones, and any chunks', async () => {
  const two = Buffer.concat([gzipSync(NOISE), gzipSync(Buffer.alloc(0)), gzipSync(TEXT)]);
  for (const size of [1 << 20, 1000, 7]) {
    const got = await all(decompress(chunks(two, size), OCI_LAYER_GZIP));
    assert.ok(got.equals(Buffer.concat([NOISE, TEXT])), `chunks of ${size}`);
  }
});

test('the bytes decide, and the media type must be one of a layer', async () => {
  assert.ok((await all(decompress(chunks(gzipSync(TEXT), 1), OCI_LAYER))).equals(TEXT));
  assert.ok((await all(decompress(chunks(TEXT), DOCKER_LAYER_GZIP))).equals(TEXT));
  assert.equal((await all(decompress(chunks(Buffer.alloc(0)), OCI_LAYER))).length, 0);
  await refuses(decompress(chunks(TEXT), 'application/json'), /not the media type of a layer/, 'EMEDIATYPE');
  const xz = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 1, 2]);
  await refuses(decompress(chunks(xz), OCI_LAYER), /compression xz/);
});

test('gzip that is cut off, damaged, or goes on with something else', async () => {
  const whole = gzipSync(NOISE);
  for (const length of [8, 100, whole.length - 9, whole.length - 1])
    await refuses(decompress(chunks(whole.subarray(0, length), 777), OCI_LAYER_GZIP), /damaged or cut off/);
  const wrong = Buffer.from(whole);
  wrong.writeUInt8((wrong.at(-5) as number) ^ 1, wrong.length - 5);
  await refuses(decompress(chunks(wrong), OCI_LAYER_GZIP), /damaged or cut off/);
  const more = Buffer.concat([whole, Buffer.from('rubbish')]);
  await refuses(decompress(chunks(more), OCI_LAYER_GZIP), /damaged or cut off/);
});

test('zstd: frames, a skippable one between, checksums, and the end', async () => {
  const three = Buffer.concat([FRAME, SKIPPABLE, SECOND]);
  for (const size of [100, 1]) {
    const got = await all(decompress(chunks(three, size), OCI_LAYER_ZSTD));
    assert.equal(got.toString(), `${TEXT}second frame\n`);
  }
  for (let length = 4; length < three.length; length++) {
    const whole = [FRAME.length, FRAME.length + SKIPPABLE.length].includes(length);
    if (!whole) await refuses(decompress(chunks(three.subarray(0, length)), OCI_LAYER_ZSTD), /cut off/);
  }
  await refuses(decompress(chunks(Buffer.concat([FRAME, TEXT])), OCI_LAYER_ZSTD), /no frame/);
  const damaged = Buffer.from(FRAME);
  damaged.writeUInt8(0xff, 8);
  await refuses(decompress(chunks(damaged), OCI_LAYER_ZSTD), /damaged or cut off/);
});

test('the library that stands in for zstd in Node 20', async () => {
  assert.ok((await all(unzstdWithout(chunks(FRAME, 3)))).equals(TEXT));
  assert.equal((await all(unzstdWithout(chunks(Buffer.concat([FRAME, SECOND]))))).length, TEXT.length + 13);
  await assert.rejects(all(unzstdWithout(chunks(FRAME.subarray(0, -6)))));
});

test('an error of the source is what the reader gets; a reader that stops ends the source', async () => {
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield gzipSync(NOISE).subarray(0, 5000);
    throw new CaissonError('the registry hung up', { code: 'EREGISTRY' });
  }
  await refuses(decompress(failing(), OCI_LAYER_GZIP), /hung up/, 'EREGISTRY');
  let ended = false;
  async function* watched(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield* chunks(gzipSync(NOISE), 4096);
    } finally {
      ended = true;
    }
  }
  for await (const chunk of decompress(watched(), OCI_LAYER_GZIP)) {
    assert.ok(chunk.length > 0);
    break;
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(ended);
});

test('what compress writes, decompress and others read; the same input gives the same bytes', async () => {
  const input = Buffer.concat(Array.from({ length: 12 }, () => NOISE));
  for (const content of [input, TEXT, Buffer.alloc(0)]) {
    const gzip = await all(compress(chunks(content, 70_001), { compression: 'gzip' }));
    assert.ok(gunzipSync(gzip).equals(content));
    assert.ok((await all(compress(chunks(content, 999), { compression: 'gzip' }))).equals(gzip));
    assert.ok((await all(decompress(chunks(gzip, 5000), OCI_LAYER_GZIP))).equals(content));
  }
  const none = await all(compress(chunks(TEXT), { compression: 'none' }));
  assert.ok(none.equals(TEXT));
  const zlib = await import('node:zlib');
  const zstd = all(compress(chunks(input), { compression: 'zstd' }));
  if (!('createZstdCompress' in zlib)) {
    await assert.rejects(zstd, /zstd needs Node 22.15/);
    return;
  }
  assert.ok((await all(decompress(chunks(await zstd, 5000), OCI_LAYER_ZSTD))).equals(input));
});
