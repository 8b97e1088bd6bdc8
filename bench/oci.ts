// The commands of an OCI runtime one by one, on a container that sleeps, and many containers at once (issue 3's bars).
import { spawnSync } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Contestant } from './contestants.ts';
import { type Bar, median, type Series } from './figures.ts';
import type { Site } from './site.ts';

export const COMMANDS = ['create', 'state', 'start', 'exec', 'kill', 'delete'] as const;
export type Command = (typeof COMMANDS)[number];

/** A runtime: how it is called, and in which mount namespace. */
export interface Runtime {
  readonly name: string;
  readonly program: string;
  readonly namespace?: string;
}

const CAISSON = resolve('dist/caisson-oci');

/** Those that are compared; crun needs a place without the second tree of cgroups, and so all have it. */
export function runtimes({ v1, peers }: Site): Runtime[] {
  const all: Runtime[] = [
    { name: 'caisson-oci', program: CAISSON, namespace: v1 },
    { name: 'crun', program: '/usr/bin/crun', namespace: peers },
    { name: 'crun 12', program: '/usr/bin/crun', namespace: v1 },
    { name: 'runc', program: '/usr/sbin/runc', namespace: peers },
  ];
  return all.filter(({ program, namespace }) => namespace === peers || existsSync(program));
}

/** Runs of `true` out of `runc spec`'s bundle as it is: without a seccomp profile. */
export function plainRuns(site: Site): Contestant[] {
  const command = (program: string) => [program, 'run', '--bundle', site.plain, 'ID'];
  const own = { name: 'plain: hybrid', what: 'caisson-oci with every hierarchy', command: command(CAISSON) };
  return [
    ...(existsSync(CAISSON) ? [own] : []),
    ...runtimes(site).map(({ name, program, namespace }) => ({
      name: `plain: ${name}`,
      what: program.replace(`${resolve('.')}/`, ''),
      command: command(program),
      ...(namespace === undefined ? {} : { namespace }),
    })),
  ];
}

/** Milliseconds of each command, and of create, start, kill and delete together. */
export interface CommandTimes {
  readonly runtime: string;
  readonly times: Readonly<Record<Command | 'cycle', number[]>>;
}

export function newTimes(runtime: Runtime): CommandTimes {
  const times = { create: [], state: [], start: [], exec: [], kill: [], delete: [], cycle: [] };
  return { runtime: runtime.name, times };
}

/** Milliseconds of one command. The container keeps standard error, which must not be a pipe that is waited for. */
function timed(site: Site, { program, namespace }: Runtime, args: readonly string[]): number {
  const namespaces = namespace === undefined ? [] : ['-m', namespace];
  const log = join(site.directory, 'oci-errors');
  const stderr = openSync(log, 'w');
  const { stdout } = spawnSync(site.measure, [...namespaces, program, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', stderr],
  });
  const [wall = 0, , , ended = 1] = stdout.trim().split(' ').map(Number);
  if (ended !== 0)
    throw new Error(`${program} ${args.join(' ')} failed: ${readFileSync(log, 'utf8').trim()}`);
  return wall / 1e6;
}

const PATIENCE = 5000;

/** Until the process is gone or a zombie. Throws Error after five seconds. */
async function ended(pid: string): Promise<void> {
  for (const limit = Date.now() + PATIENCE; Date.now() < limit; ) {
    let stat: string;
    try {
      stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    } catch {
      return;
    }
    if (stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) === 'Z') return;
    await new Promise((resolve_) => setTimeout(resolve_, 1));
  }
  throw new Error(`process ${pid} does not end`);
}

/** One container from create to delete. */
export async function measureCommands(
  site: Site,
  runtime: Runtime,
  round: number,
  { times }: CommandTimes,
): Promise<void> {
  const id = `bench-${process.pid}-${round}-${runtime.name.replaceAll(/\W/g, '')}`;
  const pidFile = join(site.directory, 'pid');
  site.renew(`commands-${round}`);
  const words: Record<Command, readonly string[]> = {
    create: ['create', '--bundle', site.sleeper, '--pid-file', pidFile, id],
    state: ['state', id],
    start: ['start', id],
    exec: ['exec', id, '/bin/true'],
    kill: ['kill', id, 'KILL'],
    delete: ['delete', id],
  };
  let cycle = 0;
  for (const command of COMMANDS) {
    if (command === 'delete') await ended(readFileSync(pidFile, 'utf8').trim());
    const took = timed(site, runtime, words[command]);
    times[command].push(took);
    if (command !== 'state' && command !== 'exec') cycle += took;
  }
  times.cycle.push(cycle);
}

/** Medians in milliseconds, a runtime in a row. */
export function commandTable(all: readonly CommandTimes[]): string {
  const columns = [...COMMANDS, 'cycle'] as const;
  return [
    `| runtime | ${columns.join(' | ')} |`,
    `| --- |${' ---: |'.repeat(columns.length)}`,
    ...all.map(({ runtime, times }) => {
      return `| ${runtime} | ${columns.map((name) => median(times[name]).toFixed(2)).join(' | ')} |`;
    }),
  ].join('\n');
}

/** The series that bars are about: `create of crun`. */
export function commandSeries(all: readonly CommandTimes[]): Series[] {
  return all.flatMap(({ runtime, times }) =>
    Object.entries(times).map(([name, wall]) => ({
      name: `${name} of ${runtime}`,
      what: '',
      wall,
      processor: [],
    })),
  );
}

/** Every command at most crun's, the whole cycle at most 0.8 of it; `run` 0.8 of crun's and 0.3 of runc's. */
export const OCI_BARS: readonly Bar[] = [
  { name: 'plain: caisson-oci', of: 'plain: crun', most: 0.8 },
  { name: 'plain: caisson-oci', of: 'plain: runc', most: 0.3 },
  ...COMMANDS.map((name) => ({ name: `${name} of caisson-oci`, of: `${name} of crun`, most: 1 })),
  { name: 'cycle of caisson-oci', of: 'cycle of crun', most: 0.8 },
  { name: 'last create', of: 'first create', most: 1.5 },
];

/** How many of the first and of the last containers are looked at. */
const SAMPLE = 10;

/** Creates and starts `count` containers, all running at once, then deletes them: the first and the last creates. */
export function measureMany(site: Site, count: number): Series[] {
  const own = runtimes(site).find(({ name }) => name === 'caisson-oci');
  if (own === undefined) return [];
  const creates: number[] = [];
  const ids = Array.from({ length: count }, (_, index) => `bench-${process.pid}-many-${index}`);
  site.renew('many');
  try {
    for (const id of ids) {
      creates.push(timed(site, own, ['create', '--bundle', site.sleeper, id]));
      timed(site, own, ['start', id]);
    }
  } finally {
    for (const id of ids.slice(0, creates.length)) timed(site, own, ['delete', '--force', id]);
  }
  const series = (name: string, wall: number[]) => ({ name, what: `of ${count}`, wall, processor: [] });
  return [series('first create', creates.slice(0, SAMPLE)), series('last create', creates.slice(-SAMPLE))];
}
