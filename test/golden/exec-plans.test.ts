// Golden plans of exec, as text that was read; UPDATE_GOLDEN=1 writes the files.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { encode } from '../../src/plan/encode.ts';
import { verifyExec } from '../../src/plan/verify.ts';
import { compileExecCase, EXEC_CASES, type ExecCase, plainCase } from './exec-cases.ts';
import { planDifference, planLines } from './plan-text.ts';

const update = process.env.UPDATE_GOLDEN === '1';

/** The sources: this file runs from test/golden/ and from build/test/golden/. */
function plansDirectory(from: string): string {
  return existsSync(join(from, 'launcher/launcher.c'))
    ? join(from, 'test/golden/exec-plans')
    : plansDirectory(dirname(from));
}

const directory = plansDirectory(dirname(fileURLToPath(import.meta.url)));
if (update) mkdirSync(directory, { recursive: true });

function goldenText(one: ExecCase): string {
  const lines = planLines(compileExecCase(one), false);
  const shown =
    one.show === 'full' ? lines : planDifference(planLines(compileExecCase(plainCase(one)), false), lines);
  return `# ${one.purpose}\n\n${shown.join('\n')}\n`;
}

for (const one of EXEC_CASES) {
  const file = join(directory, `${one.name}.txt`);
  test(`golden plan ${one.name}: ${one.purpose}`, () => {
    const text = goldenText(one);
    if (update) writeFileSync(file, text);
    assert.equal(text, readFileSync(file, 'utf8'));
    const plan = compileExecCase(one);
    assert.deepEqual(verifyExec(plan), []);
    for (const arch of ['x86_64', 'aarch64'] as const) assert.ok(encode(plan.steps, arch).bytes.length > 0);
  });
}

test('golden plans of exec: no name twice, no file without a case', () => {
  const names = EXEC_CASES.map(({ name }) => `${name}.txt`).sort();
  assert.equal(new Set(names).size, names.length);
  if (update) for (const file of readdirSync(directory)) if (!names.includes(file)) rmSync(join(directory, file));
  assert.deepEqual(readdirSync(directory).sort(), names);
});
