// `logs`: what a container has written, from its files, and what it goes on writing.
//
// NAME is the present file, NAME.1 the youngest that is full. To follow is to hold the open file: after a rotation it is
// read to its end, and then come those that are younger. The engine has no inotify(7); it looks every 50 ms.
import type { Disk } from '../../host/disk.ts';
import { hostDisk } from '../../host/node-disk.ts';
import { type Bytes, bytesToUtf8 } from '../../linux/bytes.ts';
import { sleep } from '../../runtime/removal.ts';
import { CaissonError } from '../../spec/error.ts';
import type { ContainerFile } from './container-file.ts';
import { type Engine, placeOf } from './engine.ts';
import { findContainer, viewContainer } from './find.ts';
import { type Lines, LogFile, positionFromEnd, type TailSearch } from './log-file.ts';
import { type LogEntry, type LogFormat, parseLogLine } from './log-line.ts';
import { logName } from './monitor-plan.ts';

export interface LogOptions {
  /** Goes on while the container runs. */
  readonly follow?: boolean;
  /** Milliseconds since 1970. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Only the last so many lines; undefined: all. */
  readonly tail?: number | undefined;
  /** Called when lines are left out because they are damaged. */
  readonly damaged?: (count: number) => void;
  /** Asked while nothing is written; true ends it. */
  readonly stop?: () => boolean;
}

/** Milliseconds between two looks. */
const LOOK = 50;
/** Rotated files that are looked for (engine-settings.ts has no more than five digits, and directories are finite). */
const MOST_FILES = 100_000;

/**
 * What a container has written, some entries at a time. Throws CaissonError `ENOTFOUND`, `EUNSUPPORTED` in docker's
 * words where its output is not kept.
 */
export async function* containerLogs(
  engine: Engine,
  text: Bytes,
  options: LogOptions = {},
): AsyncGenerator<readonly LogEntry[]> {
  const { file } = findContainer(engine, text);
  const { driver } = file.log;
  if (driver === 'none') {
    throw new CaissonError('configured logging driver does not support reading', {
      code: 'EUNSUPPORTED',
      exitCode: 1,
    });
  }
  const reader = new LogReader(engine, file, driver, hostDisk());
  try {
    await reader.begin(options.tail);
    for await (const { lines, skipped } of reader.lines(options)) {
      const found: LogEntry[] = [];
      let damaged = skipped;
      let over = false;
      for (const line of lines) {
        const entry = parseLogLine(line, driver);
        if (entry === undefined) damaged++;
        else if (!isBefore(entry.time, options.since)) {
          if (options.until !== undefined && !isBefore(entry.time, options.until)) over = true;
          else found.push(entry);
        }
      }
      if (damaged > 0) options.damaged?.(damaged);
      if (found.length > 0) yield found;
      if (over) return;
    }
  } finally {
    reader.close();
  }
}

/** RFC 3339 to the microsecond: Date.parse cuts what is finer than a millisecond. */
function isBefore(time: Bytes, limit: number | undefined): boolean {
  if (limit === undefined) return false;
  const fraction = /\.([0-9]{1,9})/.exec(time)?.[1]?.padEnd(9, '0') ?? '';
  const milliseconds = Date.parse(time) + Number(fraction.slice(3) || 0) / 1e6;
  return milliseconds < limit;
}

/** The files of one log, in their order. */
class LogReader {
  private readonly engine: Engine;
  private readonly id: Bytes;
  private readonly path: Bytes;
  private readonly format: LogFormat;
  private readonly disk: Disk;
  private current: LogFile | undefined;

  constructor(engine: Engine, file: ContainerFile, format: LogFormat, disk: Disk) {
    this.engine = engine;
    this.id = file.id;
    this.path = `${placeOf(engine, file.id)}/${logName(file.id, file.log)}`;
    this.format = format;
    this.disk = disk;
  }

  close(): void {
    this.current?.close();
    this.current = undefined;
  }

  private nameOf(number: number): Bytes {
    return number === 0 ? this.path : `${this.path}.${number}`;
  }

  /** The number of the oldest file there is. */
  private oldest(): number {
    let number = 0;
    while (number < MOST_FILES && this.disk.stat(this.nameOf(number + 1)) !== undefined) number++;
    return number;
  }

