// Attackers that go on while others start: background containers and programs that end with their standard input.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { type CallOptions, type Part, Started } from '../harness/caisson.ts';
import type { Arena } from './arena.ts';

/** A container in the background, and PID 1 of it as the host sees it. */
export interface Neighbour {
  readonly id: string;
  readonly started: Started;
  readonly pid: number;
  /** Ends its standard input, and waits for its end. */
  readonly end: () => Promise<string>;
}

/** Starts a container that ends with its standard input, and waits until it has printed `ready`. */
export async function neighbour(
  arena: Arena,
  parts: Part,
  script: string,
  ready: string,
  options: CallOptions = {},
): Promise<Neighbour> {
  const pidFile = `${arena.makeDirectory('pid')}/pid`;
  const bundle = arena.bundle(parts, script);
  const id = arena.newId();
  const started = arena.start(['oci', 'run', '--bundle', bundle, '--pid-file', pidFile, id], {
    ...options,
    stdin: 'pipe',
  });
  await started.until(() => existsSync(pidFile) && started.stdout.includes(ready), `"${ready}"`);
  const end = async () => {
    started.child.stdin?.end();
    return (await started.end()).stdout;
  };
  return { id, started, pid: Number(readFileSync(pidFile, 'utf8')), end };
}

/** Runs `work` while a program of the host exchanges two names as quickly as it can. */
export async function whileSwapping<T>(
  arena: Arena,
  a: string,
  b: string,
  work: () => T | Promise<T>,
): Promise<T> {
  const swapper = arena.watched(
    new Started(spawn(arena.probe, ['swap', a, b], { stdio: ['pipe', 'pipe', 'pipe'] })),
  );
  await swapper.untilPrinted('swapping');
  try {
    return await work();
  } finally {
    swapper.child.stdin?.end();
    await swapper.end();
  }
}
