// `npm run bench -- images [ROUNDS]`: pulls and builds of caisson beside podman and docker; bench/RESULTS-images.md.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join, resolve } from 'node:path';
import { Docker } from '../test/dropin/docker.ts';
import { IMAGE, writeImage } from '../test/dropin/image.ts';
import { peersRoot } from '../test/dropin/peers-root.ts';
import type { Job, Room } from '../test/dropin/room.ts';
import { RUNTIMES } from '../test/dropin/runtimes.ts';
import { type Bar, barLine, type Series, table } from './figures.ts';
import { Places } from './places.ts';

const REGISTRY = '127.0.0.1:5000';
const PULL_SECONDS = 300;
/** Files of the image of small files, and the bytes of each at most. */
const SMALL_FILES = 50_000;
const SMALL_SIZE = 2048;
/** Files that are added to the large image, whose own are large. */
const MORE_FILES = 6000;

interface Measured extends Series {
  readonly wall: number[];
  readonly processor: number[];
  /** Peak resident set of the program itself, KiB. */
  readonly memory: number[];
}

const series = (name: string, what: string): Measured => ({
  name,
  what,
  wall: [],
  processor: [],
  memory: [],
});

/** What is measured: a command in the room. */
interface Contestant {
  readonly series: Measured;
  /** `place` is that of `at`. */
  readonly command: (place: string) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where a new file system is mounted for each round; without it all rounds have the same store. */
  readonly at?: string;
  /** A daemon that lives in the place: stopped while that is exchanged. */
  readonly daemon?: Docker;
}

const STORE = '/var/lib/caisson-dropin/store';
const SEED = '/var/lib/caisson-dropin/seed';

class Bench {
  readonly docker: Docker;
  readonly room: Room;
  readonly places: Places;
  readonly caisson: string;
  private readonly measure: string;

  constructor(docker: Docker) {
    this.docker = docker;
    this.room = docker.room;
    this.places = new Places(docker.room);
    this.caisson = `${this.room.directory}/caisson`;
    this.measure = `${this.room.directory}/measure`;
    copyFileSync('dist/caisson', this.caisson);
    copyFileSync('dist/caisson-bun', `${this.caisson}-bun`);
    execFileSync('gcc', ['-O2', '-static', '-o', this.measure, 'bench/measure.c']);
  }

  async run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    return this.room.output(command, { seconds: PULL_SECONDS, env: { CAISSON_DATA_ROOT: STORE, ...env } });
  }

  /** A round that does not count has no `round` of 0 or more. */
  async once(contestant: Contestant, round: number): Promise<void> {
    const { series: into, command, env = {}, at } = contestant;
    if (at !== undefined) await this.exchange(contestant, () => this.places.make(at));
    await this.run(['sync']);
    const words = command(at ?? '');
    const said = await this.run([this.measure, ...words], env);
    const [wall = 0, user = 0, system = 0, ended = 1, memory = 0] = said.split(' ').map(Number);
    if (ended !== 0) throw new Error(`${words.join(' ')} failed (${ended})`);
    if (at !== undefined) await this.exchange(contestant, () => this.places.leave(at));
    if (round < 0) return;
    into.wall.push(wall / 1e6);
    into.processor.push((user + system) / 1e3);
    into.memory.push(memory);
  }

  private async exchange({ daemon }: Contestant, work: () => Promise<void>): Promise<void> {
    await daemon?.stop();
    await work();
    await daemon?.start();
    if (daemon !== undefined) await this.run(['sleep', '1']);
  }

  async rounds(contestants: readonly Contestant[], count: number, warm = 0): Promise<void> {
    for (let round = -warm; round < count; round++)
      for (let i = 0; i < contestants.length; i++)
        await this.once(contestants[(i + round + warm) % contestants.length] as Contestant, round);
  }
}

