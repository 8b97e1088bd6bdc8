// T41: layers that become more than anybody wants end early, in bounded time and memory, with one clear error.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type ApplyOptions, applyLayer } from '../../src/image/layer/apply.ts';
import { concat, END, header, member, pax } from '../../src/image/tar.testing.ts';
import { CaissonError } from '../../src/spec/error.ts';
import { OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD } from '../../src/spec/media-types.ts';
import { directory, inChunks, place, portOf, skip } from './harness.ts';

const MEMORY_LIMIT = 150 << 20;
const TIME_LIMIT_MS = 20_000;

/** Applies what must be refused; the error. Memory is that of this process, above what it had. */
async function refused(
  target: string,
  content: AsyncIterable<Uint8Array>,
  mediaType: string,
  more: Partial<ApplyOptions> = {},
): Promise<CaissonError> {
  const before = process.memoryUsage.rss();
  const start = performance.now();
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss() - before);
  }, 20);
  try {
    await applyLayer(portOf('root'), content, mediaType, target, { cause: 'bomb', form: 'overlay', ...more });
  } catch (error) {
    assert.ok(error instanceof CaissonError, String(error));
    assert.ok(performance.now() - start < TIME_LIMIT_MS);
    assert.ok(most < MEMORY_LIMIT, `${most >> 20} MiB`);
    return error;
  } finally {
    clearInterval(watch);
  }
  throw new Error('it was unpacked');
}

async function* endless(start: Uint8Array, again: Uint8Array): AsyncGenerator<Uint8Array> {
  yield start;
  for (;;) yield again;
}

const ZEROS = new Uint8Array(1 << 20);
const LARGE = header({ name: 'large', size: 2 ** 32 });

test('T41: content that never ends, plain, in gzip members and in zstd frames', { skip }, async (t) => {
  const target = directory(place(t), 'target');
  const sizeLimit = 64 << 20;
  const plain = await refused(target, endless(LARGE, ZEROS), OCI_LAYER, { sizeLimit });
  assert.match(plain.message, /more than 67108864 bytes are in it/);
  const gzip = endless(gzipSync(LARGE), gzipSync(ZEROS));
  const ratio = await refused(target, gzip, OCI_LAYER_GZIP, { ratioFrom: 32 << 20 });
  assert.match(ratio.message, /bytes become more than/);
  const frame = execFileSync('zstd', ['-q', '-19', '-c'], { input: Buffer.concat(Array(64).fill(ZEROS)) });
  const first = execFileSync('zstd', ['-q', '-c'], { input: LARGE });
  const zstd = await refused(target, endless(first, frame), OCI_LAYER_ZSTD, { ratioFrom: 100 << 20 });
  assert.match(zstd.message, /bytes become more than/);
  const behind = endless(concat(member({ name: 'a' }), END), ZEROS);
  assert.match((await refused(target, behind, OCI_LAYER)).message, /follow its end/);
});

test('T41: members, directories and implied directories that never end', { skip }, async (t) => {
  const target = directory(place(t), 'target');
  async function* members(of: (index: number) => Uint8Array): AsyncGenerator<Uint8Array> {
    for (let at = 0; ; at += 50) yield concat(...Array.from({ length: 50 }, (_, i) => of(at + i)));
  }
  const files = members((i) => member({ name: `f${i % 100}` }));
  assert.match((await refused(target, files, OCI_LAYER, { memberLimit: 2000 })).message, /one too many/);
  const folders = members((i) => member({ name: `d${i}`, type: '5' }));
  assert.match((await refused(target, folders, OCI_LAYER, { nameLimit: 200_000 })).message, /remembered/);
  const implied = members((i) => member({ name: `${i}/${'a/'.repeat(40)}f` }));
  assert.match((await refused(target, implied, OCI_LAYER, { memberLimit: 5000 })).message, /one too many/);
  const whiteouts = members((i) => member({ name: `.wh.w${i}` }));
  assert.match((await refused(target, whiteouts, OCI_LAYER, { nameLimit: 200_000 })).message, /remembered/);
});

