// Compressions that Node does not have: content, damage, bombs, and programs that are not those of the machine.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { nodePort } from '../../host/node.ts';
import { CaissonError } from '../../spec/error.ts';
import { decompressor } from './decompress.ts';

const port = nodePort();
const ALL = ['xz', 'bzip2'] as const;
const missing = ALL.filter((name) => spawnSync(name, ['--help']).error !== undefined);
const skip = missing.length > 0 && `not installed: ${missing.join(', ')}`;

async function* pieces(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const found: Uint8Array[] = [];
  for await (const piece of content) found.push(piece);
  return Buffer.concat(found);
}

async function refusedWith(content: AsyncIterable<Uint8Array>): Promise<CaissonError> {
  try {
    for await (const _ of content);
  } catch (error) {
    assert.ok(error instanceof CaissonError, String(error));
    return error;
  }
  throw new Error('nothing was refused');
}

for (const name of ALL) {
  const pack = (input: Uint8Array, ...args: string[]) =>
    execFileSync(name, ['-c', ...args], { input, maxBuffer: 1 << 28 });

  test(`${name}: content, several streams, damage`, { skip }, async () => {
    const text = Buffer.from('a line of text\n'.repeat(100_000));
    const packed = pack(text);
    const decompress = decompressor(port);
    assert.deepEqual(await read(decompress(name, pieces(packed))), text);
    const twice = Buffer.concat([packed, packed]);
    assert.equal((await read(decompress(name, pieces(twice, 7)))).length, 2 * text.length);
    const cut = await refusedWith(decompress(name, pieces(packed.subarray(0, packed.length - 9))));
    assert.equal(cut.code, 'EARCHIVE');
    assert.match(cut.message, new RegExp(`^the ${name} data is damaged or cut off: .`));
    const wrong = Buffer.from(packed);
    wrong.fill(0x55, 20, 40);
    assert.equal((await refusedWith(decompress(name, pieces(wrong)))).code, 'EARCHIVE');
  });

  test(`${name}: whoever has enough stops, and an error of the source is its own`, { skip }, async () => {
    const packed = pack(Buffer.alloc(64 << 20));
    for await (const piece of decompressor(port)(name, pieces(packed))) {
      assert.ok(piece.length > 0);
      break;
    }
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield packed.subarray(0, 10);
      throw new Error('the source has failed');
    }
    await assert.rejects(read(decompressor(port)(name, failing())), /the source has failed/);
  });

  test(`T41: a ${name} file that becomes far more than it was is ended`, { skip }, async () => {
    const packed = pack(Buffer.alloc(96 << 20));
    const { code, message } = await refusedWith(decompressor(port, 16 << 20)(name, pieces(packed)));
    assert.equal(code, 'EARCHIVE');
    assert.match(message, /bytes become more than \d{8}$/);
  });
}

test('T41: xz takes no more memory than it is given, whatever the file asks for', { skip }, async () => {
  const packed = execFileSync('xz', ['-c', '--lzma2=preset=0,dict=300MiB'], { input: 'x' });
  const { code, message } = await refusedWith(decompressor(port)('xz', pieces(packed)));
  assert.equal(code, 'EARCHIVE');
  assert.match(message, /[Mm]emory/);
});

test('T31: a program of that name elsewhere is never run, and a missing one is named', { skip }, async () => {
  const { findProgram } = port;
  assert.match(findProgram('xz') ?? '', /^\/(?:usr\/)?(?:local\/)?s?bin\/xz$/);
  const without = { ...port, findProgram: () => undefined };
  const { code, message, details } = await refusedWith(decompressor(without)('xz', pieces(Buffer.from('x'))));
  assert.equal(code, 'ENOTFOUND');
  assert.match(message, /the program xz is not installed here/);
  assert.deepEqual(details, ['Debian: apt install xz-utils']);
});
