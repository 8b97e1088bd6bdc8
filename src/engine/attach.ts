// What connects an attached container with the caller: signals are passed on, a terminal is pumped, time is kept.
import type { Port } from '../host/port.ts';
import { SIGNALS } from '../linux/signals.ts';
import type { Running } from '../runtime/start.ts';
import { pumpTerminal } from './terminal.ts';

/** The signals that a supervisor or a terminal sends to the command and means for the container. */
const FORWARDED = [
  SIGNALS.SIGHUP,
  SIGNALS.SIGINT,
  SIGNALS.SIGQUIT,
  SIGNALS.SIGTERM,
  SIGNALS.SIGUSR1,
  SIGNALS.SIGUSR2,
];

export interface AttachOptions {
  readonly forwardSignals: boolean;
  /** Keys of the caller's terminal go to the container's. */
  readonly interactive: boolean;
  /** Milliseconds until the container is killed. */
  readonly timeout?: number | undefined;
  readonly detachKeys?: readonly number[];
}

/** Passes signals on from now on; the result ends that. */
export function forwardSignals(port: Port, running: Running): () => void {
  return port.onSignals(FORWARDED, (signal) => {
    void running.signal(signal);
  });
}

/** Connects a running container; the result takes everything back that was done to the caller's terminal. */
export function attach(port: Port, running: Running, options: AttachOptions): () => void {
  const ends: (() => void)[] = [];
  if (options.forwardSignals) ends.push(forwardSignals(port, running));
  if (running.terminal >= 0) ends.push(pumpTerminal(port, running, options.interactive));
  if (options.timeout !== undefined) {
    ends.push(
      port.after(options.timeout, () => {
        void running.signal(SIGNALS.SIGKILL);
      }),
    );
  }
  return () => {
    for (const end of ends) end();
  };
}
