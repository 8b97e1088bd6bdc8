// The test runner counts what happened: a failure, a crash, a skip and a hang are never lost.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

interface Result {
  readonly kind: string;
  readonly name: string;
  readonly reason?: string;
  readonly error?: string;
}

const HEAD = "import { test } from 'node:test';\nimport assert from 'node:assert/strict';\n";

/** Results of the runner for one file of tests under `engine`. */
function runnerOn(text: string, engine: 'node' | 'bun', budget = 20): Result[] {
  const directory = mkdtempSync(join(process.cwd(), 'build', 'sample-'));
  const name = `sample-${engine}-${process.pid}`;
  try {
    const file = join(directory, 'sample.test.mjs');
    writeFileSync(file, text);
    const relative = file.slice(process.cwd().length + 1);
    const program = engine === 'bun' ? 'node_modules/.bin/bun' : undefined;
    const part = { name, engine, program, files: [relative] };
    const script = `
      import { runPart } from ${JSON.stringify(join(process.cwd(), 'scripts/test-engines.mjs'))};
      console.log(JSON.stringify(await runPart(${JSON.stringify(part)}, ${budget})));`;
    // A test that runs tests must not look like one to the inner runner.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const run = spawnSync('node', ['--input-type=module', '-e', script], { encoding: 'utf8', env });
    assert.equal(run.status, 0, run.stderr);
    return JSON.parse(run.stdout) as Result[];
  } finally {
    rmSync(directory, { recursive: true, force: true });
    for (const log of [`build/test-${name}.jsonl`, `build/test-${name}.xml`]) rmSync(log, { force: true });
  }
}

const kinds = (results: readonly Result[]): string[] => results.map((result) => result.kind).sort();

for (const engine of ['node', 'bun'] as const) {
  test(`${engine}: passed and failed tests are counted one by one`, () => {
    const results = runnerOn(
      `${HEAD}test('one', () => {});\ntest('two', () => assert.equal(1, 2));\ntest('three', async () => {});\n`,
      engine,
    );
    assert.deepEqual(kinds(results), ['fail', 'pass', 'pass']);
    const failed = results.find((result) => result.kind === 'fail');
    assert.equal(failed?.name, 'two');
    assert.match(failed?.error ?? '', /1 !== 2/);
  });

  test(`${engine}: a file that cannot be evaluated is a failure`, () => {
    assert.deepEqual(kinds(runnerOn(`${HEAD}throw new Error('broken at the top');\n`, engine)), ['fail']);
  });

  test(`${engine}: a skipped test is counted as skipped`, () => {
    const results = runnerOn(`${HEAD}test('one', { skip: 'no kernel' }, () => {});\n`, engine);
    assert.deepEqual(kinds(results), ['skip']);
  });

  test(`${engine}: a process that ends itself is a failure`, () => {
    const results = runnerOn(`${HEAD}test('one', () => process.exit(3));\n`, engine);
    assert.ok(kinds(results).includes('fail'), JSON.stringify(results));
  });

  test(`${engine}: a hanging test is ended after three times the budget`, () => {
    const results = runnerOn(`${HEAD}test('one', () => { for (;;); });\n`, engine, 1);
    assert.ok(kinds(results).includes('fail'), JSON.stringify(results));
    assert.match(results.at(-1)?.error ?? '', /killed after 3 s/);
  });
}

test('node: subtests are counted, their parent only once', () => {
  const results = runnerOn(
    `${HEAD}test('outer', async (t) => { await t.test('inner', () => assert.ok(false)); });\n`,
    'node',
  );
  assert.deepEqual(kinds(results), ['fail']);
});

test('node: the reason of a skip is kept', () => {
  const results = runnerOn(`${HEAD}test('one', { skip: 'no kernel' }, () => {});\n`, 'node');
  assert.equal(results[0]?.reason, 'no kernel');
});

test('node: a file without tests counts as nothing', () => {
  assert.deepEqual(runnerOn('export {};\n', 'node'), []);
});
