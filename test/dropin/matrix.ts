// Declares each case once for each runtime; the engine of a runtime is opened by its first case.

import { after, test } from 'node:test';
import { peersMissing } from '../peers/harness.ts';
import { LONG, RUNTIMES, type Runtime } from './runtimes.ts';

/** What cases are given: an engine in a room. */
export interface Engine {
  /** What its daemons have said, for the message of a failure. */
  log(): string;
  close(): Promise<void>;
}

/** Cases by name. */
export type Cases<E> = Readonly<Record<string, (engine: E, runtime: Runtime) => Promise<void>>>;

const skip = peersMissing() ?? false;

/** Seconds after which a case has failed. */
const LIMIT = 90;

async function explained<E extends Engine>(engine: E, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Error) error.message += `\n${engine.log()}`;
    throw error;
  }
}

/** Declares cases that take their time or are rare, for the long round alone. */
export function longMatrix<E extends Engine>(
  subject: string,
  open: (runtime: Runtime) => Promise<E>,
  cases: Cases<E>,
): void {
  if (LONG) matrix(subject, open, cases);
  else test(`${subject}: ${Object.keys(cases).length} cases more`, { skip: 'in the long round' });
}

/**
 * Declares tests, named `SUBJECT: CASE (RUNTIME)`.
 * @param open makes the engine of a runtime; when it fails, so does each case
 */
export function matrix<E extends Engine>(
  subject: string,
  open: (runtime: Runtime) => Promise<E>,
  cases: Cases<E>,
): void {
  for (const runtime of RUNTIMES) {
    let opened: Promise<E> | undefined;
    for (const [name, body] of Object.entries(cases)) {
      test(`${subject}: ${name} (${runtime.label})`, { skip, timeout: LIMIT * 1000 }, async () => {
        opened ??= open(runtime);
        const engine = await opened;
        await explained(engine, () => body(engine, runtime));
      });
    }
    after(async () => {
      const engine = await opened?.catch(() => undefined);
      await engine?.close();
    });
  }
}
