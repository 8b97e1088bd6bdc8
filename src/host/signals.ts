// Signals of this process, for the Node and Bun hosts.
import { signalName } from '../linux/signals.ts';

export function onSignals(signals: readonly number[], handler: (signal: number) => void): () => void {
  const listeners = signals.map((signal): [NodeJS.Signals, () => void] => [
    signalName(signal) as NodeJS.Signals,
    () => {
      handler(signal);
    },
  ]);
  for (const [name, listener] of listeners) process.on(name, listener);
  return () => {
    for (const [name, listener] of listeners) process.off(name, listener);
  };
}
