// The library: `import { run } from 'caisson'`. On Node and Bun, as root or as an ordinary user, without a daemon.
import { libraryRun, type RunInput, type RunOutput } from './engine/library-run.ts';
import type { Port } from './host/port.ts';
import { CaissonError } from './spec/error.ts';

export type { RunInput, RunOutput } from './engine/library-run.ts';
export type { RunFlags } from './frontends/docker/run-flags.ts';
export { CaissonError, type ErrorDetail } from './spec/error.ts';

let port: Promise<Port> | undefined;

async function open(): Promise<Port> {
  if (process.platform !== 'linux') {
    throw new CaissonError(
      `containers need a Linux kernel, and this is ${process.platform}: run this in a Linux virtual machine (WSL 2, Lima, ...)`,
      { code: 'EPLATFORM' },
    );
  }
  const [{ builtPrograms, readProgram }, { presentPort }] = await Promise.all([
    import('./host/programs.ts'),
    import('./host/present.ts'),
  ]);
  const { launcher, init, monitor } = builtPrograms();
  if (process.versions.bun === undefined)
    return presentPort((await import('./host/node.ts')).nodePort({ launcher, init, monitor }));
  const { bunPort } = await import('./host/bun.ts');
  return presentPort(
    bunPort({
      launcher: () => readProgram(launcher),
      init: () => readProgram(init),
      monitor: () => readProgram(monitor),
    }),
  );
}

/**
 * Runs a container until its end and says how it ended and what it wrote.
 *
 * Throws CaissonError when it cannot be started: `exitCode` is 125 for caisson's own failures, 126 for a program that
 * cannot be executed, 127 for one that is not there; `provenance` and `sources` name the field or flag. On macOS and
 * Windows importing works, and running says that a Linux kernel is needed.
 */
export async function run(input: RunInput): Promise<RunOutput> {
  port ??= open();
  // What images need is loaded when there is one.
  return libraryRun(await port, input, async (...image) =>
    (await import('./engine/library-image.ts')).libraryImage(...image),
  );
}
