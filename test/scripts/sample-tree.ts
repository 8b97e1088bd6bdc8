// Runs one of the project's own scripts on a small tree of files that a test makes.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** The repository; tests run with it as their working directory. */
const ROOT = process.cwd();

/** Exit status and lines of output of `scripts/<script>` on a tree with these files. */
export function inSampleTree(script: string, files: Readonly<Record<string, string>>) {
  const directory = mkdtempSync(join(tmpdir(), 'caisson-sample-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      writeFileSync(join(directory, name), text);
    }
    const run = spawnSync(process.execPath, [join(ROOT, 'scripts', script), directory], { encoding: 'utf8' });
    return { status: run.status, lines: run.stdout.split('\n').filter((line) => line !== '') };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
