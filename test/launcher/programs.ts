// The C programs under test: built when build/ lacks them, and the stub build with sanitizers.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository: this file runs from test/launcher/ and from build/test/launcher/. */
export const root = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(from: string): string {
  return existsSync(join(from, 'launcher/launcher.c')) ? from : findRoot(dirname(from));
}

/** How a program without a C library is built, with gcc and musl-gcc alike, whatever their start-up code is. */
export const FREESTANDING = [
  ...['-Os', '-std=c11', '-Wall', '-Wextra', '-Werror', '-static', '-nostdlib', '-ffreestanding'],
  ...['-fno-stack-protector', '-fno-asynchronous-unwind-tables', '-fno-tree-loop-distribute-patterns'],
  '-Wl,--build-id=none',
];

/** The path of build/NAME, built now if set-up has not done it. */
export function program(name: 'launcher' | 'init'): string {
  const path = join(root, 'build', name);
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true });
    execFileSync('gcc', [...FREESTANDING, '-o', path, join(root, `launcher/${name}.c`)]);
  }
  return path;
}

/** A compiler's verdict: its exit status and what it said. */
export function compile(compiler: string, args: readonly string[]): { status: number; output: string } {
  const { status, stdout, stderr, error } = spawnSync(compiler, args, { cwd: root, encoding: 'utf8' });
  if (error) throw error;
  return { status: status ?? 1, output: stdout + stderr };
}

/** Builds test/launcher/fuzz.c around `source` (the player, or a broken copy of it). */
export function buildHarness(output: string, source = join(root, 'launcher/launcher.c')): void {
  const built = compile('gcc', [
    ...[
      '-std=gnu11',
      '-g',
      '-O1',
      '-fsanitize=address,undefined',
      '-fno-sanitize-recover=all',
      '-DCAISSON_STUB',
    ],
    ...[`-DLAUNCHER="${source}"`, `-I${join(root, 'launcher')}`, '-o', output, 'test/launcher/fuzz.c'],
  ]);
  if (built.status !== 0) throw new Error(built.output);
}

/** Calls `use` with a directory that is gone afterwards. */
export async function withDirectory<T>(use: (directory: string) => T | Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'caisson-launcher-'));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
