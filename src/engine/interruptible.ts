// Ends the wait for something that takes its time when a signal has come that ends the command.
import type { Port } from '../host/port.ts';
import type { HeldSignals } from '../runtime/held-signals.ts';
import { sleep } from '../runtime/removal.ts';

/** Milliseconds between two looks for a signal. */
const LOOK = 50;

/**
 * Waits for a pull that a person may end. What is under way ends with this program: its parts are gone on with by the
 * next pull. Throws CaissonError EINTERRUPTED.
 */
export async function interruptible<T>(
  port: Port,
  signals: HeldSignals | undefined,
  work: Promise<T>,
): Promise<T> {
  if (signals === undefined) return await work;
  let ended = false;
  const interrupted = async (): Promise<never> => {
    for (;;) {
      await sleep(port, LOOK);
      // Nobody waits for this any more.
      if (ended) return await new Promise<never>(() => undefined);
      await signals.check();
    }
  };
  try {
    return await Promise.race([work, interrupted()]);
  } finally {
    ended = true;
    work.catch(() => undefined);
  }
}
