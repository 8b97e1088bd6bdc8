// The engine of dist/caisson-oci for tests: it loads a program of this folder, bundled, from its source.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Harness } from '../harness/caisson.ts';

const ROOT = process.cwd();

/** The Bun of package.json; its postinstall script need not have run. */
export function bunPath(): string {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x64';
  const inside = `${ROOT}/node_modules/@oven/bun-linux-${machine}/bin/bun`;
  return existsSync(inside) ? inside : `${ROOT}/node_modules/.bin/bun`;
}

/** The words that run `name` (without `.ts`), to which its arguments are added. */
export function engineCommand({ directory }: Harness, name: string): string[] {
  const script = `${directory}/${name}.mjs`;
  const source = `${ROOT}/test/quickjs-run/${name}.ts`;
  const args = ['build', source, '--target=browser', '--format=esm', `--outfile=${script}`];
  const { status, stderr, error } = spawnSync(bunPath(), args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`bun ${args.join(' ')}: ${error?.message ?? stderr}`);
  return [...['quickjs/engine', 'launcher', 'init'].map((file) => `${ROOT}/build/${file}`), script];
}
