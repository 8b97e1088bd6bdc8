// Programs that use the library: of an ordinary user, below a strange path, and interrupted half-way.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type Caller,
  Harness,
  ROOT,
  STRANGER,
  Started,
  rootOnly as skip,
  subordinateCaller,
} from '../harness/caisson.ts';

const own = fileURLToPath(import.meta.url);
/** Above this file: the repository for Bun, build/ for Node. */
const tree = own.replace(/\/test\/library\/[^/]+$/, '');
const suffix = own.slice(own.lastIndexOf('.'));
const build = existsSync(`${tree}/launcher`) && !existsSync(`${tree}/build`) ? tree : `${tree}/build`;

/** Prints how one run went: a script for /bin/sh in the root, flags as JSON. */
const PROGRAM = `
import { run } from './src/index${suffix}';
const [stateRoot, rootfs, script, flags = '{}'] = process.argv.slice(2);
const options = { stateRoot, flags: { rootfs, ...JSON.parse(flags) } };
try {
  console.log(JSON.stringify(await run({ command: ['/bin/sh', '-c', script], ...options })));
} catch (error) {
  console.log(JSON.stringify({ error: error.message, code: error.code }));
}
`;

/** A copy of the library where the caller can read it, and the caller's own root file system. */
class Installed {
  readonly harness: Harness;
  private readonly place: string;
  private readonly engine: string;

  constructor(caller: Caller, name = 'library') {
    this.harness = new Harness(caller);
    this.place = `${this.harness.directory}/${name}`;
    mkdirSync(`${this.place}/build`, { recursive: true });
    cpSync(`${tree}/src`, `${this.place}/src`, { recursive: true });
    for (const program of ['launcher', 'init'])
      copyFileSync(`${build}/${program}`, `${this.place}/build/${program}`);
    writeFileSync(`${this.place}/package.json`, '{ "type": "module" }');
    writeFileSync(`${this.place}/program${suffix}`, PROGRAM);
    this.engine = engineFor(caller, this.harness.directory);
  }

  start(script: string, flags: object = {}): ChildProcess {
    const { caller, directory, rootfs } = this.harness;
    const become = [
      '--reuid',
      String(caller.uid),
      '--regid',
      String(caller.gid),
      '--clear-groups',
      this.engine,
    ];
    const [program, words] = caller.uid === 0 ? [this.engine, []] : ['setpriv', become];
    const parent = caller.uid === 0 ? { cgroupParent: `/${this.harness.cgroup}` } : {};
    const input = [this.harness.state, rootfs, script, JSON.stringify({ ...parent, ...flags })];
    return spawn(program, [...words, `${this.place}/program${suffix}`, ...input], {
      cwd: directory,
      env: { PATH: '/usr/bin:/bin', HOME: directory },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** What `run` returned, or the error. */
  async run(script: string, flags?: object): Promise<Record<string, unknown>> {
    const { code, stdout, stderr } = await new Started(this.start(script, flags)).end();
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    return JSON.parse(Buffer.from(stdout, 'latin1').toString()) as Record<string, unknown>;
  }
}

/** This engine, or a copy that the caller may execute. */
function engineFor(caller: Caller, directory: string): string {
  const ids = ['--reuid', String(caller.uid), '--regid', String(caller.gid), '--clear-groups'];
  if (caller.uid === 0 || spawnSync('setpriv', [...ids, process.execPath, '--version']).status === 0)
    return process.execPath;
  accessSync(process.execPath, constants.R_OK);
  const copy = `${directory}/engine`;
  copyFileSync(process.execPath, copy);
  return copy;
}

const installed: Installed[] = [];
function install(caller: Caller, name?: string): Installed {
  const one = new Installed(caller, name);
  installed.push(one);
  return one;
}
after(() => {
  for (const { harness } of installed) harness.close();
});

test('an ordinary user without subordinate ids', { skip }, async () => {
  const library = install(STRANGER);
  const script = 'id -u; cat /proc/self/uid_map; hostname; touch /file; ls -ln /file; exit 3';
  const { exitCode, stdout, stderr } = await library.run(script, { hostname: 'mine' });
  assert.equal(exitCode, 3, String(stderr));
  const [id, map, host, file] = String(stdout).split('\n');
  assert.deepEqual([id, map?.trim().split(/ +/), host], ['0', ['0', String(STRANGER.uid), '1'], 'mine']);
  assert.match(file ?? '', / 0 +0 .*\/file$/);
  const refused = await library.run('true', { volume: ['/no/such:/data'] });
  assert.match(String(refused.error), /\/no\/such/);
});

const subordinate = subordinateCaller();

test('an ordinary user with subordinate ids', {
  skip: skip || (subordinate === undefined && 'set-up has made no such user'),
}, async () => {
  const { exitCode, stdout, stderr } = await install(subordinate ?? STRANGER).run(
    'wc -l < /proc/self/uid_map; touch /file; chown alice:staff /file; stat -c %u:%g /file',
  );
  assert.equal(exitCode, 0, String(stderr));
  assert.equal(stdout, '2\n1000:50\n');
});

test('a path with a space and more in it', { skip }, async () => {
  const { stdout } = await install(ROOT, 'my library %20 ä').run('echo here');
  assert.equal(stdout, 'here\n');
});

/** Processes that sleep for so many seconds. */
function sleepers(seconds: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1') === `sleep\0${seconds}\0`;
    } catch {
      return false;
    }
  });
}

async function soon(holds: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 500; tries++) {
    if (holds()) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

for (const signal of ['SIGINT', 'SIGKILL'] as const) {
  test(`a program ends by ${signal} as it would without the library, and its container with it`, {
    skip,
  }, async () => {
    const seconds = `7654.${process.pid}`;
    const library = install(ROOT);
    const child = library.start(`exec sleep ${seconds}`);
    const ended = new Promise((resolve) => {
      child.once('close', (_code, by) => {
        resolve(by);
      });
    });
    assert.ok(await soon(() => sleepers(seconds).length === 1), 'it does not start');
    child.kill(signal);
    assert.equal(await ended, signal);
    assert.ok(await soon(() => sleepers(seconds).length === 0), 'the container lives on');
    // What nobody was there to take away.
    library.harness.caisson(['system', 'repair']);
    library.harness.assertNothingLeft();
  });
}
