// The import check refuses what the design forbids, and nothing else.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inSampleTree } from './sample-tree.ts';

const check = (files: Record<string, string>) => inSampleTree('check-imports.mjs', files);

test('imports that run downwards pass', () => {
  const result = check({
    'src/linux/a.ts': 'export const a = 1;\n',
    'src/spec/b.ts': "import { a } from '../linux/a.ts';\nexport const b = a;\n",
    'src/cli/c.ts': "import { b } from '../spec/b.ts';\nimport path from 'node:path';\nb; path;\n",
    'src/linux/a.test.ts': "import { test } from 'node:test';\nimport assert from 'node:assert/strict';\n",
    'src/host/node.ts': "import { readFileSync } from 'node:fs';\n",
  });
  assert.deepEqual(result, { status: 0, lines: [] });
});

test('an import upwards fails', () => {
  const result = check({
    'src/plan/a.ts': "import { b } from '../runtime/b.ts';\n",
    'src/runtime/b.ts': 'export const b = 1;\n',
  });
  assert.equal(result.status, 1);
  assert.match(result.lines.join('\n'), /^src\/plan\/a\.ts: plan may not import src\/runtime\/b\.ts/);
});

test('the runtime may import the port of the host, and no host', () => {
  assert.equal(check({ 'src/runtime/a.ts': "import type { Port } from '../host/port.ts';\n" }).status, 0);
  assert.equal(check({ 'src/runtime/a.ts': "import { open } from '../host/node.ts';\n" }).status, 1);
});

for (const specifier of ['node:fs', 'node:path', 'bun', 'bun:ffi', 'fast-check']) {
  test(`the core may not import ${specifier}`, () => {
    const result = check({ 'src/seccomp/a.ts': `import x from '${specifier}';\n` });
    assert.deepEqual(result.lines, [`src/seccomp/a.ts: seccomp is core and may not import ${specifier}`]);
  });
}

for (const line of [
  "import { rmSync } from 'node:fs';",
  "import fs from 'fs/promises';",
  "const fs = await import('node:fs');",
  "export { rmSync } from 'node:fs';",
  "import {\n  rmSync,\n} from 'node:fs';",
]) {
  test(`only the host touches files: ${JSON.stringify(line)}`, () => {
    assert.equal(check({ 'src/engine/a.ts': `${line}\n` }).status, 1);
    assert.equal(check({ 'src/host/a.ts': `${line}\n` }).status, 0);
  });
}

test('a cycle of values fails, one of types does not', () => {
  const cycle = (kind: string) => ({
    'src/spec/a.ts': `import ${kind} { b } from './b.ts';\nexport const a = 1;\n`,
    'src/spec/b.ts': "import { a } from './a.ts';\nexport const b = a;\n",
  });
  assert.equal(check(cycle('')).status, 1);
  assert.equal(check(cycle('type')).status, 0);
});
