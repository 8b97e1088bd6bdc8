// What the monitor of a container is told: its log, the commands of its events, its timers.
import type { CompiledRun } from '../../frontends/docker/compile-run.ts';
import type { LogChoice } from '../../frontends/docker/engine-settings.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { MonitorPart } from '../../plan/compile/context.ts';
import { monitorPart } from '../../plan/compile/monitor.ts';
import type { MonitorTimer } from '../../plan/monitor-configuration.ts';
import { CaissonError } from '../../spec/error.ts';
import type { ContainerFile } from './container-file.ts';
import { attachSocket, type Engine, placeOf } from './engine.ts';

/** What is known of a run before it is started. */
export interface MonitoredRun {
  readonly file: Pick<ContainerFile, 'id' | 'log' | 'health'>;
  /** Of this run. */
  readonly number: number;
  /** Milliseconds before the command of its end. */
  readonly exitDelay: number;
  /** The command stays attached, with these of its descriptors. */
  readonly attached?: readonly (0 | 1 | 2)[];
}

/** The name of the log in the directory of the container, as docker has it. */
export function logName(id: Bytes, { driver }: Pick<LogChoice, 'driver'>): Bytes {
  return driver === 'k8s-file' ? 'ctr.log' : `${id}-json.log`;
}

/** `caisson system event KIND ID`, with the places of this engine. */
export function eventCommand({ port, dataRoot, stateRoot }: Engine, kind: string, id: Bytes): Bytes[] {
  const { ownCommand } = port;
  if (ownCommand === undefined)
    throw new CaissonError('this host cannot run commands of a monitor', { code: 'EUNSUPPORTED' });
  return [...ownCommand, '--data-root', dataRoot, '--runtime-root', stateRoot, 'system', 'event', kind, id];
}

/** Only what a command of the monitor may depend on: nothing of an image or of the caller's session. */
const PASSED = ['HOME', 'XDG_RUNTIME_DIR', 'XDG_DATA_HOME', 'XDG_CONFIG_HOME', 'USER', 'PATH'];

/** The monitor of a run. Throws CaissonError `EUNSUPPORTED` on a host without one. */
export function monitorOptions(
  engine: Engine,
  run: MonitoredRun,
  settings: Pick<CompiledRun['settings'], 'timeout' | 'terminal' | 'interactive' | 'detachKeys'>,
): MonitorPart {
  const { port } = engine;
  const { file } = run;
  const program = port.monitorProgram?.();
  if (program === undefined)
    throw new CaissonError('this host has no monitor for detached containers', { code: 'EUNSUPPORTED' });
  return monitorPart({
    program,
    place: placeOf(engine, file.id),
    socket: attachSocket(engine, file.id),
    input: settings.interactive && !settings.terminal,
    ...(run.attached === undefined ? {} : { attached: run.attached }),
    // What is piped in is data, whatever bytes it has.
    keys: settings.terminal ? settings.detachKeys : [],
    run: run.number,
    durable: engine.durable,
    log: {
      driver: file.log.driver,
      name: logName(file.id, file.log),
      size: file.log.size,
      files: file.log.files,
    },
    environment: port.environment.filter((entry) => PASSED.includes(entry.slice(0, entry.indexOf('=')))),
    exitCommand: eventCommand(engine, 'exit', file.id),
    exitDelay: run.exitDelay,
    timers: timers(engine, file, settings.timeout),
  });
}

function timers(
  engine: Engine,
  { id, health }: MonitoredRun['file'],
  timeout: number | undefined,
): MonitorTimer[] {
  const found: MonitorTimer[] = [];
  if (health !== undefined) {
    const starting = health.startPeriod > 0;
    found.push({
      first: starting ? Math.min(health.startInterval, health.interval) : health.interval,
      interval: health.interval,
      // The command of a check ends with another code while the container is starting.
      intervalAfterFailure: health.startInterval,
      command: eventCommand(engine, 'health', id),
    });
  }
  if (timeout !== undefined)
    found.push({
      first: timeout,
      interval: 0,
      intervalAfterFailure: 0,
      command: eventCommand(engine, 'timeout', id),
    });
  return found;
}
