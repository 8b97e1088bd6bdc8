// What connects an attached container with the caller: signals are passed on, a terminal is pumped, time is kept.
import type { Port } from '../host/port.ts';
import { SIGNALS } from '../linux/signals.ts';
import { type HeldSignals, holdSignals } from './held-signals.ts';
import type { Running } from './start.ts';
import { pumpTerminal } from './terminal.ts';

export interface AttachOptions {
  readonly forwardSignals: boolean;
  /** Keys of the caller's terminal go to the container's. */
  readonly interactive: boolean;
  /** Milliseconds until the container is killed. */
  readonly timeout?: number | undefined;
  /** A signal that is sent at that time; the container is killed `GRACE` later. */
  readonly timeoutSignal?: number | undefined;
  readonly detachKeys?: readonly number[];
}

/** Milliseconds between the stop signal and SIGKILL, as docker stop has it. */
const GRACE = 10_000;

function endAfter(port: Port, running: Running, timeout: number, signal: number | undefined): () => void {
  const kill = () => void running.signal(SIGNALS.SIGKILL);
  let cancel = port.after(timeout, () => {
    if (signal === undefined) {
      kill();
      return;
    }
    void running.signal(signal);
    cancel = port.after(GRACE, kill);
  });
  return () => cancel();
}

/** Connects a running container; the result takes everything back that was done here, `held` excepted. */
export function attach(
  port: Port,
  running: Running,
  held: HeldSignals | undefined,
  options: AttachOptions,
): () => void {
  const ends: (() => void)[] = [];
  const signals = held ?? (options.forwardSignals ? holdSignals(port) : undefined);
  signals?.passTo(running, options.forwardSignals);
  if (held === undefined && signals !== undefined) ends.push(signals.end);
  if (running.terminal >= 0) ends.push(pumpTerminal(port, running, options.interactive));
  if (options.timeout !== undefined)
    ends.push(endAfter(port, running, options.timeout, options.timeoutSignal));
  return () => {
    for (const end of ends) end();
  };
}
