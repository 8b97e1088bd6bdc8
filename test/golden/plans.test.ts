// Golden plans: what each configuration compiles to, as text that was read; UPDATE_GOLDEN=1 writes the files.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { encode } from '../../src/plan/encode.ts';
import { verify } from '../../src/plan/verify.ts';
import { LIFECYCLE_CASES } from './cases-lifecycle.ts';
import { MOUNT_CASES } from './cases-mounts.ts';
import { NAMESPACE_CASES } from './cases-namespaces.ts';
import { PROCESS_CASES } from './cases-process.ts';
import { compileCase, goldenText } from './golden-case.ts';

const CASES = [...NAMESPACE_CASES, ...MOUNT_CASES, ...PROCESS_CASES, ...LIFECYCLE_CASES];
const update = process.env.UPDATE_GOLDEN === '1';

/** The sources: this file runs from test/golden/ and from build/test/golden/. */
function plansDirectory(from: string): string {
  return existsSync(join(from, 'launcher/launcher.c')) ? join(from, 'test/golden/plans') : plansDirectory(dirname(from));
}

const directory = plansDirectory(dirname(fileURLToPath(import.meta.url)));
if (update) mkdirSync(directory, { recursive: true });

for (const one of CASES) {
  const file = join(directory, `${one.name}.txt`);
  test(`golden plan ${one.name}: ${one.purpose}`, () => {
    const text = goldenText(one);
    if (update) writeFileSync(file, text);
    assert.equal(text, readFileSync(file, 'utf8'));
    if (one.refused) return;
    const plan = compileCase(one);
    assert.deepEqual(verify(plan), []);
    for (const arch of ['x86_64', 'aarch64'] as const) assert.ok(encode(plan.steps, arch).bytes.length > 0);
  });
}

test('golden plans: at least 100, no name twice, no file without a case', () => {
  const names = CASES.map(({ name }) => `${name}.txt`).sort();
  assert.ok(names.length >= 100);
  assert.equal(new Set(names).size, names.length);
  if (update) for (const file of readdirSync(directory)) if (!names.includes(file)) rmSync(join(directory, file));
  assert.deepEqual(readdirSync(directory).sort(), names);
});
