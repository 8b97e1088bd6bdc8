// Signals to the command from its first moment on: held until the container runs, so that none ends it unclean.
import type { Port } from '../host/port.ts';
import { SIGNALS, signalName } from '../linux/signals.ts';
import { CaissonError } from '../spec/error.ts';
import { sleep } from './removal.ts';
import type { Running } from './start.ts';

/** What a supervisor or a terminal sends to end the command. */
const ENDING: readonly number[] = [SIGNALS.SIGHUP, SIGNALS.SIGINT, SIGNALS.SIGQUIT, SIGNALS.SIGTERM];
/** Meant for the container: those, and two that programs give a meaning of their own. */
const HELD: readonly number[] = [...ENDING, SIGNALS.SIGUSR1, SIGNALS.SIGUSR2];

export interface HeldSignals {
  /** Throws CaissonError EINTERRUPTED, exit code 128 + the signal, when one has come that ends a command. */
  check(): Promise<void>;
  /** The container runs: it gets what was held and what will come; where not `forward`, a signal that ends kills it. */
  passTo(running: Running, forward: boolean): void;
  /** Signals act on this process again. */
  end(): void;
}

/** Without this a signal before the container runs would leave its record, its cgroups and an unpacked root. */
export function holdSignals(port: Port): HeldSignals {
  const held: number[] = [];
  let pass = (signal: number): void => {
    held.push(signal);
  };
  const end = port.onSignals(HELD, (signal) => {
    pass(signal);
  });
  return {
    end,
    async check() {
      // Handlers run when the event loop does.
      await sleep(port, 0);
      const signal = held.find((each) => ENDING.includes(each));
      if (signal === undefined) return;
      throw new CaissonError(`interrupted by ${signalName(signal)} before the program ran`, {
        code: 'EINTERRUPTED',
        exitCode: 128 + signal,
      });
    },
    passTo(running, forward) {
      pass = (signal) => {
        if (forward) void running.signal(signal);
        else if (ENDING.includes(signal)) void running.signal(SIGNALS.SIGKILL);
      };
      for (const signal of held.splice(0)) pass(signal);
    },
  };
}
