// Set-up: from a fresh clone on Debian to a compiled `dist/caisson`, and again in a moment when nothing changed.
//
//   node scripts/setup.mjs run     what `npm start` needs
//   node scripts/setup.mjs test    what the tests need, too
//
// Plain Node 20 without any dependency: this runs before `npm ci`.

import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installPackages, makeTestUser } from './debian.mjs';
import { makeQuickjsExecutable, OCI_RUNTIME, QUICK } from './oci-executable.mjs';
import {
  asProgram,
  bunPath,
  filesBelow,
  findProgram,
  outputOf,
  root,
  run,
  stage,
  timed,
  withLock,
} from './stage.mjs';

const SOURCE_FOLDERS = ['src', 'test', 'bench', 'scripts'];
const ENTRY = 'src/cli/main.ts';

/** C programs: source below launcher/ and what it becomes. */
const PROGRAMS = ['launcher', 'init', 'monitor'];
// They bring their own _start and use no library, so that gcc and musl-gcc make the same program.
const WARNINGS = ['-Os', '-std=c11', '-Wall', '-Wextra', '-Werror', '-ffreestanding', '-fno-stack-protector'];
const LINKING = [
  ...['-fno-asynchronous-unwind-tables', '-fno-tree-loop-distribute-patterns', '-static', '-nostdlib', '-s'],
  ...['-ffunction-sections', '-fdata-sections', '-Wl,--gc-sections', '-Wl,--build-id=none'],
];

/**
 * Brings everything up to date for group `run` or `test`. Idempotent; several may run at once.
 * @param {'run' | 'test'} group
 */
export function setUp(group) {
  mkdirSync(join(root, 'build'), { recursive: true });
  withLock(join(root, 'build', '.setup.lock'), () => {
    installPackages(group);
    installModules('.', []);
    if (group === 'test') installModules('test/node24', ['--no-bin-links']);
    if (group === 'test') makeTestUser();
    compilePrograms(group);
    if (group === 'test') compileTypeScript();
    try {
      compileExecutable();
      compileQuickExecutables();
    } catch (error) {
      // Tests that need no executable still tell something.
      if (group !== 'test') throw error;
      process.stderr.write(`setup: ${error.message}; going on without\n`);
    }
  });
}

/** Path of the Node 24 that test/node24/package.json pins, or null where there is none for this machine. */
export function node24Path() {
  const path = join(root, 'test/node24/node_modules', `node-linux-${process.arch}`, 'bin/node');
  return existsSync(path) ? path : null;
}

function installModules(directory, options) {
  if (!existsSync(join(root, directory, 'package-lock.json')) || modulesAreCurrent(directory)) return;
  const quiet = ['--no-fund', '--no-audit', '--loglevel=error'];
  timed(`npm packages of ${directory}`, () =>
    run('npm', ['ci', ...quiet, ...options], {
      cwd: join(root, directory),
      stdio: ['ignore', 'ignore', 'inherit'],
    }),
  );
}

// npm writes what it installed into node_modules/.package-lock.json; packages for other machines are not in it.
function modulesAreCurrent(directory) {
  const installedFile = join(root, directory, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(root, directory, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === '') return true;
    return installed[path] === undefined ? optional === true : installed[path].version === version;
  });
}

function compilePrograms(group) {
  const headers = filesBelow('launcher', /\.h$/);
  for (const name of PROGRAMS) {
    const source = `launcher/${name}.c`;
    if (!existsSync(join(root, source))) continue;
    for (const { compiler, suffix } of compilers(group)) {
      const output = `build/${name}${suffix}`;
      const args = [...WARNINGS, ...LINKING, '-o', output, source];
      stage({
        name: `${compiler} ${output}`.replaceAll('/', '-'),
        inputs: [...args, { file: source }, ...headers.map((file) => ({ file }))],
        outputs: [output],
        action: () => run(compiler, args),
      });
    }
  }
}