/** Debian's docker-registry in the room. */
function startRegistry(room: Room): Job {
  const [program, file] = ['registry', 'registry.json'].map((name) => join(room.directory, name)) as [
    string,
    string,
  ];
  copyFileSync('/usr/bin/docker-registry', program);
  const storage = { filesystem: { rootdirectory: '/var/lib/caisson-dropin/registry' } };
  const http = { addr: REGISTRY, secret: 'bench' };
  writeFileSync(file, JSON.stringify({ version: 0.1, log: { level: 'error' }, storage, http }));
  return room.start([program, 'serve', file], { seconds: 0, env: { OTEL_TRACES_EXPORTER: 'none' } });
}

/** Content that compresses by half, the same on every machine. */
function content(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = seed * 2654435761 + 1;
  for (let i = 0; i < size; i += 2) {
    state = (state * 1103515245 + 12345) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

function smallFiles(directory: string, count: number): void {
  for (let i = 0; i < count; i++) {
    if (i % 100 === 0) mkdirSync(join(directory, String(i / 100)), { recursive: true });
    writeFileSync(join(directory, String(Math.floor(i / 100)), String(i)), content(i % SMALL_SIZE, i));
  }
}

/** Two images in the registry: programs and libraries of Debian, and many small files. Nothing on a disk is deleted. */
async function makeImages(bench: Bench): Promise<void> {
  const { directory } = bench.room;
  const files = mkdtempSync('/dev/shm/caisson-bench-');
  try {
    smallFiles(join(files, 'more'), MORE_FILES);
    smallFiles(join(files, 'small'), SMALL_FILES);
    const large = ['usr/lib', 'usr/share', 'usr/bin', 'etc'];
    execFileSync('tar', [
      '-cf',
      join(directory, 'large.tar'),
      '-C',
      files,
      'more',
      '-C',
      peersRoot(),
      ...large,
    ]);
    execFileSync('tar', ['-cf', join(directory, 'small.tar'), '-C', files, 'small']);
  } finally {
    rmSync(files, { recursive: true });
  }
  const env = { CAISSON_DATA_ROOT: SEED };
  for (const name of ['large', 'small']) {
    const image = `${REGISTRY}/${name}:1`;
    await bench.run([bench.caisson, 'import', join(directory, `${name}.tar`), image], env);
    await bench.run([bench.caisson, 'push', image], env);
  }
}

function pulls(bench: Bench, name: string): Contestant[] {
  const image = `${REGISTRY}/${name}:1`;
  const at = '/var/lib/caisson-dropin/place';
  return [
    {
      series: series(`${name}: caisson`, 'caisson pull'),
      command: (place) => [bench.caisson, '--data-root', `${place}/store`, 'pull', '--quiet', image],
      at,
    },
    {
      series: series(`${name}: podman`, 'podman pull'),
      command: (place) => [
        ...['/usr/bin/podman', '--root', `${place}/root`, '--runroot', `${place}/run`],
        ...['--storage-driver', 'overlay', 'pull', '--quiet', '--tls-verify=false', image],
      ],
      at,
    },
    {
      series: series(`${name}: docker`, 'docker pull'),
      command: () => ['/usr/bin/docker', 'pull', '--quiet', image],
      env: { DOCKER_HOST: 'unix:///run/docker.sock' },
      at: '/var/lib/docker',
      daemon: bench.docker,
    },
  ];
}

const RUNS = Array.from({ length: 8 }, (_, index) => `RUN echo ${index} > /file-${index}`);

/** Eight trivial RUN and a COPY. */
function writeContext(directory: string): string {
  const context = join(directory, 'context');
  mkdirSync(context);
  writeFileSync(join(context, 'Dockerfile'), [`FROM ${IMAGE}`, ...RUNS, 'COPY given /given', ''].join('\n'));
  writeFileSync(join(context, 'given'), 'given\n');
  return context;
}

function builds(bench: Bench, context: string, cached: boolean): Contestant[] {
  const how = cached ? 'cached' : 'built';
  const flags = cached ? [] : ['--no-cache'];
  const docker = (kit: string) => ({
    command: () => [
      '/usr/bin/docker',
      'build',
      '--quiet',
      '--tag',
      `bench-${kit}`,
      '--network',
      'none',
      ...flags,
      context,
    ],
    env: { DOCKER_HOST: 'unix:///run/docker.sock', DOCKER_BUILDKIT: kit },
  });
  return [
    {
      series: series(`${how}: caisson`, 'caisson build'),
      command: () => [
        bench.caisson,
        'build',
        '--quiet',
        '--tag',
        'bench',
        '--network',
        'none',
        ...flags,
        context,
      ],
      env: { CAISSON_DATA_ROOT: STORE },
    },
    { series: series(`${how}: BuildKit`, 'docker build'), ...docker('1') },
    { series: series(`${how}: classic`, 'docker build, DOCKER_BUILDKIT=0'), ...docker('0') },
  ];
}

const BARS: readonly Bar[] = [
  { name: 'large: caisson', of: 'large: podman', most: 0.6 },
  { name: 'large: caisson', of: 'large: docker', most: 0.45 },
  { name: 'small: caisson', of: 'small: podman', most: 0.7 },
  { name: 'built: caisson', of: 'built: BuildKit', most: 0.3 },
  { name: 'cached: caisson', of: 'cached: classic', most: 1 },
];
/** KiB that a pull may take, whatever the size of a layer. */
const MEMORY = 150 << 10;

function page(groups: readonly (readonly Contestant[])[], versions: string): string {
  const all = groups.map((group) => group.map((one) => one.series));
  const tables = all.map((group) => table(group, group[1]?.name ?? ''));
  const mine = all.map(([first]) => first as Measured).slice(0, 2);
  const memory = mine.map(({ name, memory: used }) => {
    const most = Math.max(...used);
    return `* ${name}: at most ${Math.round(most / 1024)} MiB resident, at most ${MEMORY >> 10}: ${most <= MEMORY ? 'kept' : '**missed**'}`;
  });
  const rounds = all.map((group) => group[0]?.wall.length ?? 0).join(', ');
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  return [
    '# Results of `npm run bench -- images`',
    '',
    `${new Date().toISOString().slice(0, 10)}, commit ${commit}, rounds ${rounds}, every program once per round, in turn.`,
    `${cpus().length} processors (${cpus()[0]?.model.trim()}), Linux ${release()}; ${versions}.`,
    '',
    'The registry is Debian 12 docker-registry on loopback. Each pull has a file system of its own, a new ext4 with a journal',
    'in a new file behind a loop device; nothing is deleted before or between. `large` is a layer of Debian',
    'programs and libraries, `small` one of 50,000 files of up to 2 KiB; stores are cold, the page cache of the registry',
    'is not. What caisson has pulled is on the disk when it ends. A build is eight trivial RUN and a COPY on busybox.',
    '',
    ...tables.flatMap((text) => [text, '']),
    ...BARS.map((bar) => barLine(bar, all.flat())),
    ...memory,
    '',
  ].join('\n');
}

async function main(): Promise<void> {
  const rounds = Number(process.argv[2] ?? 3);
  const [runc] = RUNTIMES;
  if (runc === undefined) throw new Error('runc is not there');
  const docker = await Docker.open(runc);
  try {
    const bench = new Bench(docker);
    startRegistry(bench.room);
    await bench.run(['sleep', '1']);
    await makeImages(bench);
    const groups = [pulls(bench, 'large'), pulls(bench, 'small')];
    for (const group of groups) await bench.rounds(group, rounds, 1);
    const archive = join(bench.room.directory, 'image-again.tar');
    writeImage(archive);
    await bench.run([bench.caisson, 'load', '--input', archive]);
    const context = writeContext(bench.room.directory);
    const [built, cached] = [builds(bench, context, false), builds(bench, context, true)];
    await bench.rounds(built, 3 * rounds, 1);
    await bench.rounds(cached, 6 * rounds, 1);
    const versions = `${await bench.run(['podman', '--version'])}; ${await bench.run(['docker', '--version'])}`;
    const text = page([...groups, built, cached], versions);
    process.stdout.write(text);
    writeFileSync(resolve('bench/RESULTS-images.md'), text);
  } finally {
    await docker.close();
  }
}

await main();
