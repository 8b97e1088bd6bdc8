// Runs the unit tests of the core under the embedded QuickJS, with stand-ins for node:test and node:assert.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileModule, ENGINE, makeEngine } from './oci-executable.mjs';
import { bunPath, root } from './stage.mjs';

/**
 * @param {string[]} files  sources of tests, relative to the repository
 * @param {number} timeout  milliseconds after which QuickJS is ended
 * @returns {{kind: string, name: string, file?: string, reason?: string, error?: string}[]}
 */
export function runQuickjs(files, timeout) {
  const directory = join(root, 'build/quickjs');
  const bundle = join(directory, 'tests.mjs');
  mkdirSync(directory, { recursive: true });
  const bundled = spawnSync(bunPath(), ['scripts/quickjs-bundle.mjs', bundle, ...files], {
    cwd: root,
    encoding: 'utf8',
  });
  if (bundled.status !== 0) return [failure('bundle for QuickJS', `${bundled.stdout}${bundled.stderr}`)];
  makeEngine();
  const programs = ['build/launcher', 'build/init'];
  compileModule(bundle, `${bundle}.module`, false);
  const ran = spawnSync(join(root, ENGINE), [`${bundle}.module`, ...programs], {
    cwd: root,
    encoding: 'utf8',
    timeout,
    maxBuffer: 1 << 28,
  });
  writeFileSync(join(directory, 'tests.log'), `${ran.stdout}${ran.stderr}`);
  return readResults(ran);
}

function readResults(ran) {
  const lines = (ran.stdout ?? '').split('\n').filter((line) => line.startsWith('{"kind":'));
  const results = lines.map((line) => JSON.parse(line));
  const complete = results.at(-1)?.kind === 'end';
  const counted = results.filter((result) => result.kind !== 'end');
  if (complete && ran.status === 0) return counted;
  const ended = ran.error?.message ?? `exited ${ran.signal ?? ran.status}`;
  return [...counted, failure('QuickJS', `${ended}\n${(ran.stdout + ran.stderr).slice(-3000)}`)];
}

function failure(name, error) {
  return { kind: 'fail', name, error };
}
