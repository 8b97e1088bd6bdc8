// `start`: a container that was created, or has ended, runs; its launcher becomes its monitor.
import type { Channel } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { slotValue } from '../../plan/encode.ts';
import { endProcess } from '../../runtime/abandoned.ts';
import type { OciContainerRecord } from '../../runtime/container.ts';
import { releaseParents, removeParents } from '../../runtime/parents.ts';
import { play } from '../../runtime/play-start.ts';
import type { Player } from '../../runtime/player.ts';
import type { Prepared } from '../../runtime/prepare.ts';
import { afterFailure, byLiving, removeCgroups } from '../../runtime/removal.ts';
import {
  bootId,
  claimId,
  identify,
  type ProcessIdentity,
  STATE_VERSION,
  write,
} from '../../runtime/state.ts';
import { CaissonError } from '../../spec/error.ts';
import { stringifyJson } from '../../spec/json.ts';
import type { Reservation } from '../../spec/reservation.ts';
import { type CompiledDockerRun, compileDockerRun, withSources } from '../docker-run.ts';
import { tellContainer } from '../events/tell.ts';
import type { ContainerFile } from './container-file.ts';
import { type Engine, placeOf, stateOf } from './engine.ts';
import { noSuchContainer, viewContainer } from './find.ts';
import { keptFacts, keptRun } from './kept-run.ts';
import { becameMonitor } from './monitor-client.ts';
import { type MonitoredRun, monitorOptions } from './monitor-plan.ts';
import { type HeldPlace, withPlace } from './place-lock.ts';
import { type RunRecord, readRun, UNKNOWN_CODE, writeExited, writeRun } from './run-record.ts';
import { isUnsettled, settle } from './settle.ts';

export interface StartOptions {
  /** The command stays attached with these of its descriptors; the channel is then its connection. */
  readonly attached?: readonly (0 | 1 | 2)[];
  /** The restart policy starts it, and how often it has by now. */
  readonly restart?: { readonly restarts: number; readonly backoff: number };
  /** Called with the container's program running, before its monitor does anything: the attached command waits there. */
  readonly attach?: (channel: Channel, file: ContainerFile) => Promise<void>;
}

/** The first delay of the restart policy, and its longest, in milliseconds (docker's). */
export const FIRST_BACKOFF = 100;
export const LONGEST_BACKOFF = 60_000;

/**
 * Starts a container and returns when its program runs, or with `attach` when that has returned. Nothing happens where
 * it runs already. Throws CaissonError where it cannot be started, with docker's exit codes; its exit code is then that.
 */
export async function startContainer(engine: Engine, id: Bytes, options: StartOptions = {}): Promise<void> {
  const stdio = options.attached === undefined ? { noInput: true } : {};
  await withPlace(
    engine,
    id,
    async (held) => {
      const view = viewContainer(engine, id);
      if (view === undefined) throw noSuchContainer(id);
      if (view.status === 'removing')
        throw new CaissonError(`container ${id} is being removed`, { code: 'ECONFLICT', exitCode: 1 });
      if (view.status === 'running' || view.status === 'paused') {
        if (!view.unsettled) return;
        throw new CaissonError(`container ${id} is ending`, { code: 'ECONFLICT', exitCode: 1 });
      }
      if (isUnsettled(engine, view)) await settle(engine, held, view);
      // Somebody has stopped it since the restart was decided.
      if (options.restart !== undefined && view.run?.stopped === true) return;
      await startHeld(engine, held, view.file, options);
    },
    stdio,
  );
}

async function startHeld(
  engine: Engine,
  held: HeldPlace,
  file: ContainerFile,
  options: StartOptions,
): Promise<void> {
  const { port, stateRoot } = engine;
  const { channel, place } = held;
  const run = nextRun(engine, place, options);
  const started: MonitoredRun = {
    file,
    number: run.number,
    exitDelay: file.restart.name === 'no' ? 0 : run.backoff,
    ...(options.attached === undefined ? {} : { attached: options.attached }),
  };
  const record = recordOf(engine, file, channel.pid);
  claimId(port, stateRoot, record);
  try {
    const made = await compiled(engine, channel, file, started).catch((error: unknown) => {
      port.remove(stateOf(engine, file.id));
      throw error;
    });
    try {
      await playKept(engine, held, record, made, { run, attached: options.attached !== undefined });
    } catch (error) {
      throw withSources(made.image?.explain(error) ?? error, made.compiled.sources);
    } finally {
      await made.close();
    }
  } catch (error) {
    noteFailure(engine, place, run, error);
    throw error;
  }
  tellContainer(engine, 'start', file);
  await options.attach?.(channel, file);
  channel.release?.();
}

