// Where archives go to and come from: what a failure leaves, and what an address must not have.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { nodePort } from '../../host/node.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Shop } from './shop.ts';
import { addressSource, writeOutput } from './streams.ts';

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function* failing(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('half');
  throw new CaissonError('it broke', { code: 'ETEST' });
}

test('a file has its name when it is whole, and keeps its content when that fails', async () => {
  const directory = mkdtempSync(`${tmpdir()}/caisson-streams-`);
  const descriptors = () => readdirSync('/proc/self/fd').length;
  try {
    const path = `${directory}/out.tar`;
    writeFileSync(path, 'before');
    const open = descriptors();
    await assert.rejects(writeOutput(nodePort(), path, failing()), /it broke/);
    assert.equal(readFileSync(path, 'utf8'), 'before');
    assert.deepEqual(readdirSync(directory), ['out.tar']);
    assert.equal(descriptors(), open, 'no descriptor is left open');
    await writeOutput(nodePort(), path, pieces('after', 'wards'));
    assert.equal(readFileSync(path, 'utf8'), 'afterwards');
    assert.deepEqual(readdirSync(directory), ['out.tar']);
    assert.equal(descriptors(), open);
    // What is no file is written to as it is.
    await writeOutput(nodePort(), '/dev/null', pieces('x'));
    assert.ok(existsSync('/dev/null'));
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('an address with a password is refused, and not told', async () => {
  const shop = { port: nodePort() } as Shop;
  for (const address of [
    'https://alice:canary@r.example/x.tar',
    'https://canary@r.example/',
    'http://[canary',
  ])
    await assert.rejects(addressSource(shop, address), (error: unknown) => {
      assert.ok(error instanceof CaissonError && error.code === 'EUSAGE');
      assert.ok(![error.message, ...error.details].join(' ').includes('canary'), error.message);
      return true;
    });
});