// The other processor's variant is made for the tests only, where its compiler is at hand.
function compilers(group) {
  const found = [{ compiler: 'gcc', suffix: '' }];
  const foreign = process.arch === 'arm64' ? 'x86_64' : 'aarch64';
  if (group === 'test' && findProgram(`${foreign}-linux-gnu-gcc`))
    found.push({ compiler: `${foreign}-linux-gnu-gcc`, suffix: `-${foreign}` });
  return found;
}

function asInputs(...lists) {
  return lists.flat().map((file) => ({ file }));
}

function compileTypeScript() {
  const sources = SOURCE_FOLDERS.flatMap((directory) =>
    filesBelow(directory, /\.ts$/).filter((file) => !file.includes('/node_modules/')),
  );
  stage({
    name: 'TypeScript',
    inputs: asInputs(sources, ['tsconfig.json', 'package-lock.json']),
    outputs: ['build/src'],
    action: () => {
      // JavaScript comes out in spite of type errors; those are the check's to report.
      const report = outputOf('sh', ['-c', 'node_modules/.bin/tsc -p tsconfig.json 2>&1 || true']);
      if (report) process.stderr.write(`${report}\n`);
      removeStale();
    },
  });
}

// What was compiled from a source that is gone would still be run as a test.
function removeStale() {
  for (const directory of SOURCE_FOLDERS) {
    for (const file of filesBelow(`build/${directory}`, /\.js$/)) {
      const source = file.replace(/^build\//, '').replace(/\.js$/, '.ts');
      if (!existsSync(join(root, source))) rmSync(join(root, file));
    }
  }
}

function compileExecutable() {
  if (!existsSync(join(root, ENTRY))) {
    process.stderr.write(`setup: no ${ENTRY} yet, so no dist/caisson-bun\n`);
    return;
  }
  const sources = filesBelow('src', /\.(ts|json)$/).filter((file) => !/\.test\.ts$/.test(file));
  const args = [
    'build',
    '--compile',
    '--minify',
    '--bytecode',
    '--format=esm',
    // A start runs its code once: compiling it to machine code costs more than it gains (measured: 10 ms).
    '--compile-jit-policy=200',
    // Files of the current directory must not configure a program that runs as root; not looking spares 0.8 ms.
    '--no-compile-autoload-dotenv',
    '--no-compile-autoload-bunfig',
    // In chunks, so that a command loads what it uses and nothing else.
    '--splitting',
    // Each chunk costs 0.1 ms to load, so that small ones are folded into larger ones.
    '--min-chunk-size=65536',
    ENTRY,
    '--outfile',
    'dist/caisson-bun',
  ];
  stage({
    name: 'dist-caisson-bun',
    inputs: [
      ...args,
      ...asInputs(sources, ['package-lock.json', 'build/launcher', 'build/init', 'build/monitor']),
    ],
    outputs: ['dist/caisson-bun'],
    action: () => {
      for (const name of PROGRAMS) {
        const program = readFileSync(join(root, 'build', name));
        writeFileSync(join(root, 'build', `${name}.base64`), program.toString('base64'));
      }
      run(bunPath(), args, { stdio: ['ignore', 'ignore', 'inherit'] });
    },
  });
}

// Where QuickJS cannot be had, the Bun executable does the same under their names, more slowly.
function compileQuickExecutables() {
  for (const program of [OCI_RUNTIME, QUICK]) {
    const path = join(root, 'dist', program.name);
    const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
    if (isLink) rmSync(path);
    try {
      makeQuickjsExecutable(bunPath(), program);
    } catch (error) {
      process.stderr.write(`setup: dist/${program.name} is dist/caisson-bun: ${error.message}\n`);
      rmSync(path, { force: true });
      symlinkSync('caisson-bun', path);
    }
  }
}

await asProgram(import.meta.url, ([group = 'run']) => {
  if (group !== 'run' && group !== 'test') throw new Error(`unknown group ${group}: run or test`);
  const start = performance.now();
  setUp(group);
  process.stderr.write(`setup: in place after ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
});
