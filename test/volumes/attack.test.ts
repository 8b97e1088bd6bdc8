// Attacks on volumes: a container, or an image, changes what is in one while the engine works there.
//
// T30 an export, T32 a directory of a volume, and its owner; T34 an import; T36 copy-up. Each is shown to succeed against
// a build without its defence.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { attackProgram } from '../attack/programs.ts';
import { Started } from '../harness/caisson.ts';
import { CALLERS } from '../images/callers.ts';
import { busyboxLayer, layer, type Member, oldArchive } from '../images/image.ts';
import { World } from '../images/world.ts';
import { type BrokenName, brokenBuild } from './broken.ts';

const long = process.env.CAISSON_LONG === '1';
/** Against a whole build, half of it for an ordinary user, and at most against a broken one. */
const ROUNDS = long ? 2000 : 16;
const TRIES = 400;

let names = 0;

/** One attack: what it found of the canary, `undefined` for nothing. */
type Attack = (scene: Scene) => Promise<string | undefined>;

/** One caller's world, with a canary on the host that nothing may touch or tell. */
class Scene {
  readonly world: World;
  readonly canary: string;
  readonly rounds: number;
  private readonly program: string | undefined;

  constructor(world: World, canary: string, rounds: number, program?: string) {
    this.world = world;
    this.canary = canary;
    this.rounds = rounds;
    this.program = program;
  }

  newName(): string {
    return `volume-${names++}`;
  }

  data(name: string): string {
    return `${this.world.dataRoot}/volumes/${name}/_data`;
  }

  /** With the build that is under attack. */
  call(args: readonly string[], input?: string): { code: number; stdout: string; stderr: string } {
    if (this.program === undefined) return this.world.call(args, input === undefined ? {} : { input });
    const [, ...words] = this.world.harness.commandLine(args);
    const { status, stdout, stderr } = spawnSync(this.program, words, {
      encoding: 'latin1',
      env: { ...process.env, CAISSON_DATA_ROOT: this.world.dataRoot, HOME: this.world.directory },
      ...(input === undefined ? {} : { input: Buffer.from(input, 'latin1') }),
      maxBuffer: 1 << 28,
    });
    return { code: status ?? 255, stdout, stderr };
  }

  start(args: readonly string[]): Started {
    if (this.program === undefined) return this.world.start(args);
    const [, ...words] = this.world.harness.commandLine(args);
    const env = { ...process.env, CAISSON_DATA_ROOT: this.world.dataRoot, HOME: this.world.directory };
    return new Started(spawn(this.program, words, { env }));
  }

  /** A new volume with a directory and a link to the canary that somebody exchanges, as quickly as can be. */
  async swapped(attack: (name: string) => string | undefined): Promise<string | undefined> {
    const name = this.newName();
    this.world.output(['volume', 'create', name]);
    const data = this.data(name);
    mkdirSync(`${data}/place`);
    writeFileSync(`${data}/place/inside`, 'inside');
    symlinkSync(this.canary, `${data}/trick`);
    this.world.harness.own(data);
    const swapper = new Started(spawn(attackProgram('probe'), ['swap', `${data}/place`, `${data}/trick`]));
    await swapper.untilPrinted('swapping');
    try {
      for (let round = 0; round < this.rounds; round++) {
        const found = attack(name);
        if (found !== undefined) return found;
      }
      return undefined;
    } finally {
      swapper.child.stdin?.end();
      assert.doesNotMatch((await swapper.end()).stderr, /renameat2/);
      this.world.output(['volume', 'rm', name]);
    }
  }
}

const SECRET = 'the canary sings';

