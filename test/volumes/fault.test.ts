// What breaks while volumes are worked on: full disks (F05), commands that are killed (F17), many commands at once (F15).
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Started, skip } from '../harness/caisson.ts';
import { CALLERS } from '../images/callers.ts';
import { layer, type Member } from '../images/image.ts';
import { World } from '../images/world.ts';
import { type BrokenName, brokenBuild } from './broken.ts';

const long = process.env.CAISSON_LONG === '1';
const ROUNDS = long ? 300 : 3;
/** Against a broken build. */
const TRIES = 60;
const FILES = 300;

/** A store on a memory file system that is too small, in a mount namespace of its own: all of it is one script. */
function onFullDisk(world: World, script: string): string {
  const [program = '', ...words] = world.harness.commandLine(['volume']);
  const caisson = [program, ...words.slice(0, -1)].join(' ');
  const begin = `set -e; mkdir -p ${world.dataRoot}; mount -t tmpfs -o size=3m,mode=700 tmpfs ${world.dataRoot}; cd ${world.dataRoot}; C="${caisson}"`;
  const env = { ...process.env, CAISSON_DATA_ROOT: world.dataRoot, HOME: world.directory };
  const { stdout, stderr, status } = spawnSync('unshare', ['-m', 'sh', '-c', `${begin}\n${script}`], {
    encoding: 'utf8',
    env,
    timeout: 60_000,
  });
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  return stdout;
}

test('F05: a full disk leaves no part of a volume, and a new one is filled when there is room', {
  skip,
}, () => {
  const world = new World();
  try {
    const root = world.harness.makeRootfs();
    mkdirSync(`${root}/big`);
    for (let at = 0; at < 8; at++) writeFileSync(`${root}/big/${at}`, Buffer.alloc(1 << 20, 'x'));
    const run = `run --rm --cgroup-parent /${world.harness.cgroup} --rootfs ${root} -v filled:/big /bin/sh -c 'cat /big/* | wc -c'`;
    const script = [
      'set +e',
      `$C ${run}; echo code $?`,
      'ls -A volumes/filled; ls -A volumes/filled/_data | wc -l',
      '$C volume create other',
      'dd if=/dev/zero of=fill bs=4k 2>/dev/null',
      '$C volume create unmade; echo code $?; $C volume ls -q; ls -A volumes',
      `$C volume import other ${world.file('big.tar', layer(['f', 'y'.repeat(100_000)]))}; echo code $?`,
      '$C volume rm other; echo code $?',
      'rm fill',
      `mount -o remount,size=64m ${world.dataRoot}`,
      `$C ${run}; $C volume rm filled; ls -A volumes`,
    ].join('\n');
    const merged = onFullDisk(world, `exec 2>&1\n${script}`);
    assert.match(merged, /no space left on device \(ENOSPC\)/i);
    const lines = merged
      .split('\n')
      .filter((line) => /^(code|fresh|lock|volume\.json|_|\.|\d|filled|other|unmade)/.test(line));
    assert.deepEqual(lines, [
      ...['code 125', '_data', 'fresh', 'lock', 'volume.json', '0', 'other'],
      ...['code 1', 'filled', 'other', '.lock', 'filled', 'other', 'code 1', 'other', 'code 0'],
      ...[String(8 << 20), 'filled', '.lock'],
    ]);
    world.harness.lookAgain();
  } finally {
    world.close();
  }
});

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

