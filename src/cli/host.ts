// The port of the process that runs the command line: Bun's, with the C programs inside the executable, or Node's.

import type { Port } from '../host/port.ts';

/** The port; its module is loaded only now. */
export async function openPort(): Promise<Port> {
  if (process.versions.bun === undefined) return (await import('../host/node.ts')).nodePort();
  return (await import('../host/embedded.ts')).embeddedPort();
}

/** Leaves at once, with everything written: the engine's own shutdown costs 1.5 ms (measured). */
export async function leave(code: number): Promise<never> {
  if (process.versions.bun !== undefined) (await import('../host/bun.ts')).exitNow(code);
  process.exit(code);
}
