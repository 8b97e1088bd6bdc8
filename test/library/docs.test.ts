// Every example of docs/library.md and docs/sandbox.md runs, and prints what the page says.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { rootOnly as skip } from '../harness/caisson.ts';

const own = fileURLToPath(import.meta.url);
const library = own.replace(/test\/library\/docs\.test\.(ts|js)$/, 'src/index.$1');
const place = mkdtempSync(`${tmpdir()}/caisson-docs-`);
after(() => {
  rmSync(place, { recursive: true, force: true });
});

const EXAMPLE = /```js\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/g;

for (const page of ['library', 'sandbox']) {
  const text = readFileSync(`${process.cwd()}/docs/${page}.md`, 'utf8');
  const examples = [...text.matchAll(EXAMPLE)];
  test(`${page}.md: each block of code is an example with its output`, () => {
    assert.equal(examples.length, text.split('```js\n').length - 1);
    assert.ok(examples.length > 0);
  });
  for (const [index, [, code = '', output = '']] of examples.entries()) {
    test(`${page}.md, example ${index + 1}`, { skip }, () => {
      const file = `${place}/${page}-${index}.mjs`;
      writeFileSync(file, code.replace("from 'caisson'", `from ${JSON.stringify(library)}`));
      const env = { ...process.env, CAISSON_DATA_ROOT: `${place}/data` };
      const { stdout, stderr, status } = spawnSync(process.execPath, [file], { encoding: 'utf8', env });
      assert.equal(status, 0, stderr);
      assert.equal(stdout, output);
    });
  }
}
