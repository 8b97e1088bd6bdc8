// T30, T32: a directory of a volume is exchanged for a link to the host while files are copied (CVE-2018-15664,
// CVE-2019-10152, CVE-2026-41568). A build without the walls shows that the attack would work.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { type Patch, patchedBuild } from '../attack/patched-build.ts';
import { attackProgram, REPOSITORY } from '../attack/programs.ts';
import { skip } from '../harness/caisson.ts';
import { busyboxLayer, oldArchive } from '../images/image.ts';
import { World } from '../images/world.ts';

/** In and out each. */
const ROUNDS = process.env.CAISSON_LONG === '1' ? 5000 : 150;

/** Paths of a container are looked up from its root's descriptor as the host would, without being confined to it. */
const NO_WALLS: readonly Patch[] = [
  {
    file: 'src/engine/containers/files.ts',
    fragment: 'const how = { confine: true, fresh: false };',
    replacement: 'const how = { confine: false, fresh: false };',
  },
  {
    file: 'src/engine/containers/lookup.ts',
    fragment: 'return new Lookup(conversation, arch, root, IN_ROOT);',
    replacement: 'void IN_ROOT; return new Lookup(conversation, arch, root, 0);',
  },
  {
    file: 'src/engine/containers/lookup.ts',
    fragment: 'calls.openat2(this.root, path, flags, this.resolve, { result: FILE, tolerate: ABSENT });',
    replacement:
      "calls.openat2(this.root, this.root < 0 ? path : path.slice(1) || '.', flags, this.resolve, { result: FILE, tolerate: ABSENT });",
  },
  {
    file: 'src/engine/containers/lookup.ts',
    fragment: 'calls.openat2(this.root, path, flags, this.resolve, { result })',
    replacement:
      "calls.openat2(this.root, this.root < 0 ? path : path.slice(1) || '.', flags, this.resolve, { result })",
  },
];

test('cp while a directory of a volume is exchanged for a link to the host', { skip }, async (t) => {
  const world = new World();
  let swapper: ChildProcess | undefined;
  after(() => {
    swapper?.kill('SIGKILL');
    world.call(['rm', '-f', 'runs']);
    world.close();
  });
  const archive = oldArchive({ name: 'base:1', layers: [busyboxLayer(world.directory)] });
  world.output(['load', '-q', '-i', world.file('base.tar', archive)]);
  const [shared, canary] = [`${world.directory}/shared`, `${world.directory}/canary`];
  for (const path of [shared, canary, `${shared}/place`]) mkdirSync(path);
  writeFileSync(`${canary}/secret`, 'of the host\n');
  writeFileSync(`${shared}/place/secret`, 'of the container\n');
  symlinkSync(canary, `${shared}/trick`);
  world.output(['run', '-d', '--name', 'runs', '-v', `${shared}:/shared`, 'base:1', 'sleep', '1000']);
  const given = world.file('given', 'given\n');
  swapper = spawn(attackProgram('probe'), ['swap', `${shared}/place`, `${shared}/trick`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => swapper?.stdout?.once('data', resolve));

  /** What reached the host, or came from it, in so many rounds at most. */
  const attack = (program: string, rounds: number) => {
    const cp = (...args: string[]) => {
      const env = { ...process.env, CAISSON_DATA_ROOT: world.dataRoot };
      return spawnSync(program, world.harness.commandLine(['cp', ...args]).slice(1), {
        env,
        timeout: 20_000,
      });
    };
    let done = 0;
    for (let round = 0; round < rounds; round++) {
      const into = cp(given, 'runs:/shared/place/given');
      const out = cp('runs:/shared/place/secret', '-');
      done += Number(into.status === 0) + Number(out.status === 0);
      if (out.stdout.includes('of the host')) return { escaped: 'out', done };
      if (readdirSync(canary).length > 1) return { escaped: 'in', done };
    }
    return { escaped: undefined, done };
  };

  await t.test('nothing is read or written outside', () => {
    const { escaped, done } = attack(`${REPOSITORY}/dist/caisson`, ROUNDS);
    assert.equal(escaped, undefined);
    assert.ok(done > 0, 'some copies found the directory');
    assert.equal(readFileSync(`${canary}/secret`, 'utf8'), 'of the host\n');
  });

  await t.test('without the walls it is', () => {
    const broken = patchedBuild(NO_WALLS);
    try {
      assert.notEqual(attack(broken.program, 100).escaped, undefined);
    } finally {
      broken.remove();
    }
  });
});