for (const { who, caller, skip: why } of CALLERS) {
  if (why !== false) {
    test(`faults of ${who}`, { skip: why }, () => undefined);
    continue;
  }
  const world = new World(caller);
  after(() => {
    world.close();
  });
  const archive = layer(...Array.from({ length: FILES }, (_, at): Member => [`d${at % 20}/${at}`, 'x']));
  const file = world.file('many.tar', archive);
  /** Volumes, and what removals have left; what a maker has left who was killed goes after a minute. */
  const own = () =>
    readdirSync(`${world.dataRoot}/volumes`).filter((name) => name !== '.lock' && !name.startsWith('.new-'));

  /** Starts a command, of another build where one is given. */
  function start(args: readonly string[], program?: string): Started {
    if (program === undefined) return world.start(args);
    const [, ...words] = world.harness.commandLine(args);
    const env = { ...process.env, CAISSON_DATA_ROOT: world.dataRoot, HOME: world.directory };
    return new Started(spawn(program, words, { env }));
  }

  /** Kills a command somewhere. */
  async function killed(args: readonly string[], most: number, program?: string): Promise<void> {
    const started = start(args, program);
    await pause(Math.random() * most);
    started.kill('SIGKILL');
    await started.end();
  }

  /** What is wrong after removals that were killed. */
  async function removals(rounds: number, program?: string): Promise<string | undefined> {
    for (let round = 0; round < rounds; round++) {
      world.output(['volume', 'create', 'doomed']);
      world.output(['volume', 'import', 'doomed', file]);
      await killed(['volume', 'rm', 'doomed'], program === undefined ? 60 : 120, program);
      if (world.output(['volume', 'ls', '-q']) === 'doomed') {
        const listed = spawnSync('tar', ['-t'], { input: world.bytes(['volume', 'export', 'doomed']) });
        const count = listed.stdout.toString().split('\n').length;
        if (count !== FILES + 22) return `${count} names`;
        world.output(['volume', 'rm', 'doomed']);
      }
      world.output(['volume', 'prune', '-af']);
      if (own().length > 0) return own().join();
    }
    return undefined;
  }

  test(`${who}, F17: a removal that is killed leaves a volume, or none`, async () => {
    assert.equal(await removals(ROUNDS), undefined);
  });

  /** What is wrong after first containers that were killed. */
  async function filled(rounds: number, program?: string): Promise<string | undefined> {
    const root = world.harness.makeRootfs();
    mkdirSync(`${root}/many`);
    for (let at = 0; at < FILES; at++) writeFileSync(`${root}/many/${at}`, 'x');
    world.harness.own(`${root}/many`);
    for (let round = 0; round < rounds; round++) {
      const args = ['--rootfs', root, '-v', 'first:/many', '/bin/sh', '-c', 'ls /many | wc -l'];
      await killed(['run', '--rm', ...args], 120, program);
      const count = world.output(['run', '--rm', ...args]);
      world.output(['system', 'repair']);
      world.output(['volume', 'rm', 'first']);
      if (count !== String(FILES)) return `${count} files`;
    }
    return own().join() || undefined;
  }

  test(`${who}: a volume whose first container was killed while it was filled is as new`, async () => {
    assert.equal(await filled(ROUNDS), undefined);
    world.harness.lookAgain();
  });

  /** What goes wrong where several make the same volume and others look. */
  async function together(program?: string): Promise<string | undefined> {
    for (let round = 0; round < (program === undefined ? ROUNDS : TRIES); round++) {
      const commands = [
        ...Array.from({ length: 6 }, () => ['volume', 'create', '--label', 'x=1', 'same']),
        ...Array.from({ length: 3 }, () => ['volume', 'ls', '-q']),
      ];
      const all = commands.map((args) => start(args, program));
      for (const started of all) {
        const { code, stderr } = await started.end();
        if (code !== 0 || stderr !== '') return stderr;
      }
      if (own().join() !== 'same') return own().join();
      const removals = Array.from({ length: 3 }, () => world.start(['volume', 'rm', '-f', 'same']));
      for (const started of removals) assert.equal((await started.end()).code, 0);
      if (own().length > 0) return own().join();
    }
    return undefined;
  }

  test(`${who}, F15: of many that make or remove the same volume one does, and nobody sees half of one`, async () => {
    assert.equal(await together(), undefined);
  });

  if (caller.uid !== 0) continue;
  const broken: readonly (readonly [BrokenName, (program: string) => Promise<string | undefined>])[] = [
    ['volumes that appear before they are whole', together],
    ['a removal that does not take the name first', (program) => removals(TRIES, program)],
    ['a copy that is not made beside the volume', (program) => filled(TRIES, program)],
  ];
  for (const [name, run] of broken) {
    // They need many rounds.
    const later = !long && 'in the long round';
    test(`it is seen with ${name}`, { skip: later }, async () => {
      const build = brokenBuild(name);
      try {
        assert.notEqual(await run(build.program), undefined);
      } finally {
        build.remove();
        for (const volume of ['same', 'doomed', 'first'])
          spawnSync('rm', ['-rf', `${world.dataRoot}/volumes/${volume}`]);
        world.output(['volume', 'prune', '-af']);
        world.output(['system', 'repair']);
        world.harness.lookAgain();
      }
    });
  }
}
