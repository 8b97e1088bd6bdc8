// The three hosts are alike: what Node's port does, Bun's and QuickJS's do.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Harness, Started, rootOnly as skip } from '../harness/caisson.ts';
import { bunPath, engineCommand } from './qjs.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

/** A directory that no earlier walk has been through. */
function place(): string {
  const directory = harness.makeDirectory('port');
  for (const name of ['given', 'given/empty-directory', 'state']) mkdirSync(`${directory}/${name}`);
  writeFileSync(`${directory}/given/empty`, '');
  writeFileSync(`${directory}/given/secret`, 'x', { mode: 0o600 });
  writeFileSync(`${directory}/given/large`, Buffer.alloc(1_000_000, 'abcdefg'));
  symlinkSync('../nowhere/\u00e4', `${directory}/given/dangling`);
  symlinkSync('secret', `${directory}/given/link`);
  symlinkSync(harness.rootfs, `${directory}/rootfs`);
  assert.equal(spawnSync('mkfifo', [`${directory}/given/fifo`]).status, 0);
  chmodSync(`${directory}/given/fifo`, 0o640);
  return directory;
}

/** Sets a variable and an argument that are no UTF-8, which Node could not pass. */
const BYTES = 'export MARK="$(printf \'\\344\')"; exec "$@" "w\u00f6rd" "$(printf \'l\\344st\')"';

async function walk(program: readonly string[]): Promise<string[]> {
  const child = spawn('/bin/sh', ['-c', BYTES, 'sh', ...program], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  const ended = await new Started(child).end();
  clearTimeout(timer);
  assert.equal(ended.code, 0, ended.stderr);
  return ended.stdout.trimEnd().split('\n');
}

let expected: Promise<string[]> | undefined;

/** What Node 20 or 24, which runs this test, finds. */
function nodes(): Promise<string[]> {
  const script = fileURLToPath(new URL('./port-node.js', import.meta.url));
  expected ??= walk([process.execPath, script, ...programs, place()]);
  return expected;
}

const programs = ['launcher', 'init'].map((name) => `${process.cwd()}/build/${name}`);

test('Node', { skip }, async () => {
  const lines = await nodes();
  assert.deepEqual(lines.slice(0, 3), [
    `self: ["${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}",0,0,"/",true,null]`,
    'arguments: ["w\u00c3\u00b6rd","l\u00e4st"]',
    'init: true',
  ]);
  const told = (what: string) => lines.find((line) => line.startsWith(`${what}: `))?.slice(what.length + 2);
  assert.equal(told('replaced'), JSON.stringify(['second \u00e4\n\0', 'file', 10, 0, 0]));
  assert.equal(told('/dev/null'), '["character",259,0]');
  assert.equal(told('killed'), '{"exitCode":-1,"signal":9,"stderr":"","stdout":""}');
  assert.equal(told('signals'), '[10,1]');
  assert.equal(told('three at once'), '[[5,200000],[5,200000],[5,200000]]');
  assert.equal(told('an idle launcher'), 'undefined');
});

test('QuickJS', { skip }, async () => {
  assert.deepEqual(await walk([...engineCommand(harness, 'port-program'), place()]), await nodes());
});

test('Bun', { skip }, async () => {
  const script = `${process.cwd()}/test/quickjs-run/port-node.ts`;
  assert.deepEqual(await walk([bunPath(), script, ...programs, place()]), await nodes());
});
