// Set-up does a stage when its inputs changed or its outputs are gone, and is quick otherwise.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const STAGE = JSON.stringify(join(process.cwd(), 'scripts/stage.mjs'));

function evaluate(body: string): string {
  const script = `import { stage, withLock } from ${STAGE};\nimport fs from 'node:fs';\n${body}`;
  const run = spawnSync('node', ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout;
}

function inBuild(body: (directory: string) => void): void {
  mkdirSync('build', { recursive: true });
  const directory = mkdtempSync('build/sample-');
  try {
    body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
    rmSync(`build/.stamps/${directory.slice(6)}`, { force: true });
  }
}

test('a stage is done once for the same inputs', () => {
  inBuild((directory) => {
    const once = `console.log(stage({
      name: ${JSON.stringify(directory.slice(6))},
      inputs: ['a', { file: '${directory}/in' }],
      outputs: ['${directory}/out'],
      action: () => fs.writeFileSync('${directory}/out', ''),
    }));`;
    writeFileSync(`${directory}/in`, '1');
    assert.equal(evaluate(once + once), 'true\nfalse\n');
    writeFileSync(`${directory}/in`, '2');
    assert.equal(evaluate(once), 'true\n', 'an input changed');
    rmSync(`${directory}/out`);
    assert.equal(evaluate(once), 'true\n', 'an output is gone');
    const failing = once.replace("'a'", "'b'").replace(/fs\.writeFileSync\([^)]*\)/, '{ throw new Error() }');
    assert.equal(evaluate(`try { ${failing} } catch { console.log('failed'); }`), 'failed\n');
    assert.equal(evaluate(once.replace("'a'", "'b'")), 'true\n', 'a failed stage is not remembered');
  });
});

test('a lock whose holder is dead is taken over', () => {
  inBuild((directory) => {
    // Above the largest process id that Linux gives.
    writeFileSync(`${directory}/lock`, '4194305');
    assert.equal(evaluate(`withLock('${directory}/lock', () => console.log('in'));`), 'in\n');
    assert.equal(evaluate(`console.log(fs.existsSync('${directory}/lock'));`), 'false\n');
  });
});

test('set-up is quick when everything is in place', () => {
  const once = () => spawnSync('node', ['scripts/setup.mjs', 'test'], { encoding: 'utf8' });
  assert.equal(once().status, 0);
  const start = performance.now();
  const again = once();
  const seconds = (performance.now() - start) / 1000;
  assert.equal(again.status, 0, again.stderr);
  assert.doesNotMatch(again.stderr, /\.\.\.\n/, 'nothing is done again');
  assert.ok(seconds < 2, `${seconds} s`);
});
