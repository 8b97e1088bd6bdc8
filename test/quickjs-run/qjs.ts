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

function run(program: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`);
}

/** The words that run `name` (without `.ts`), to which its arguments are added. */
export function engineCommand({ directory }: Harness, name: string): string[] {
  const [script, module] = [`${directory}/${name}.mjs`, `${directory}/${name}.module`];
  const source = `${ROOT}/test/quickjs-run/${name}.ts`;
  run(bunPath(), ['build', source, '--target=browser', '--format=esm', `--outfile=${script}`]);
  run(`${ROOT}/build/quickjs/compile`, [script, module]);
  const [engine = '', ...carried] = ['quickjs/engine', 'launcher', 'init'].map(
    (file) => `${ROOT}/build/${file}`,
  );
  return [engine, module, ...carried, '--'];
}
