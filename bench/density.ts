// Many containers at once: how long each start takes, what they keep in memory, how long their removal takes, what is left.
import { readdirSync, readFileSync } from 'node:fs';
import { type BenchEngine, type Engines, IMAGE } from './engines.ts';
import { median } from './figures.ts';

export interface Density {
  readonly engine: string;
  readonly count: number;
  /** Seconds for all. */
  readonly start: number;
  readonly removal: number;
  /** Median milliseconds of the first and of the last tenth. */
  readonly first: number;
  readonly last: number;
  /** KiB for each: used memory of the machine, and proportional set size of what keeps a container. */
  readonly used: number;
  readonly supervisor: number;
}

/** KiB. MemAvailable counts what can be given back. */
function usedMemory(): number {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return field('MemTotal') - field('MemAvailable');
}

/** Proportional set sizes of all processes of that name, KiB, and how many they are. */
function proportional(name: string): { readonly sum: number; readonly count: number } {
  let [sum, count] = [0, 0];
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')[0]?.includes(name)) continue;
      sum += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
      count++;
    } catch {
      // It has ended meanwhile.
    }
  }
  return { sum, count };
}

const RUN = ['run', '--detach', '--network', 'none', IMAGE, 'sleep', '100000'];

/** Starts so many containers one after the other and removes them by one command. */
export async function density(engines: Engines, engine: BenchEngine, count: number): Promise<Density> {
  // What the containers before have left goes late: the kernel takes namespaces and cgroups apart in the background.
  await engines.script(engine, 'sleep 15; sync; echo 3 > /proc/sys/vm/drop_caches; sleep 1');
  const before = usedMemory();
  const times: number[] = [];
  for (let done = 0; done < count; done++) times.push((await engines.time(engine, RUN)).wall);
  const start = times.reduce((sum, time) => sum + time, 0) / 1e3;
  await engines.script(engine, 'sync; echo 3 > /proc/sys/vm/drop_caches; sleep 1');
  const used = (usedMemory() - before) / count;
  const kept = proportional(engine.supervisor);
  const removing = performance.now();
  const flags = engine.name === 'podman' ? '--force --time 0' : '--force';
  await engines.script(engine, `$E rm ${flags} $($E ps --all --quiet) > /dev/null`);
  const removal = (performance.now() - removing) / 1e3;
  const tenth = Math.max(1, Math.floor(count / 10));
  return {
    engine: engine.name,
    count,
    start,
    removal,
    first: median(times.slice(0, tenth)),
    last: median(times.slice(-tenth)),
    used,
    supervisor: kept.count === 0 ? 0 : kept.sum / kept.count,
  };
}

export function densityTable(rows: readonly Density[]): string {
  const cells = rows.map(({ engine, count, start, removal, first, last, used, supervisor }) =>
    [
      engine,
      String(count),
      start.toFixed(1),
      `${first.toFixed(1)} / ${last.toFixed(1)}`,
      removal.toFixed(1),
      Math.round(used),
      Math.round(supervisor),
    ].join(' | '),
  );
  return [
    '| engine | containers | all started, s | first / last tenth, ms | all removed, s | used memory each, KiB | supervisor (Pss), KiB |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...cells.map((row) => `| ${row} |`),
  ].join('\n');
}
