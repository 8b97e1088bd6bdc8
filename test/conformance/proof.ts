// Runs a row of the matrix: its test must pass on caisson as it is, and fail on a build with the mutation.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Patch, patched, patchedBuild } from '../attack/patched-build.ts';
import { REPOSITORY } from '../attack/programs.ts';
import { escaped } from './matrix.ts';
import type { Assertion, Requirement } from './requirement.ts';

export type Verdict = 'passes' | 'fails' | 'is skipped' | `does not run: ${string}`;

const LIMIT = 120_000;

/** What the test says of these sources. */
export function verdict(assertion: Assertion, mutation: readonly Patch[]): Verdict {
  return assertion.file.startsWith('src/')
    ? ofSource(assertion, mutation)
    : ofExecutable(assertion, mutation);
}

/** Verdicts of tests on caisson as it is: many rows have one test. */
const unchanged = new Map<string, Verdict>();

/** Nothing, or why the row is not proven. */
export function prove({ shownBy, mutation }: Requirement): string | undefined {
  const name = `${shownBy.file}: ${shownBy.test}`;
  const before = unchanged.get(name) ?? verdict(shownBy, []);
  unchanged.set(name, before);
  if (before === 'is skipped') return undefined;
  if (before !== 'passes') return `${name} ${before} without a mutation`;
  const after = verdict(shownBy, mutation);
  return after === 'fails' ? undefined : `${name} ${after} with the mutation`;
}

/** Unit tests run on the patched source itself. */
function ofSource({ file, test }: Assertion, mutation: readonly Patch[]): Verdict {
  const directory = mkdtempSync(join(tmpdir(), 'caisson-conformance-'));
  try {
    cpSync(join(REPOSITORY, 'src'), join(directory, 'src'), { recursive: true });
    symlinkSync(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'));
    for (const each of mutation) {
      const path = join(directory, each.file);
      writeFileSync(path, patched(each, readFileSync(path, 'utf8')));
    }
    const bun = join(REPOSITORY, 'node_modules/.bin/bun');
    const args = ['test', `./${file}`, '--test-name-pattern', `^ ?${escaped(test)}$`];
    const { stdout, stderr } = spawnSync(bun, args, { cwd: directory, encoding: 'utf8', timeout: LIMIT });
    const output = `${stdout}\n${stderr}`;
    if (new RegExp(`^\\(fail\\) ${escaped(test)}(?: \\[|$)`, 'm').test(output)) return 'fails';
    return /^ 1 pass$/m.test(output) ? 'passes' : `does not run: ${output.slice(-600)}`;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Other tests run as they are built, on an executable of the patched source. */
function ofExecutable({ file, test }: Assertion, mutation: readonly Patch[]): Verdict {
  const build = mutation.length === 0 ? undefined : patchedBuild(mutation);
  try {
    const compiled = join('build', file.replace(/\.ts$/, '.js'));
    const args = ['--test', '--test-reporter=tap', '--test-name-pattern', `/^${escaped(test)}$/`, compiled];
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const { stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: REPOSITORY,
      encoding: 'utf8',
      timeout: LIMIT,
      env: { ...environment, ...(build === undefined ? {} : { CAISSON: build.program }) },
    });
    // TAP has a backslash before a number sign.
    const name = escaped(test.replace(/[\\#]/g, '\\$&'));
    const line = new RegExp(`^ *(ok|not ok) \\d+ - ${name}(?: # (SKIP).*)?$`, 'm').exec(stdout);
    if (line === null) return `does not run: ${`${stdout}\n${stderr}`.slice(-600)}`;
    if (line[2] !== undefined) return 'is skipped';
    return line[1] === 'ok' ? 'passes' : 'fails';
  } finally {
    build?.remove();
  }
}
