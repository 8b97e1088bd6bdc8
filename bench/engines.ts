// caisson, docker and podman side by side: each with the image of the drop-in tests, podman in a room with crun, the others with runc.
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { Docker } from '../test/dropin/docker.ts';
import { IMAGE, writeImage } from '../test/dropin/image.ts';
import { peersRoot } from '../test/dropin/peers-root.ts';
import { Podman } from '../test/dropin/podman.ts';
import type { Room, RunOptions } from '../test/dropin/room.ts';
import { RUNTIMES, type Runtime } from '../test/dropin/runtimes.ts';
import type { Series } from './figures.ts';

export type EngineName = 'caisson' | 'docker' | 'podman';

/** podman's own choice, and quicker than runc. */
const CRUN: Runtime = {
  label: 'crun',
  name: 'crun',
  state: 'crun',
  source: () => `${peersRoot()}/usr/bin/crun`,
};

/** One of the three: its command line, and the room that it runs in. */
export interface BenchEngine {
  readonly name: EngineName;
  readonly room: Room;
  /** Program and first words, by absolute paths. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What a container that nobody waits for is kept by, as the host names the process. */
  readonly supervisor: string;
  readonly version: string;
}

export interface Timing {
  /** Milliseconds. */
  readonly wall: number;
  readonly processor: number;
}

/** The three engines, and what is measured with them. */
export class Engines {
  readonly all: readonly BenchEngine[];
  private readonly docker: Docker;
  private readonly podman: Podman;

  private constructor(docker: Docker, podman: Podman, all: readonly BenchEngine[]) {
    this.docker = docker;
    this.podman = podman;
    this.all = all;
  }

  static async open(): Promise<Engines> {
    const [runc] = RUNTIMES;
    if (runc === undefined) throw new Error('runc is not there');
    const docker = await Docker.open(runc);
    const podman = await Podman.open(CRUN, 'root');
    // crun refuses the two versions side by side.
    await podman.room.output(['sh', '-c', 'umount -l /sys/fs/cgroup/unified || true']);
    const { directory } = docker.room;
    for (const name of ['caisson', 'caisson-bun']) copyFileSync(`dist/${name}`, `${directory}/${name}`);
    for (const room of [docker.room, podman.room])
      execFileSync('gcc', ['-O2', '-static', '-o', `${room.directory}/measure`, 'bench/measure.c']);
    const place = '/var/lib/caisson-dropin';
    const engines: Omit<BenchEngine, 'version'>[] = [
      {
        name: 'caisson',
        room: docker.room,
        words: [`${directory}/caisson`],
        env: { CAISSON_DATA_ROOT: `${place}/store` },
        supervisor: 'caisson-monitor',
      },
      {
        name: 'docker',
        room: docker.room,
        words: ['/usr/bin/docker'],
        env: { DOCKER_HOST: 'unix:///run/docker.sock' },
        supervisor: 'containerd-shim',
      },
      {
        name: 'podman',
        room: podman.room,
        words: ['/usr/bin/podman', '--runtime', podman.room.program],
        env: { PODMAN_IGNORE_CGROUPSV1_WARNING: '1' },
        supervisor: 'conmon',
      },
    ];
    const made = new Engines(docker, podman, []);
    const all: BenchEngine[] = [];
    for (const engine of engines) {
      const version = await made.said({ ...engine, version: '' }, ['--version']);
      all.push({ ...engine, version: version.split('\n')[0] ?? '' });
    }
    const file = `${directory}/image-of-caisson.tar`;
    writeImage(file);
    await made.said(all[0] as BenchEngine, ['load', '--quiet', '--input', file]);
    return new Engines(docker, podman, all);
  }

  get(name: EngineName): BenchEngine {
    return this.all.find((engine) => engine.name === name) as BenchEngine;
  }

  /** The output of a command, which must succeed. */
  async said(engine: BenchEngine, args: readonly string[], options: RunOptions = {}): Promise<string> {
    return engine.room.output([...engine.words, ...args], { seconds: 600, ...options, env: engine.env });
  }

  /** A shell script in the engine's room, in which `$E` is the engine; it must succeed. */
  async script(engine: BenchEngine, text: string): Promise<string> {
    const env = { ...engine.env, E: engine.words.join(' ') };
    return engine.room.output(['sh', '-e', '-c', text], { seconds: 900, env });
  }

  /** How long a command takes, measured in the room. Throws where it fails. */
  async time(engine: BenchEngine, args: readonly string[]): Promise<Timing> {
    const { room, words, env } = engine;
    const said = await room.output([`${room.directory}/measure`, ...words, ...args], { seconds: 600, env });
    const [wall = 0, user = 0, system = 0, ended = 1] = said.split(' ').map(Number);
    if (ended !== 0) throw new Error(`${engine.name} ${args.join(' ')} failed (${ended})`);
    return { wall: wall / 1e6, processor: (user + system) / 1e3 };
  }

  /** The same command with each of them in turn, after one round that does not count. */
  async interleave(
    what: string,
    rounds: number,
    args: (engine: BenchEngine) => readonly string[],
  ): Promise<Series[]> {
    const series = this.all.map(({ name }) => ({
      name: `${what}: ${name}`,
      what: `${name} ${args(this.get(name)).join(' ')}`.replace(/ [0-9a-f]{64}/, ' ID'),
      wall: [] as number[],
      processor: [] as number[],
    }));
    for (let round = -1; round < rounds; round++) {
      for (let i = 0; i < this.all.length; i++) {
        const at = (i + round + 1) % this.all.length;
        const engine = this.all[at] as BenchEngine;
        const { wall, processor } = await this.time(engine, args(engine));
        if (round < 0) continue;
        series[at]?.wall.push(wall);
        series[at]?.processor.push(processor);
      }
    }
    return series;
  }

  async close(): Promise<void> {
    await this.podman.room.close();
    await this.docker.close();
  }
}

export { IMAGE };
