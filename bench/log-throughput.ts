// How fast a container writes its log: one that prints as fast as it can, until so many megabytes are in the file.
import { type BenchEngine, type Engines, IMAGE } from './engines.ts';

export interface Throughput {
  readonly engine: string;
  readonly driver: string;
  /** MB of what the program wrote, for each second. */
  readonly rate: number;
  /** Lines that the log has in the end; every one of them must be there. */
  readonly lines: number;
}

const LINE = 'x'.repeat(99);

/** `megabytes` of lines of 100 bytes. Throws where a line is missing. */
export async function throughput(
  engines: Engines,
  engine: BenchEngine,
  driver: string,
  megabytes: number,
): Promise<Throughput> {
  const lines = megabytes * 10_000;
  // From a file in memory: what prints them one by one is slower than the log.
  const file = `${engine.room.directory}/lines`;
  await engines.script(engine, `mkdir -p ${file}; mountpoint -q ${file} || mount -t tmpfs none ${file}`);
  await engines.script(engine, `yes ${LINE} | head -n ${lines} > ${file}/text`);
  const log = ['--log-driver', driver, '--volume', `${file}:/lines:ro`];
  const begin = performance.now();
  const id = await engines.said(engine, [
    ...['run', '--detach', '--network', 'none', ...log, IMAGE, 'cat', '/lines/text'],
  ]);
  await engines.said(engine, ['wait', id]);
  const seconds = (performance.now() - begin) / 1e3;
  const found = Number(await engines.script(engine, `$E logs ${id} | wc -l`));
  if (found !== lines)
    throw new Error(`${engine.name}, ${driver}: ${found} of ${lines} lines are in the log`);
  await engines.said(engine, ['rm', id]);
  return { engine: engine.name, driver, rate: megabytes / seconds, lines: found };
}

export function throughputTable(rows: readonly Throughput[]): string {
  return [
    '| engine | log driver | MB/s |',
    '| --- | --- | ---: |',
    ...rows.map(({ engine, driver, rate }) => `| ${engine} | ${driver} | ${rate.toFixed(0)} |`),
  ].join('\n');
}
