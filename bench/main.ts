// `npm run bench [ROUNDS]`: every program once per round, in turn, on the same root file system; bench/RESULTS.md.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { Calm } from './calm.ts';
import { type Contestant, runs, starts } from './contestants.ts';
import { type Bar, barLine, type Series, table } from './figures.ts';
import {
  type CommandTimes,
  commandSeries,
  commandTable,
  measureCommands,
  measureMany,
  newTimes,
  OCI_BARS,
  plainRuns,
  runtimes,
} from './oci.ts';
import { BUN, makeSite, type Site } from './site.ts';
import { type WarmProgram, warmPrograms } from './warm.ts';

/** Milliseconds to wait for calm in all. */
const CALM_BUDGET = 90_000;
/** Runs of a warm program before anything counts. */
const WARM_UP = 40;
/** Containers that run at once. */
const MANY = 500;

interface Measurements {
  readonly runs: readonly Series[];
  readonly starts: readonly Series[];
  readonly warm: readonly Series[];
  /** `runc spec`'s bundle as it is, the commands one by one, many containers (issue 3). */
  readonly plain: readonly Series[];
  readonly commands: readonly CommandTimes[];
  readonly many: readonly Series[];
  /** Rounds before which nobody else used the machine. */
  readonly calmRounds: number;
}

interface Measured extends Series {
  readonly wall: number[];
  readonly processor: number[];
}

const newSeries = ({ name, what }: { name: string; what: string }): Measured => ({
  name,
  what,
  wall: [],
  processor: [],
});

function measureOnce(site: Site, contestant: Contestant, round: number, into: Measured): void {
  const id = `bench-${process.pid}-${round}-${contestant.name.replaceAll(/\W/g, '')}`;
  const words = contestant.command.map((word) =>
    word === 'ID' ? id : word === 'NAME' ? `round-${round}` : word,
  );
  const namespace = contestant.namespace === undefined ? [] : ['-m', contestant.namespace];
  site.renew(`round-${round}`);
  const { stdout, stderr, status } = spawnSync(site.measure, [...namespace, ...words], { encoding: 'utf8' });
  const [wall = 0, user = 0, system = 0, ended = 1] = stdout.trim().split(' ').map(Number);
  if (status !== 0 || ended !== 0) throw new Error(`${contestant.name} failed (${ended}): ${stderr.trim()}`);
  into.wall.push(wall / 1e6);
  into.processor.push((user + system) / 1e3);
}

function rotated<T>(list: readonly T[], by: number): T[] {
  const cut = by % list.length;
  return [...list.slice(cut), ...list.slice(0, cut)];
}

async function measureAll(site: Site, warm: readonly WarmProgram[], rounds: number): Promise<Measurements> {
  const cold = [...runs(site), ...starts(site), ...plainRuns(site)].map((contestant) => ({
    contestant,
    series: newSeries(contestant),
  }));
  const commands = runtimes(site).map((runtime) => ({ runtime, times: newTimes(runtime) }));
  const inside = warm.map((program) => ({
    program,
    series: newSeries({ name: program.name, what: 'in one process' }),
  }));
  site.renew('warm-up');
  for (let i = 0; i < WARM_UP; i++) for (const { program } of inside) await program.run();
  const calm = new Calm(CALM_BUDGET);
  let calmRounds = 0;
  // The first round fills caches and makes the cgroups above.
  for (let round = -1; round < rounds; round++) {
    if ((await calm.wait()) && round >= 0) calmRounds++;
    // In another order every time: what one program leaves behind in the kernel (RCU, caches) must not always meet the same.
    for (const { contestant, series } of rotated(cold, round + 1))
      measureOnce(site, contestant, round, round < 0 ? newSeries(series) : series);
    for (const { program, series } of inside) {
      site.renew(`round-${round}-${program.name.replaceAll(' ', '-')}`);
      const took = await program.run();
      if (round >= 0) series.wall.push(took / 1e6);
    }
    for (const { runtime, times } of rotated(commands, round + 1))
      await measureCommands(site, runtime, round, round < 0 ? newTimes(runtime) : times);
  }
  const of = (contestants: readonly Contestant[]) =>
    contestants.flatMap(({ name }) => cold.map(({ series }) => series).filter((one) => one.name === name));
  return {
    runs: of(runs(site)),
    starts: of(starts(site)),
    plain: of(plainRuns(site)),
    warm: inside.map(({ series }) => series),
    commands: commands.map(({ times }) => times),
    many: measureMany(site, MANY),
    calmRounds,
  };
}

