// `system event`: what the monitor of a container runs when something has happened. Each is a short command of its own.
import type { Bytes } from '../../linux/bytes.ts';
import { SIGNALS } from '../../linux/signals.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Engine } from './engine.ts';
import { type ContainerView, viewContainer, willRestart } from './find.ts';
import { withPlace } from './place-lock.ts';
import { removeHeld } from './remove.ts';
import { ranFor } from './run-record.ts';
import { settle } from './settle.ts';
import { FIRST_BACKOFF, LONGEST_BACKOFF, startContainer } from './start.ts';
import { signalView, stopView } from './stop.ts';

/** A run that lasted so long, in milliseconds, counts as one that succeeded: the delay begins anew (docker's). */
const STABLE = 10_000;

/**
 * The first process of a container has ended, and its monitor has become this command: settles the run, then removes the
 * container, or starts it again.
 */
export async function exited(engine: Engine, id: Bytes): Promise<void> {
  const next = await withPlace(engine, id, async (held) => {
    const view = viewContainer(engine, id);
    if (view === undefined || view.exit === undefined || view.status === 'removing') return undefined;
    if (view.file.autoRemove) {
      await removeHeld(engine, held, view);
      return undefined;
    }
    // Somebody was faster: a stop, or a start, after which it may have ended again.
    if (!view.unsettled) return undefined;
    const { run } = view;
    // The start settles, under the same lock: nobody finds it ended in between.
    if (run !== undefined && willRestart(view.file, run, view.exit))
      return { restarts: run.restarts + 1, backoff: backoffAfter(engine, view) };
    await settle(engine, held, view);
    return undefined;
  });
  if (next !== undefined) await startContainer(engine, id, { restart: next });
}

function backoffAfter({ port }: Engine, { run }: ContainerView): number {
  if (run === undefined) return 0;
  // Its monitor has waited for the delay since the end.
  const lasted = ranFor(port, run) - run.backoff;
  return lasted > STABLE ? FIRST_BACKOFF : Math.min(2 * run.backoff, LONGEST_BACKOFF);
}

/** The time of `--timeout` is over: the signal that was asked for, then SIGKILL for the whole tree. */
export async function timedOut(engine: Engine, id: Bytes): Promise<void> {
  const view = viewContainer(engine, id);
  if (view === undefined || view.pid === 0) return;
  if (view.file.flags.stopSignal === undefined) await signalView(engine, view, SIGNALS.SIGKILL);
  else await stopView(engine, view, { timeout: undefined, signal: undefined });
}

export type EventKind = 'exit' | 'timeout' | 'health';

/** Throws CaissonError `EUSAGE` for an unknown kind. The result is the exit code, which chooses the next interval. */
export async function handleEvent(engine: Engine, kind: Bytes, id: Bytes): Promise<number> {
  if (kind === 'exit') await exited(engine, id);
  else if (kind === 'timeout') await timedOut(engine, id);
  else if (kind === 'health') return await (await import('./health.ts')).checkHealth(engine, id);
  else throw new CaissonError(`unknown event: ${kind}`, { code: 'EUSAGE' });
  return 0;
}