const ATTACKS: readonly { readonly title: string; readonly broken: BrokenName; readonly run: Attack }[] = [
  {
    title: 'T30: an export while a directory is exchanged for a link (CVE-2023-0778)',
    broken: 'an export that follows links',
    run: (scene) =>
      scene.swapped((name) => {
        const { code, stdout, stderr } = scene.call(['volume', 'export', name]);
        assert.equal(code, 0, stderr);
        return stdout.includes(SECRET) ? 'the archive has the secret' : undefined;
      }),
  },
  {
    title: 'T32: a directory of a volume is exchanged for a link while it is mounted (CVE-2026-42306)',
    broken: 'a directory of a volume by its path',
    run: (scene) =>
      scene.swapped((name) => {
        const mount = `type=volume,src=${name},dst=/p,volume-subpath=place`;
        const { stdout } = scene.call([
          'run',
          '--rm',
          '--mount',
          mount,
          'seed:1',
          'cat',
          '/p/inside',
          '/p/secret',
        ]);
        return stdout.includes(SECRET) ? 'the container sees the secret' : undefined;
      }),
  },
  {
    title: 'T32: a directory is exchanged for a link while its owner is changed',
    broken: 'owners changed behind links',
    run: (scene) => {
      let ids = 0;
      const before = statSync(`${scene.canary}/secret`).uid;
      return scene.swapped((name) => {
        const user = String(1 + (ids++ % 2));
        scene.call(['run', '--rm', '-v', `${name}:/v:U`, '-u', user, 'seed:1', 'true']);
        const { uid } = statSync(`${scene.canary}/secret`);
        return uid === before ? undefined : `the canary belongs to ${uid}`;
      });
    },
  },
  {
    title: 'T34: an import where a container has planted links (CVE-2025-9566)',
    broken: 'an import that follows links',
    run: async (scene) => {
      const name = scene.newName();
      scene.world.output(['volume', 'create', name]);
      scene.call(['run', '--rm', '-v', `${name}:/v`, 'seed:1', 'ln', '-s', scene.canary, '/v/conf']);
      scene.call(['volume', 'import', name, '-'], layer(['conf/planted', 'x']).toString('latin1'));
      const planted = existsSync(`${scene.canary}/planted`);
      spawnSync('rm', ['-f', `${scene.canary}/planted`]);
      return planted ? 'there is a file in the canary' : undefined;
    },
  },
  {
    title: "T36: an image's link at the place of the volume leads to the host (CVE-2022-23648)",
    broken: 'a place in the image that is looked up on the host',
    run: async (scene) => {
      const name = scene.newName();
      scene.call(['run', '--rm', '-v', `${name}:/out`, 'link:1', 'true']);
      return readdirSync(scene.data(name)).includes('secret') ? 'the volume has the secret' : undefined;
    },
  },
  {
    title: 'T36: a volume that has files already (CVE-2020-1726)',
    broken: 'a copy into what is there',
    run: async (scene) => {
      const name = scene.newName();
      scene.world.output(['volume', 'create', name]);
      scene.call(['volume', 'import', name, '-'], layer(['mine', 'x']).toString('latin1'));
      scene.call(['run', '--rm', '-v', `${name}:/many`, 'seed:1', 'true']);
      const found = readdirSync(scene.data(name));
      return found.length === 1 && found[0] === 'mine' ? undefined : `the volume has ${found.length} names`;
    },
  },
  {
    title: 'T36: several first containers of a volume at once: one copies, all see everything',
    broken: 'first containers that do not wait',
    run: async (scene) => {
      for (let round = 0; round < Math.min(scene.rounds, 8); round++) {
        const name = scene.newName();
        const script = 'ls /many | wc -l; cat /many/299';
        const all = Array.from({ length: 4 }, () =>
          scene.start(['run', '--rm', '-v', `${name}:/many`, 'seed:1', 'sh', '-c', script]),
        );
        for (const started of all) {
          const { code, stdout, stderr } = await started.end();
          if (code !== 0 || stdout !== '300\n299\n') return `${code} ${stdout}${stderr}`;
        }
        if (round > 0 && scene.rounds <= ROUNDS && !long) break;
      }
      return undefined;
    },
  },
  {
    title: 'the removal of a volume that a container uses',
    broken: 'a removal that does not ask who uses it',
    run: async (scene) => {
      const name = scene.newName();
      const started = scene.start([
        'run',
        '--rm',
        '-v',
        `${name}:/v`,
        'seed:1',
        'sh',
        '-c',
        'echo ready; sleep 100',
      ]);
      await started.untilPrinted('ready');
      writeFileSync(`${scene.data(name)}/kept`, '');
      const { code } = scene.call(['volume', 'rm', name]);
      started.kill('SIGKILL');
      await started.end();
      scene.world.output(['system', 'repair']);
      return code === 0 ? 'it is removed' : undefined;
    },
  },
];

for (const { who, caller, skip } of CALLERS) {
  if (skip !== false) {
    test(`attacks on volumes of ${who}`, { skip }, () => undefined);
    continue;
  }
  const world = new World(caller);
  after(() => {
    world.close();
  });
  const canary = world.harness.makeDirectory('canary');
  writeFileSync(`${canary}/secret`, SECRET);
  world.harness.own(canary);
  const many = Array.from({ length: 300 }, (_, at): Member => [`many/${at}`, `${at}\n`]);
  const layers = [busyboxLayer(world.directory), layer(...many)];
  const link = layer([{ name: 'out', type: '2', linkName: canary }]);
  const archive = oldArchive({ name: 'seed:1', layers }, { name: 'link:1', layers: [...layers, link] });
  world.output(['load', '-q', '-i', world.file('images.tar', archive)]);

  for (const { title, broken, run } of ATTACKS) {
    test(`${who}: ${title}`, async () => {
      assert.equal(await run(new Scene(world, canary, caller.uid === 0 ? ROUNDS : ROUNDS >> 1)), undefined);
      world.harness.lookAgain();
    });
    // Once: the defences are the same code for both.
    if (caller.uid !== 0) continue;
    test(`it succeeds against ${broken}`, async () => {
      const build = brokenBuild(broken);
      try {
        const found = await run(new Scene(world, canary, TRIES, build.program));
        assert.notEqual(found, undefined);
      } finally {
        build.remove();
        spawnSync('chown', ['0:0', canary, `${canary}/secret`]);
        world.output(['system', 'repair']);
        world.output(['system', 'prune', '-f']);
        world.harness.lookAgain();
      }
    });
  }
}