test('T41: what is remembered of a directory is counted, and no more is kept of its header', {
  skip,
}, async (t) => {
  const target = directory(place(t), 'target');
  const folder = (name: string) =>
    concat(pax(['comment', 'x'.repeat(1_000_000)], ['path', name]), member({ name: 'x', type: '5' }));
  async function* commented(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 300; i++) yield folder(`a directory with a name of its own ${i}`);
    yield member({ name: 'end', type: 'Z' });
  }
  assert.match((await refused(target, commented(), OCI_LAYER)).message, /unknown/);
  async function* attributed(): AsyncGenerator<Uint8Array> {
    for (let i = 0; ; i++)
      yield concat(
        pax(['SCHILY.xattr.user.large', 'x'.repeat(500_000)]),
        member({ name: `d${i}`, type: '5' }),
      );
  }
  assert.match((await refused(target, attributed(), OCI_LAYER)).message, /remembered/);
  const many = Array.from({ length: 7 }, (_, i) => [`SCHILY.xattr.user.${i}`, 'x'.repeat(900_000)] as const);
  const headers = many.slice(0, 4).map((record) => pax(record));
  const deep = concat(...headers, pax(['path', `${'d/'.repeat(2000)}f`]), member({ name: 'x' }, 'y'), END);
  await refused(target, inChunks(deep), OCI_LAYER);
});

test('T41: sizes, extended headers and sparse maps without bound', { skip }, async (t) => {
  const target = directory(place(t), 'target');
  const size = (bytes: string) => header({ name: 'a', patch: { 124: bytes } });
  const old = header({ name: 'a', type: 'S', patch: { 386: '0\0'.padEnd(24, '\0'), 482: '\x01' } });
  const oldMore = new Uint8Array(512).fill(0x30);
  const maps = (map: string) =>
    pax(['GNU.sparse.map', map], ['GNU.sparse.realsize', '99'], ['GNU.sparse.name', 'a']);
  const cases: Readonly<Record<string, [AsyncIterable<Uint8Array>, RegExp]>> = {
    '2^60': [inChunks(size('\x80\0\0\0\x10\0\0\0\0\0\0\0')), /beyond 2\^53/],
    '2^52': [inChunks(size('\x80\0\0\0\0\x10\0\0\0\0\0\0')), /too large/],
    '100 MiB of pax': [inChunks(header({ name: 'p', type: 'x', size: 100 << 20 })), /too large/],
    'pax upon pax': [
      endless(new Uint8Array(0), member({ name: 'p', type: 'x' }, '6 a=b\n'.repeat(100_000))),
      /too large/,
    ],
    'long names upon long names': [
      endless(new Uint8Array(0), member({ name: 'p', type: 'L' }, 'x'.repeat(900_000))),
      /too large/,
    ],
    'a map of a million pieces': [
      inChunks(concat(maps('0,0,'.repeat(70_000)), member({ name: 'a' }))),
      /map|number|range/,
    ],
    'a map that goes on': [endless(old, oldMore), /map|number|range/],
    'a leading map that goes on': [
      endless(
        concat(
          pax(['GNU.sparse.major', '1'], ['GNU.sparse.minor', '0'], ['GNU.sparse.realsize', '9']),
          header({ name: 'a', size: 2 ** 32 }),
        ),
        new Uint8Array(512).fill(0x39),
      ),
      /map|number|range/,
    ],
  };
  for (const [name, [content, reason]] of Object.entries(cases))
    assert.match((await refused(target, content, OCI_LAYER)).message, reason, name);
});

test('T41: many empty members are passed over; a file with nothing but a hole takes no room', {
  skip,
}, async (t) => {
  const target = directory(place(t), 'target');
  const nothing = gzipSync(new Uint8Array(0));
  const archive = concat(
    pax(['GNU.sparse.map', '0,0'], ['GNU.sparse.realsize', String(2 ** 38)], ['GNU.sparse.name', 'hole']),
    member({ name: 'x' }),
    END,
  );
  async function* content(): AsyncGenerator<Uint8Array> {
    yield concat(...Array.from({ length: 20_000 }, () => nothing));
    yield gzipSync(archive);
  }
  const options = { cause: 'holes', form: 'overlay' } as const;
  await applyLayer(portOf('root'), content(), OCI_LAYER_GZIP, target, options);
  const { size, blocks } = lstatSync(join(target, 'hole'));
  assert.equal(size, 2 ** 38);
  assert.ok(blocks < 100);
});
