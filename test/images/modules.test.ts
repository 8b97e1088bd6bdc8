// What a command loads decides how long its start takes: nothing of images where no image of the store is asked for.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { skip } from '../harness/caisson.ts';

const MAIN = `${process.cwd()}/build/src/cli/main.js`;
const reason = skip || (!existsSync(MAIN) && 'not compiled');

/** Writes the address of every module that is loaded to a file. */
const HOOKS = `import { appendFileSync } from 'node:fs';
export async function load(url, context, next) { appendFileSync(process.env.LOADED, url + '\\n'); return next(url, context); }`;

/** The hooks, and which modules of Node's own have been loaded when the program ends. */
const REPORT = `import { register } from 'node:module';
register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(HOOKS)}));
process.on('exit', () => { process.stderr.write('LOADED ' + process.moduleLoadList.join(' ') + '\\n'); });`;

interface Loaded {
  /** Ours, as paths below build/src. */
  readonly modules: readonly string[];
  readonly builtins: readonly string[];
}

function loadedBy(args: readonly string[]): Loaded {
  const directory = mkdtempSync(`${tmpdir()}/caisson-modules-`);
  try {
    const file = `${directory}/loaded`;
    const env = { PATH: process.env.PATH, HOME: directory, LOADED: file };
    const report = `data:text/javascript,${encodeURIComponent(REPORT)}`;
    const options = { encoding: 'utf8', env } as const;
    const { status, stderr } = spawnSync(process.execPath, [`--import=${report}`, MAIN, ...args], options);
    assert.equal(status, 0, stderr);
    const urls = readFileSync(file, 'utf8').split('\n');
    const modules = urls
      .filter((url) => url.startsWith('file:'))
      .map((url) => fileURLToPath(url).split('/build/src/')[1] ?? '')
      .filter((path) => path !== '');
    const list = /^LOADED (.*)$/m.exec(stderr)?.[1]?.split(' NativeModule ') ?? [];
    return { modules, builtins: list.map((name) => name.trim()) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const FOREIGN = /^(?:image\/(?:store|layer|archive)|distribution|build|engine\/(?:images|build))\//;
const COMMANDS = /^cli\/(?:format|progress|image-shop|human|prompt)/;
/** What takes milliseconds to load. */
const HEAVY = ['http', 'https', 'http2', 'tls', 'zlib', '_http_client', '_tls_wrap'];

/** Command lines that need no store. */
const COMMAND_LINES = [
  ['--version'],
  ['--help'],
  ['run', '--rm', 'host', 'true'],
  ['plan', 'host', 'true'],
  ['oci', '--version'],
  ['version'],
];

for (const args of COMMAND_LINES) {
  test(`caisson ${args.join(' ')} loads nothing of images`, { skip: reason }, () => {
    const { modules, builtins } = loadedBy(args);
    assert.ok(modules.includes('cli/main.js'), 'the modules are told');
    assert.ok(builtins.includes('fs'), 'the builtins are told');
    assert.deepEqual(
      modules.filter((path) => FOREIGN.test(path) || COMMANDS.test(path)),
      [],
    );
    assert.deepEqual(
      builtins.filter((name) => HEAVY.includes(name)),
      [],
    );
  });
}

test('a list of images loads nothing of registries and builds', { skip: reason }, () => {
  const { modules, builtins } = loadedBy(['images']);
  assert.ok(modules.some((path) => path.startsWith('image/store/')));
  assert.deepEqual(
    modules.filter((path) => /^(?:distribution|build)\//.test(path)),
    [],
  );
  assert.deepEqual(
    builtins.filter((name) => ['http', 'https', 'tls', 'zlib'].includes(name)),
    [],
  );
});
