// The npm package: packed, installed into an empty project without network, and used on Node 20, Node 24 and Bun.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { rootOnly as skip } from '../harness/caisson.ts';

const root = process.cwd();
const project = mkdtempSync(`${tmpdir()}/caisson-package-`);
const state = `${project}/state`;
after(() => {
  rmSync(project, { recursive: true, force: true });
});

const NODE_24 = `${root}/test/node24/node_modules/node-linux-${process.arch}/bin/node`;
const ENGINES: readonly (readonly [string, string])[] = [
  ['the Node of the suite', process.execPath],
  ['Node 24', NODE_24],
  ['Bun', `${root}/node_modules/bun/bin/bun.exe`],
];

/** Each kind of call, and the program that makes it has nothing but the package. */
const PROGRAM = `
import { CaissonError, Sandbox, run } from 'caisson';
const stateRoot = process.argv[2];
const { stdout } = await run({ command: ['echo', 'hello'], stateRoot });
const sandbox = await Sandbox.create({ stateRoot });
const inside = await sandbox.run('cat; id -u', { input: 'in\\n' });
await sandbox.kill();
const wrong = await run({ command: ['true'], flags: { memory: 'x' }, stateRoot }).catch((error) => error);
console.log(JSON.stringify([stdout, inside.stdout, wrong instanceof CaissonError]));
`;

before(() => {
  if (skip !== false) return;
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', project], {
    encoding: 'utf8',
    cwd: root,
  });
  const file = packed.trim().split('\n').at(-1) ?? '';
  writeFileSync(`${project}/package.json`, '{ "name": "empty", "private": true, "type": "module" }');
  mkdirSync(`${project}/cache`);
  const offline = ['install', '--offline', '--no-audit', '--no-fund', '--cache', `${project}/cache`];
  execFileSync('npm', [...offline, `./${file}`], { cwd: project, stdio: ['ignore', 'ignore', 'inherit'] });
  writeFileSync(`${project}/program.mjs`, PROGRAM);
});

for (const [name, engine] of ENGINES) {
  const missing = skip || (!existsSync(engine) && `${engine} is not there`);
  test(`installed, on ${name}`, { skip: missing }, () => {
    const { stdout, stderr, status } = spawnSync(engine, ['program.mjs', state], {
      cwd: project,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), ['hello\n', 'in\n65534\n', true]);
    assert.deepEqual(readdirSync(state), []);
  });
}

test('the command of the package', { skip }, () => {
  const run = ['--runtime-root', state, 'run', '--rm', 'host', 'echo', 'by the command'];
  const bin = `${project}/node_modules/.bin/caisson`;
  const { stdout, stderr, status } = spawnSync(bin, run, { cwd: project, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.equal(stdout, 'by the command\n');
});

test('it holds programs for both processors, no test, and no script that is run when it is installed', {
  skip,
}, () => {
  const installed = `${project}/node_modules/caisson`;
  for (const arch of ['x64', 'arm64'])
    assert.deepEqual(readdirSync(`${installed}/build/programs/${arch}`), ['init', 'launcher', 'monitor']);
  const names = readdirSync(installed, { recursive: true, encoding: 'utf8' });
  assert.deepEqual(
    names.filter((file) => /\.test(ing)?\./.test(file)),
    [],
  );
  assert.ok(names.includes('build/src/index.d.ts'));
  for (const name of ['.', 'node_modules/fzstd', 'node_modules/smol-toml']) {
    const text = readFileSync(`${installed}/${name}/package.json`, 'utf8');
    const { scripts = {} } = JSON.parse(text) as { scripts?: Record<string, string> };
    assert.deepEqual(
      Object.keys(scripts).filter((script) => /install$/.test(script)),
      [],
    );
  }
});

test('programs that were changed are not run', { skip }, () => {
  appendFileSync(`${project}/node_modules/caisson/build/programs/${process.arch}/launcher`, '\0');
  const check = `import { run } from 'caisson'; await run({ command: ['true'] }).catch((error) => console.log(error.code, error.message));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', check], {
    cwd: project,
    encoding: 'utf8',
  });
  assert.match(stdout, /^EPROGRAMS .*launcher is not what was packed/);
});
