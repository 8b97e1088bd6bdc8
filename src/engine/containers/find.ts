// Containers as users know them: found by name, id or the beginning of one; their status from what lies on disk.
import type { Bytes } from '../../linux/bytes.ts';
import { isOciRecord, type OciContainerRecord, type Status, statusOf } from '../../runtime/container.ts';
import { bootId, isAlive, load } from '../../runtime/state.ts';
import { CaissonError } from '../../spec/error.ts';
import { type ContainerFile, readContainerFile } from './container-file.ts';
import { containersOf, type Engine, namesOf, placeOf } from './engine.ts';
import {
  type ExitRecord,
  type RunRecord,
  readExit,
  readExited,
  readRun,
  UNKNOWN_CODE,
} from './run-record.ts';

/** docker's words for the states of a container. */
export type ContainerStatus =
  | 'created'
  | 'running'
  | 'paused'
  | 'restarting'
  | 'removing'
  | 'exited'
  | 'dead';

/** A container, and what is true of it now. */
export interface ContainerView {
  readonly file: ContainerFile;
  readonly status: ContainerStatus;
  /** Of its first process on the host, 0 without one. */
  readonly pid: number;
  /** The present or last run; undefined where it was never started. */
  readonly run: RunRecord | undefined;
  /** How the last run ended; undefined while it runs, or where there was none. */
  readonly exit: ExitRecord | undefined;
  /** What the runtime knows of the run, while it is there. */
  readonly record: OciContainerRecord | undefined;
  /** Its first process has ended, and what is left of the run has not been tidied up yet. */
  readonly unsettled: boolean;
}

/** docker's error for what is not there. Exit code 1. */
export function noSuchContainer(text: Bytes): CaissonError {
  return new CaissonError(`No such container: ${text}`, { code: 'ENOTFOUND', exitCode: 1 });
}

/** The ids of all containers, damaged ones too. */
export function containerIds(engine: Pick<Engine, 'port' | 'dataRoot'>): Bytes[] {
  return engine.port.list(containersOf(engine)).filter((name) => /^[0-9a-f]{64}$/.test(name));
}

/** All containers that have a file; those that are damaged are told by `warn` and left out. */
export function listContainers(engine: Engine): ContainerView[] {
  return containerIds(engine).flatMap((id) => {
    try {
      return viewContainer(engine, id) ?? [];
    } catch (error) {
      if (!(error instanceof CaissonError)) throw error;
      engine.warn(error.message);
      return [];
    }
  });
}

/**
 * The id that a person means: a name, an id, or the beginning of one. Throws CaissonError `ENOTFOUND`, and `EAMBIGUOUS`
 * for a beginning of several.
 */
export function findId(engine: Pick<Engine, 'port' | 'dataRoot'>, text: Bytes): Bytes {
  const { port } = engine;
  const name = text.startsWith('/') ? text.slice(1) : text;
  if (/^[0-9a-f]{64}$/.test(name) && port.stat(placeOf(engine, name)) !== undefined) return name;
  const named = name === '' || name.includes('/') ? undefined : port.readLink?.(`${namesOf(engine)}/${name}`);
  if (named !== undefined && port.stat(placeOf(engine, named)) !== undefined) return named;
  if (!/^[0-9a-f]+$/.test(name)) throw noSuchContainer(text);
  const found = containerIds(engine).filter((id) => id.startsWith(name));
  if (found.length > 1) {
    throw new CaissonError(`multiple IDs found with provided prefix: ${text}`, {
      code: 'EAMBIGUOUS',
      exitCode: 1,
    });
  }
  if (found[0] === undefined) throw noSuchContainer(text);
  return found[0];
}

/** `findId`, and what is true of that container. */
export function findContainer(engine: Engine, text: Bytes): ContainerView {
  const view = viewContainer(engine, findId(engine, text));
  if (view === undefined) throw noSuchContainer(text);
  return view;
}

/** undefined when there is no such container (any more). Throws CaissonError ESTATE for a damaged one. */
export function viewContainer(
  engine: Pick<Engine, 'port' | 'dataRoot' | 'stateRoot'>,
  id: Bytes,
): ContainerView | undefined {
  const { port } = engine;
  const file = readContainerFile(engine, id);
  if (file === undefined) return undefined;
  const place = placeOf(engine, id);
  const run = readRun(port, place);
  const record = runtimeRecord(engine, id);
  const exited = readExited(port, place);
  const last = exited !== undefined && exited.run === run?.number ? exited : undefined;
  const common = { file, run, record };
  // With a record a first start is on its way, or was killed before it had noted the run.
  if (run === undefined)
    return { ...common, status: 'created', pid: 0, exit: undefined, unsettled: record !== undefined };
  const removing = port.stat(`${place}/removing`) !== undefined;
  if (record === undefined || last !== undefined) {
    const known = last ?? readExit(port, place, run.number);
    const status = removing ? 'removing' : 'exited';
    const unsettled = record !== undefined || known === undefined;
    return { ...common, status, pid: 0, exit: known ?? lost(run), unsettled };
  }
  const state = statusOf(port, record);
  const pid = record.oci.init?.pid ?? 0;
  if (state !== 'stopped') {
    const status = removing ? 'removing' : dockers(state);
    return { ...common, status, pid, exit: undefined, unsettled: false };
  }
  const exit = readExit(port, place, run.number);
  const kept = isAlive(port, record.keeper);
  // Its monitor is about to write how it ended.
  if (exit === undefined && kept)
    return { ...common, status: 'running', pid, exit: undefined, unsettled: true };
  const known = exit ?? lost(run);
  const status = removing ? 'removing' : kept && willRestart(file, run, known) ? 'restarting' : 'exited';
  return { ...common, status, pid: 0, exit: known, unsettled: true };
}

/** What the runtime knows of a run, since the machine has started. */
function runtimeRecord(
  { port, stateRoot }: Pick<Engine, 'port' | 'stateRoot'>,
  id: Bytes,
): OciContainerRecord | undefined {
  const found = load(port, stateRoot, id);
  return found !== undefined && isOciRecord(found) && found.bootId === bootId(port) ? found : undefined;
}

function dockers(status: Status): ContainerStatus {
  if (status === 'paused') return 'paused';
  return status === 'creating' || status === 'created' ? 'created' : 'running';
}

function lost(run: RunRecord): ExitRecord {
  return {
    run: run.number,
    code: UNKNOWN_CODE,
    signal: 0,
    oom: false,
    time: '0001-01-01T00:00:00Z',
    error: 'its end was not seen: the monitor, or the machine, went first',
  };
}

/** Whether the policy starts it again after such an end. */
export function willRestart(
  { restart }: Pick<ContainerFile, 'restart'>,
  run: RunRecord,
  { code }: ExitRecord,
): boolean {
  if (run.stopped === true) return false;
  if (restart.name === 'always' || restart.name === 'unless-stopped') return true;
  if (restart.name !== 'on-failure' || code === 0) return false;
  return restart.maximum === 0 || run.restarts < restart.maximum;
}