/** The bars of issue 2; crun and runc are the newest. */
const BARS: readonly Bar[] = [
  { name: 'caisson', of: 'crun', most: 1.4 },
  { name: 'caisson', of: 'runc', most: 0.45 },
  { name: 'warm Bun', of: 'floor in C', most: 2 },
  { name: 'warm Node', of: 'floor in C', most: 2.8 },
  { name: 'caisson --version', of: 'empty', most: 1.3 },
];

/** Those of issue 5 that are measured here: a command in a sandbox is to take 1.5 times half of an exec of crun's. */
const SANDBOX_BARS: readonly Bar[] = ['Bun', 'Node'].flatMap((engine) => [
  { name: `place from a pool, ${engine}`, of: 'floor in C', most: 3 },
  { name: `run in a sandbox, ${engine}`, of: 'exec of crun', most: 0.75 },
]);

function versions(): string {
  const line = (command: string, args: readonly string[]): string =>
    (spawnSync(command, args, { encoding: 'utf8' }).stdout ?? '').split('\n')[0] ?? '';
  const peers = line('sh', [
    '-c',
    "node scripts/peers.mjs versions | grep -E '^(crun|runc) ' | paste -sd ' '",
  ]);
  const own = [
    `Bun ${line(BUN, ['--version'])}`,
    `Node ${process.versions.node}`,
    line('bwrap', ['--version']),
  ];
  return [...own, line('crun', ['--version']), line('runc', ['--version']), `newest: ${peers}`]
    .filter(Boolean)
    .join('; ');
}

function report(measured: Measurements, rounds: number): string {
  const { runs: cold, starts: empty, warm, plain, commands, many, calmRounds } = measured;
  const all = [...cold, ...empty, ...warm, ...plain, ...many, ...commandSeries(commands)];
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  return `# Results of \`npm run bench\`

${new Date().toISOString().slice(0, 10)}, commit ${commit}, ${rounds} rounds, every program once per round in turn.
${cpus().length} processors (${cpus()[0]?.model ?? 'unknown'}), Linux ${release()}; ${versions()}.

The bundle is \`runc spec\`'s with a static \`true\`, the namespaces pid, network, ipc, uts, mount and cgroup, cgroups in
every hierarchy, and caisson's default seccomp profile; its text changes before every run. A time is from before vfork
to after wait4, in bench/measure.c. The machine is shared: ${calmRounds} of the rounds began while nobody else used it.

## A container from start to end

${table(cold, 'crun')}

## A container out of a process that is warm

The floor does the same by plain system calls in C, without parsing, checks, records or messages (bench/floor.c).

${table(warm, 'floor in C')}

## A program that does nothing

${table(empty, 'empty')}

## The bars of issue 2

${BARS.map((bar) => barLine(bar, all)).join('\n')}

## The bars of issue 5 for sandboxes

${SANDBOX_BARS.map((bar) => barLine(bar, all)).join('\n')}

## The OCI runtime

\`runc spec\`'s bundle without a seccomp profile. Where nothing else is said, caisson-oci runs where crun runs: without
the tree of cgroup v2.

${table(plain, 'plain: crun')}

A container that sleeps, command by command; medians in milliseconds. A cycle is create, start, kill and delete.

${commandTable(commands)}

${MANY} containers that run at once, created one after the other: the first ${many[0]?.wall.length ?? 0} and the last.

${table(many, 'first create')}

## The bars of issue 3

${OCI_BARS.map((bar) => barLine(bar, all)).join('\n')}
`;
}

const rounds = Number(process.argv[2] ?? 40);
if (process.getuid?.() !== 0) throw new Error('the bench needs root: cgroups, and the peers');
const site = await makeSite();
const warm = warmPrograms(site);
try {
  const text = report(await measureAll(site, warm, rounds), rounds);
  writeFileSync('bench/RESULTS.md', text);
  process.stdout.write(text);
} finally {
  for (const program of warm) await program.close();
  site.close();
}
