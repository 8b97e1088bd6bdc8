// `npm run bench -- engine [ROUNDS]`: containers of caisson beside docker's and podman's; bench/RESULTS-engine.md.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { resolve } from 'node:path';
import { type Density, density, densityTable } from './density.ts';
import { type BenchEngine, Engines, IMAGE } from './engines.ts';
import { type Bar, barLine, type Series, table } from './figures.ts';
import { healthCost } from './health-cost.ts';
import { type Throughput, throughput, throughputTable } from './log-throughput.ts';

/** Containers of which `ps` makes a list, and those that caisson starts in the test of density. */
const LISTED = 500;
const MANY = 1000;
/** As many of each engine are compared: the others take minutes. */
const COMPARED = 100;
const MEGABYTES = 200;

const BARS: readonly Bar[] = [
  { name: 'run: caisson', of: 'run: podman', most: 0.12 },
  { name: 'run: caisson', of: 'run: docker', most: 0.09 },
  { name: 'exec: caisson', of: 'exec: docker', most: 0.12 },
  { name: 'exec: caisson', of: 'exec: podman', most: 0.12 },
  { name: 'ps: caisson', of: 'ps: podman', most: 0.3 },
];

async function latency(engines: Engines, rounds: number): Promise<Series[][]> {
  const run = await engines.interleave('run', rounds, () => [
    'run',
    '--rm',
    '--network',
    'none',
    IMAGE,
    'true',
  ]);
  const ids = new Map<string, string>();
  const sleeper = ['run', '--detach', '--network', 'none', IMAGE, 'sleep', '100000'];
  for (const engine of engines.all) ids.set(engine.name, await engines.said(engine, sleeper));
  const exec = await engines.interleave('exec', rounds, ({ name }) => ['exec', ids.get(name) ?? '', 'true']);
  for (const engine of engines.all) await fill(engines, engine);
  const ps = await engines.interleave('ps', Math.min(rounds, 15), () => ['ps', '--all']);
  for (const engine of engines.all) await empty(engines, engine);
  return [run, exec, ps];
}

async function fill(engines: Engines, engine: BenchEngine): Promise<void> {
  const create = `$E create --network none ${IMAGE} true`;
  await engines.script(engine, `for i in $(seq ${LISTED - 1}); do ${create} > /dev/null; done`);
}

async function empty(engines: Engines, engine: BenchEngine): Promise<void> {
  const flags = engine.name === 'podman' ? '--force --time 0' : '--force';
  await engines.script(engine, `$E rm ${flags} $($E ps --all --quiet) > /dev/null`);
}

function kept(what: string, holds: boolean): string {
  return `* ${what}: ${holds ? 'kept' : '**missed**'}`;
}

function densityBars([many, ...compared]: readonly Density[]): string[] {
  if (many === undefined) return [];
  const [mine, , podman] = compared;
  const ratio = many.last / many.first;
  return [
    kept(`${many.count} started in ${many.start.toFixed(1)} s, at most 40`, many.start <= 40),
    kept(`the last tenth takes ${ratio.toFixed(2)} of the first, at most 1.5`, ratio <= 1.5),
    kept(`removed in ${many.removal.toFixed(1)} s, at most 30`, many.removal <= 30),
    kept(
      `memory: ${Math.round(mine?.used ?? 0)} KiB each, at most podman's ${Math.round(podman?.used ?? 0)}`,
      (mine?.used ?? 0) <= (podman?.used ?? 0),
    ),
    kept(`the monitor: ${Math.round(many.supervisor)} KiB, at most 400`, many.supervisor <= 400),
  ];
}

function logBars(rows: readonly Throughput[]): string[] {
  const rate = (engine: string, driver: string) =>
    rows.find((row) => row.engine === engine && row.driver === driver)?.rate ?? Number.NaN;
  const json = rate('caisson', 'json-file') / rate('docker', 'json-file');
  const plain = rate('caisson', 'k8s-file') / rate('podman', 'k8s-file');
  return [
    kept(`json-file: ${json.toFixed(1)} times docker's, at least 5`, json >= 5),
    kept(`k8s-file: ${plain.toFixed(2)} times podman's, at least 1`, plain >= 1),
  ];
}

async function logs(engines: Engines): Promise<Throughput[]> {
  const [caisson, docker, podman] = [engines.get('caisson'), engines.get('docker'), engines.get('podman')];
  return [
    await throughput(engines, caisson, 'json-file', MEGABYTES),
    await throughput(engines, docker, 'json-file', MEGABYTES),
    await throughput(engines, caisson, 'k8s-file', MEGABYTES),
    await throughput(engines, podman, 'k8s-file', MEGABYTES),
  ];
}

async function main(): Promise<void> {
  const rounds = Number(process.argv[2] ?? 25);
  const engines = await Engines.open();
  try {
    const groups = await latency(engines, rounds);
    const written = await logs(engines);
    const crowds = [await density(engines, engines.get('caisson'), MANY)];
    for (const engine of engines.all) crowds.push(await density(engines, engine, COMPARED));
    const checks = await healthCost(engines, engines.get('caisson'));
    const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
    const text = [
      '# Results of `npm run bench -- engine`',
      '',
      `${new Date().toISOString().slice(0, 10)}, commit ${commit}, ${rounds} rounds, every program once per round, in turn.`,
      `${cpus().length} processors (${cpus()[0]?.model.trim()}), Linux ${release()}; ${engines.all.map(({ version }) => version).join('; ')}.`,
      '',
      'The same image (a static busybox) and no network everywhere; podman runs crun, docker runc. `ps` lists ' +
        `${LISTED} containers.`,
      '',
      ...groups.flatMap((group) => [table(group, group[2]?.name ?? ''), '']),
      ...BARS.map((bar) => barLine(bar, groups.flat())),
      '',
      `A container that writes ${MEGABYTES} MB in lines of 100 bytes, from \`run\` to the end of \`wait\`; every line is in the log.`,
      '',
      throughputTable(written),
      '',
      ...logBars(written),
      '',
      'Detached containers of a static `sleep`, started one after the other, removed by one command.',
      '',
      densityTable(crowds),
      '',
      ...densityBars(crowds),
      kept(
        `health checks of 100 containers every 10 s: ${(100 * checks).toFixed(1)} % of a core, at most 15`,
        checks <= 0.15,
      ),
      '',
    ].join('\n');
    process.stdout.write(text);
    writeFileSync(resolve('bench/RESULTS-engine.md'), text);
  } finally {
    await engines.close();
  }
}

await main();