  /** Opens the file in which the wanted lines begin. */
  async begin(tail: number | undefined): Promise<void> {
    if (tail === undefined) {
      this.current = LogFile.open(this.disk, this.nameOf(this.oldest()));
      return;
    }
    const search: TailSearch = { left: tail, first: true };
    const isWhole = (line: Bytes) => parseLogLine(line, this.format)?.text.endsWith('\n');
    for (let number = 0; ; number++) {
      const file = this.disk.open(this.nameOf(number));
      if (file === undefined) break;
      const position = await positionFromEnd(file, search, isWhole).finally(() => {
        file.close();
      });
      if (position !== undefined) {
        this.current = LogFile.open(this.disk, this.nameOf(number), position);
        return;
      }
    }
    this.current = LogFile.open(this.disk, this.nameOf(this.oldest()));
  }

  /** Lines to the end; with `follow` to the end of the run. */
  async *lines({ follow = false, stop, until }: LogOptions): AsyncGenerator<Lines> {
    for (let over = !follow; ; ) {
      // Looked at before the files: what was written before the end is read after it.
      const ended = over || !this.isRunning();
      for (let found = await this.next(); found !== undefined; found = await this.next()) yield found;
      if (ended || stop?.() === true) return;
      if (until !== undefined && Date.now() >= until) over = true;
      else await sleep(this.engine.port, LOOK);
    }
  }

  private async next(): Promise<Lines | undefined> {
    this.current ??= LogFile.open(this.disk, this.path);
    for (;;) {
      const { current } = this;
      if (current === undefined) return undefined;
      const found = await current.next();
      if (found !== undefined) return found;
      const younger = this.younger(current.ino);
      if (younger === undefined) return undefined;
      // All that was written to it was written before its name changed.
      const last = await current.next();
      if (last !== undefined) return last;
      current.close();
      this.current = younger;
    }
  }

  /** The file after the one with this inode; undefined when it is the present one. */
  private younger(ino: number): LogFile | undefined {
    for (let number = 0; number < MOST_FILES; number++) {
      const stat = this.disk.stat(this.nameOf(number));
      if (number === 0 && (stat === undefined || stat.ino === ino)) return undefined;
      if (stat !== undefined && stat.ino !== ino) continue;
      // Without it, it has been deleted: the oldest that is left comes next.
      const found = LogFile.open(this.disk, this.nameOf(number - 1));
      const steady = this.disk.stat(this.nameOf(number))?.ino === stat?.ino;
      if (steady && found?.ino !== ino) return found;
      // Rotated again in between.
      found?.close();
      number = -1;
    }
    return undefined;
  }

  private isRunning(): boolean {
    const view = viewContainer(this.engine, this.id);
    if (view === undefined || view.status === 'exited' || view.status === 'created') return false;
    return view.status !== 'dead' && view.status !== 'removing';
  }
}

/** What `--details` shows before each line: labels and variables that `--log-opt` names, as docker writes them. */
export function logDetails(engine: Engine, text: Bytes): Bytes {
  const { file } = findContainer(engine, text);
  const wanted = (option: Bytes): Bytes[] =>
    (file.log.options[option] ?? '').split(',').filter((name) => name !== '');
  const variables = new Map([...(file.config.Env ?? []), ...(file.flags.env ?? [])].map(pair));
  const labels = new Map(Object.entries(file.labels));
  const found = new Map<Bytes, Bytes>();
  for (const [option, values] of [
    ['labels', labels],
    ['env', variables],
  ] as const)
    for (const name of wanted(option)) {
      const value = values.get(name);
      if (value !== undefined) found.set(name, value);
    }
  if (file.log.options.tag !== undefined) found.set('tag', file.log.options.tag);
  return [...found]
    .map(
      ([name, value]) => `${encodeURIComponent(bytesToUtf8(name))}=${encodeURIComponent(bytesToUtf8(value))}`,
    )
    .sort()
    .join(',');
}

function pair(entry: Bytes): [Bytes, Bytes] {
  const equals = entry.indexOf('=');
  return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
}
