// `ps`: all containers of an engine, each file read once, newest first.
import type { Bytes } from '../../linux/bytes.ts';
import { parseProcessStat } from '../../linux/proc-status.ts';
import { type ContainerRecord, keptRecord, type ProcessIdentity } from '../../runtime/state.ts';
import { type Engine, placeOf } from './engine.ts';
import { listContainers } from './find.ts';
import { boundSummary, type ContainerSummary, keptSummary } from './summary.ts';

export interface ListOptions {
  /** Those that do not run, too. */
  readonly all?: boolean;
  /** The newest so many, whether they run or not; 0: no limit. */
  readonly last?: number;
  /** `name=value`, as docker's `--filter`. */
  readonly filters?: readonly Bytes[];
}

/**
 * The containers of an engine, newest first. Damaged ones are told by `engine.warn` and left out. Throws CaissonError
 * `EUSAGE` for a filter that is none, `ENOTFOUND` for a container that one names.
 */
export async function containerSummaries(
  engine: Engine,
  { all = false, last = 0, filters = [] }: ListOptions = {},
): Promise<ContainerSummary[]> {
  const found = everyContainer(engine);
  const filter =
    filters.length === 0
      ? { fits: () => true, all: false }
      : await (await import('./filter.ts')).compileFilters(engine, filters, found);
  const limited = last > 0;
  const chosen = found.filter((each) => (all || limited || filter.all || isUp(each)) && filter.fits(each));
  return limited ? chosen.slice(0, last) : chosen;
}

/** Whether a container has processes, or will in a moment (docker counts both as running). */
export function isUp({ status }: Pick<ContainerSummary, 'status'>): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting';
}

/** All of them, newest first. */
function everyContainer(engine: Engine): ContainerSummary[] {
  const kept = listContainers(engine).map((view) => keptSummary(engine, view));
  const known = new Set(kept.map(({ id }) => id));
  return [...kept, ...boundContainers(engine, known)].sort(newestFirst);
}

/** Times are of one form, so that they sort as texts; of one moment the id decides. */
function newestFirst(a: ContainerSummary, b: ContainerSummary): number {
  if (a.created !== b.created) return a.created < b.created ? 1 : -1;
  return a.id < b.id ? -1 : 1;
}

/** Those that live with their command: a record of the runtime is all there is. */
export function boundContainers(engine: Engine, known: ReadonlySet<Bytes> = new Set()): ContainerSummary[] {
  return boundRecords(engine, known).map((record) => boundSummary(record, firstProcessOf(engine, record)));
}

/** Their records. A record of the OCI runtime belongs to the engine that called it. */
export function boundRecords(engine: Engine, known: ReadonlySet<Bytes> = new Set()): ContainerRecord[] {
  const { port, stateRoot } = engine;
  return port.list(stateRoot).flatMap((id) => {
    if (known.has(id) || id.startsWith('.')) return [];
    if (port.stat(`${placeOf(engine, id)}/container.json`) !== undefined) return [];
    const record = keptRecord(port, stateRoot, id);
    return record === undefined || record.oci !== undefined ? [] : [record];
  });
}

/** The one child of its launcher; undefined while it is being made. */
export function firstProcessOf(
  { port }: Pick<Engine, 'port'>,
  record: ContainerRecord,
): ProcessIdentity | undefined {
  const { pid } = record.launcher;
  const [first] = (port.readFile(`/proc/${pid}/task/${pid}/children`) ?? '').split(' ');
  if (first === undefined || first === '') return undefined;
  const stat = port.readFile(`/proc/${first}/stat`);
  return stat === undefined ? undefined : { pid: Number(first), startTime: parseProcessStat(stat).startTime };
}
