// The C programs build without warnings with every compiler at hand, and hold what they promise about themselves.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { compile, FREESTANDING, root, withDirectory } from './programs.ts';

const COMPILERS = [
  'gcc',
  'musl-gcc',
  process.arch === 'arm64' ? 'x86_64-linux-gnu-gcc' : 'aarch64-linux-gnu-gcc',
];
const LINES = { launcher: 250, init: 200 } as const;
const names = Object.keys(LINES) as (keyof typeof LINES)[];

for (const compiler of COMPILERS) {
  const absent = spawnSync(compiler, ['--version'], { stdio: 'ignore' }).status !== 0;
  test(
    `${compiler} builds both without warnings and without a C library`,
    { skip: absent ? 'compiler is absent' : false },
    () =>
      withDirectory((directory) => {
        for (const name of names) {
          const output = join(directory, name);
          assert.deepEqual(compile(compiler, [...FREESTANDING, '-o', output, `launcher/${name}.c`]), {
            status: 0,
            output: '',
          });
          // A copy is charged to the container's cgroup and made at every start; a C library has 500 kB and more.
          const { size } = statSync(output);
          assert.ok(size < 72_000, `${name} has ${size} bytes`);
        }
      }),
  );
}

test('the static analyzer finds nothing', () => {
  for (const name of names) {
    const args = [
      '-fanalyzer',
      '-O1',
      '-std=c11',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-c',
      '-o',
      '/dev/null',
      `launcher/${name}.c`,
    ];
    assert.deepEqual(compile('gcc', args), { status: 0, output: '' }, name);
  }
});

test('the analyzer would find something', () =>
  withDirectory((directory) => {
    const args = ['-fanalyzer', '-O1', '-Werror', '-x', 'c', '-c', '-o', join(directory, 'x'), '-'];
    const code = '#include <stdlib.h>\nint f(void) { int *p = malloc(4); free(p); return *p; }\n';
    assert.notEqual(spawnSync('gcc', args, { input: code }).status, 0);
  }));

test('the sources keep their budgets and use no C library', () => {
  for (const name of names) {
    const source = readFileSync(join(root, `launcher/${name}.c`), 'utf8');
    assert.ok(source.split('\n').length - 1 <= LINES[name], name);
    assert.doesNotMatch(source, /\b(malloc|calloc|alloca|printf|strlen|memcpy|memset)\s*\(/);
  }
});