function nextRun(engine: Engine, place: Bytes, { restart }: StartOptions): RunRecord {
  const { port } = engine;
  const before = readRun(port, place);
  return {
    number: (before?.number ?? 0) + 1,
    bootId: bootId(port),
    startedAt: new Date().toISOString(),
    since: Math.floor(port.monotonic() / 1e6),
    restarts: restart?.restarts ?? 0,
    backoff: restart?.backoff ?? FIRST_BACKOFF,
  };
}

/** A start that failed counts as a run that ended with docker's code. */
function noteFailure({ port }: Engine, place: Bytes, run: RunRecord, error: unknown): void {
  if (!(error instanceof CaissonError)) return;
  writeRun(port, place, { ...run, stopped: true });
  const code = error.exitCode === 1 ? UNKNOWN_CODE : error.exitCode;
  const time = new Date().toISOString();
  writeExited(port, place, { run: run.number, code, signal: 0, oom: false, time, error: error.message });
}

async function compiled(
  engine: Engine,
  channel: Channel,
  file: ContainerFile,
  run: MonitoredRun,
): Promise<CompiledDockerRun> {
  const { port, stateRoot, warn } = engine;
  const place = placeOf(engine, file.id);
  const facts = keptFacts(port, file);
  return await compileDockerRun(
    port,
    channel,
    keptRun(engine, file, facts, place),
    stateOf(engine, file.id),
    {
      stateRoot,
      warn,
      monitor: (settings) => monitorOptions(engine, run, settings),
    },
  );
}

/** The keeper is the launcher, whose process id and start time stay when it becomes the monitor. */
function recordOf(engine: Engine, file: ContainerFile, launcher: number): OciContainerRecord {
  const { port } = engine;
  const identity = identify(port, launcher);
  return {
    version: STATE_VERSION,
    id: file.id,
    bootId: bootId(port),
    keeper: identity,
    launcher: identity,
    cgroups: [],
    name: file.name,
    labels: file.labels,
    stopSignal: file.stopSignal,
    bundle: placeOf(engine, file.id),
    oci: {
      ociVersion: '1.3.0',
      phase: 'creating',
      rootfs: '',
      created: new Date().toISOString(),
      uid: port.uid,
      hooks: false,
    },
  };
}

async function playKept(
  engine: Engine,
  { channel, player, place }: HeldPlace,
  claimed: OciContainerRecord,
  { compiled: { files, settings }, prepared }: CompiledDockerRun,
  { run, attached }: { readonly run: RunRecord; readonly attached: boolean },
): Promise<void> {
  const { port, stateRoot } = engine;
  const record = withPrepared(claimed, prepared, settings.reservation);
  let init: ProcessIdentity | undefined;
  try {
    write(port, stateRoot, record);
    port.replaceFile(`${stateRoot}/${record.id}/config.json`, stringifyJson(prepared.spec));
    for (const { path, content, mode } of files) port.replaceFile(path, content, mode ?? 0o644);
    const { batch, answer, plan } = await play(port, player, prepared, { trace: settings.trace });
    init = identify(port, slotValue(batch, answer, plan.pid));
    write(port, stateRoot, { ...record, oci: { ...record.oci, phase: 'started', init } });
    writeRun(port, place, run);
    await player.continue();
    await player.receive(true);
    await player.send(plan.monitor?.((slot) => slotValue(batch, answer, slot)) ?? []);
    await becameMonitor(channel, attached);
  } catch (error) {
    await undo(engine, player, record, prepared, init);
    throw error;
  }
}

function withPrepared(
  record: OciContainerRecord,
  { spec, cgroups, madeParents }: Prepared,
  reserved: Reservation | undefined,
): OciContainerRecord {
  return {
    ...record,
    ...(reserved === undefined ? {} : { reserved }),
    cgroups,
    ...(madeParents.length === 0 ? {} : { madeParents }),
    oci: { ...record.oci, rootfs: spec.root?.path ?? '' },
  };
}

/** Takes back a start that failed: whatever it left keeps its record, for `system repair`. */
async function undo(
  engine: Engine,
  player: Player,
  record: OciContainerRecord,
  prepared: Prepared,
  init: ProcessIdentity | undefined,
): Promise<void> {
  const { port, stateRoot, warn } = engine;
  await afterFailure(warn, async () => {
    await byLiving(port, player, async (living) => {
      await releaseParents(living, prepared.guard);
      if (init !== undefined) await endProcess(port, living, init);
      await removeCgroups(port, living, record.cgroups);
      await removeParents(port, living, stateRoot, record);
    });
    port.remove(`${stateRoot}/${record.id}`);
  });
}
