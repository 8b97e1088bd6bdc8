// Health checks: one command in the container at each interval, and what the last ones said (`containers/<id>/health.json`).
import type { Bytes } from '../../linux/bytes.ts';
import { stringifyJson } from '../../spec/json.ts';
import { tellContainer } from '../events/tell.ts';
import type { ContainerFile } from './container-file.ts';
import { type Engine, placeOf } from './engine.ts';
import { execCaptured } from './exec.ts';
import { viewContainer } from './find.ts';
import { type Health, type HealthLog, healthOf } from './health-record.ts';
import { ranFor } from './run-record.ts';

/** How many checks are kept, and how much of what each wrote (docker's). */
const KEPT = 5;
const OUTPUT = 4096;
/** The exit code of the command of a check while the container is still starting: it has another interval. */
const STILL_STARTING = 1;

/** Looks at the health of a container once. The result is the exit code of the command of the check. */
export async function checkHealth(engine: Engine, id: Bytes): Promise<number> {
  const view = viewContainer(engine, id);
  if (view?.file.health === undefined || view.run === undefined || view.status !== 'running') return 0;
  const { file, run } = view;
  const { health } = view.file;
  const place = placeOf(engine, id);
  const start = new Date().toISOString();
  const starting = ranFor(engine.port, run) < health.startPeriod;
  const [kind, ...words] = health.test;
  const args = kind === 'CMD-SHELL' ? [...shellOf(file), ...words] : words;
  const done = await execCaptured(engine, view, args, { timeout: health.timeout, limit: OUTPUT });
  const log: HealthLog = {
    Start: start,
    End: new Date().toISOString(),
    ExitCode: done.timedOut ? -1 : done.code,
    Output: done.timedOut ? `Health check exceeded timeout (${health.timeout / 1000}s)` : done.output,
  };
  const before = healthOf(engine.port, place, file, run) ?? {
    run: run.number,
    status: 'starting',
    failingStreak: 0,
    log: [],
  };
  const next = judged(before, log, file, starting);
  engine.port.replaceFile(`${place}/health.json`, stringifyJson(next), 0o600);
  if (next.status !== before.status) tellContainer(engine, `health_status: ${next.status}`, file);
  return next.status === 'starting' && starting ? STILL_STARTING : 0;
}

/** The image's own shell is not kept: docker's default. */
function shellOf(_file: ContainerFile): Bytes[] {
  return ['/bin/sh', '-c'];
}

/** `starting`: in the start period of the run. */
function judged(before: Health, log: HealthLog, file: ContainerFile, starting: boolean): Health {
  const { run } = before;
  const kept = [...before.log, log].slice(-KEPT);
  if (log.ExitCode === 0) return { run, status: 'healthy', failingStreak: 0, log: kept };
  // A failure while it starts does not count, unless it has been healthy before.
  if (before.status === 'starting' && starting)
    return { run, status: 'starting', failingStreak: 0, log: kept };
  const failingStreak = before.failingStreak + 1;
  const status = failingStreak >= (file.health?.retries ?? 3) ? 'unhealthy' : before.status;
  return { run, status, failingStreak, log: kept };
}
