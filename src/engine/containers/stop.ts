// `stop`, `kill` and `wait`: signals to a container, and its end.
import type { Bytes } from '../../linux/bytes.ts';
import { SIGNALS } from '../../linux/signals.ts';
import { killContainer } from '../../runtime/kill.ts';
import { resumeContainer } from '../../runtime/pause.ts';
import { sleep, withLauncher } from '../../runtime/removal.ts';
import { signalProcess } from '../../runtime/signal-process.ts';
import { isAlive } from '../../runtime/state.ts';
import { CaissonError } from '../../spec/error.ts';
import { tellContainer } from '../events/tell.ts';
import { type Engine, placeOf } from './engine.ts';
import { type ContainerView, findContainer, noSuchContainer, viewContainer, willRestart } from './find.ts';
import { withPlace } from './place-lock.ts';
import { type ExitRecord, readRun, writeRun } from './run-record.ts';
import { settle } from './settle.ts';

export interface StopOptions {
  /** Milliseconds before SIGKILL, negative: never; undefined: the container's own. */
  readonly timeout: number | undefined;
  /** Signal number; undefined: the container's own. */
  readonly signal: number | undefined;
}

/** The first look for the end of a container, and the longest pause between two, in milliseconds. */
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 20;
/** How long the end of a killed container is waited for, in milliseconds. */
const PATIENCE = 20_000;
/** A monitor notes the end of its container within milliseconds. */
const MONITOR_PATIENCE = 1000;

/** docker's error for a command that needs a running container. */
export function notRunning(id: Bytes): CaissonError {
  return new CaissonError(`container ${id} is not running`, { code: 'ENOTRUNNING', exitCode: 1 });
}

/** Stops a container: its stop signal, then SIGKILL. Nothing happens where it does not run. Throws CaissonError. */
export async function stopContainer(engine: Engine, text: Bytes, options: StopOptions): Promise<void> {
  const view = findContainer(engine, text);
  markStopped(engine, view);
  await stopView(engine, view, options);
  if (view.pid !== 0 && view.exit === undefined) tellContainer(engine, 'stop', view.file);
}

/** The restart policy is told: somebody wants it to end. */
export function markStopped(engine: Engine, { file, run }: Pick<ContainerView, 'file' | 'run'>): void {
  if (run === undefined || run.stopped === true) return;
  const place = placeOf(engine, file.id);
  const now = readRun(engine.port, place);
  if (now?.number !== run.number) return;
  try {
    writeRun(engine.port, place, { ...now, stopped: true });
  } catch (error) {
    // It can still be stopped, if not kept from its restart policy.
    engine.warn(
      `${place}/run.json cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

export async function stopView(engine: Engine, view: ContainerView, options: StopOptions): Promise<void> {
  const { file } = view;
  // Between two runs nothing but the delay of its monitor is left, whose command finds nothing to do then.
  if (view.status === 'restarting') {
    await settleNow(engine, file.id);
    return;
  }
  if (view.pid === 0 || view.exit !== undefined) return;
  await signalView(engine, view, options.signal ?? file.stopSignal);
  // A frozen process gets its signal when it goes on.
  if (view.status === 'paused') await resume(engine, file.id);
  const timeout = options.timeout ?? file.stopTimeout;
  if (await ended(engine, view, timeout < 0 ? Number.POSITIVE_INFINITY : timeout)) return;
  await signalView(engine, view, SIGNALS.SIGKILL);
  if (await ended(engine, view, MONITOR_PATIENCE)) return;
  await wakeMonitor(engine, view);
  if (await ended(engine, view, PATIENCE)) return;
  throw new CaissonError(`container ${file.id} does not end: ${hindrance(engine, view)}`, {
    code: 'EBUSY',
    exitCode: 1,
  });
}

/** Somebody may have stopped the monitor, and then nobody notes the end: SIGCONT changes nothing for one that runs. */
async function wakeMonitor({ port }: Engine, { record }: ContainerView): Promise<void> {
  if (record === undefined || !isAlive(port, record.keeper)) return;
  await withLauncher(port, (player) => signalProcess(port, player, record.keeper, SIGNALS.SIGCONT));
}

/** What a container that was killed is still waiting for. */
function hindrance(engine: Engine, { file }: ContainerView): Bytes {
  const now = viewContainer(engine, file.id);
  return now?.unsettled === true && now.record !== undefined
    ? `its monitor, process ${now.record.keeper.pid}, does not note the end`
    : 'a process of it sleeps uninterruptibly';
}

async function resume({ port, stateRoot }: Engine, id: Bytes): Promise<void> {
  try {
    await resumeContainer(port, { stateRoot, id });
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
  }
}

/** Whether this run of the container has ended, and has been settled, within so many milliseconds. */
async function ended(engine: Engine, { file, run }: ContainerView, patience: number): Promise<boolean> {
  for (let waited = 0, pause = FIRST_PAUSE; waited <= patience; waited += pause) {
    const now = viewContainer(engine, file.id);
    if (now === undefined || now.run?.number !== run?.number) return true;
    if (now.exit !== undefined) {
      await settled(engine, file.id);
      return true;
    }
    pause = Math.min(2 * pause, LONGEST_PAUSE);
    await sleep(engine.port, pause);
  }
  return false;
}

/**
 * Waits until what is left of a run that has ended is away: by its monitor's command, or by this one. A run that a person
 * has stopped is not left to a monitor that waits for the delay of a restart.
 */
async function settled(engine: Engine, id: Bytes): Promise<void> {
  for (let waited = 0, pause = FIRST_PAUSE; waited < PATIENCE; waited += pause) {
    const view = viewContainer(engine, id);
    if (view === undefined || !view.unsettled || view.status === 'restarting') return;
    const left = view.record === undefined || !isAlive(engine.port, view.record.keeper);
    if (view.exit !== undefined && (left || view.run?.stopped === true)) {
      await settleNow(engine, id);
      return;
    }
    pause = Math.min(2 * pause, LONGEST_PAUSE);
    await sleep(engine.port, pause);
  }
}

async function settleNow(engine: Engine, id: Bytes): Promise<void> {
  await withPlace(engine, id, async (held) => {
    const now = viewContainer(engine, id);
    if (now?.exit !== undefined && now.unsettled) await settle(engine, held, now);
  }).catch(ignoreGone);
}

function ignoreGone(error: unknown): void {
  if (!(error instanceof CaissonError && error.code === 'ENOTFOUND')) throw error;
}

/** `kill`. Throws CaissonError `ENOTRUNNING` in docker's words. */
export async function killByName(engine: Engine, text: Bytes, signal: number): Promise<void> {
  const view = findContainer(engine, text);
  if (view.pid === 0 || view.exit !== undefined) {
    throw new CaissonError(`cannot kill container: ${text}: container ${view.file.id} is not running`, {
      code: 'ENOTRUNNING',
      exitCode: 1,
    });
  }
  if (signal === SIGNALS.SIGKILL || signal === view.file.stopSignal) markStopped(engine, view);
  await signalView(engine, view, signal);
  if (signal === SIGNALS.SIGKILL) await ended(engine, view, PATIENCE);
}

/** A signal to its first process; SIGKILL to all where they have no pid namespace of their own. */
export async function signalView(engine: Engine, { file }: ContainerView, signal: number): Promise<void> {
  const { port, stateRoot } = engine;
  try {
    await killContainer(port, { stateRoot, id: file.id }, signal, false);
    tellContainer(engine, 'kill', file, { signal: String(signal) });
  } catch (error) {
    const gone =
      error instanceof CaissonError && (error.code === 'ENOTRUNNING' || error.code === 'ENOTFOUND');
    if (!gone) throw error;
  }
}

/** What `wait` waits for (docker's conditions). */
export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/**
 * Waits for the end of a container. The result is how it ended. Throws CaissonError `ENOTFOUND`, and what `check` throws,
 * which is called again and again.
 */
export async function waitContainer(
  engine: Engine,
  text: Bytes,
  condition: WaitCondition = 'not-running',
  check: () => void = () => undefined,
): Promise<ExitRecord> {
  const first = findContainer(engine, text);
  let last = first.exit;
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, 5 * LONGEST_PAUSE)) {
    check();
    const now = viewContainer(engine, first.file.id);
    if (now === undefined) {
      if (last === undefined) throw noSuchContainer(text);
      return last;
    }
    last = now.exit ?? last;
    const over = now.exit !== undefined && !now.unsettled && now.status !== 'restarting';
    const fresh =
      condition !== 'next-exit' || now.run?.number !== first.run?.number || first.exit === undefined;
    if (condition !== 'removed' && over && fresh && now.exit !== undefined && (await isFinal(engine, now)))
      return now.exit;
    if (condition === 'not-running' && now.status === 'created') return NEVER_RAN;
    if (now.unsettled && now.exit !== undefined && now.status !== 'restarting')
      await settled(engine, first.file.id);
    await sleep(engine.port, pause);
  }
}

/** Whether nobody is about to start it again: a restart settles and starts under one lock. */
async function isFinal(engine: Engine, { file, run, exit }: ContainerView): Promise<boolean> {
  if (run === undefined || exit === undefined || !willRestart(file, run, exit)) return true;
  try {
    return await withPlace(engine, file.id, async () => {
      const now = viewContainer(engine, file.id);
      return now?.run?.number === run.number && now.exit !== undefined;
    });
  } catch (error) {
    ignoreGone(error);
    return true;
  }
}

const NEVER_RAN: ExitRecord = { run: 0, code: 0, signal: 0, oom: false, time: '0001-01-01T00:00:00Z' };
