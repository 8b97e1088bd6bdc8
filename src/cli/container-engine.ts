// What commands about containers share: the engine of this command line, and one container after the other.
import type { Engine } from '../engine/containers/engine.ts';
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import type { Context } from './context.ts';
import { reportError } from './report.ts';
import { stateRoot } from './state-root.ts';

/** The engine; loaded when a command first needs it. */
export async function containerEngine(context: Context): Promise<Engine> {
  const { openEngine } = await import('../engine/containers/engine.ts');
  return await openEngine(context.port, {
    dataRoot: context.globals.dataRoot,
    stateRoot: stateRoot(context),
    warn: context.warn,
  });
}

/**
 * Does `work` for each container that was named, as docker does: the name is printed when it is done, and what failed
 * does not keep the others from it. The result is the exit code.
 */
export async function eachContainer(
  context: Context,
  names: readonly Bytes[],
  work: (name: Bytes) => Promise<Bytes | undefined | undefined>,
): Promise<number> {
  let code = 0;
  for (const name of names) {
    try {
      const line = await work(name);
      if (line !== undefined) context.out(line);
    } catch (error) {
      if (!(error instanceof CaissonError)) throw error;
      context.port.write(2, reportError(error, { colour: false, debug: context.globals.debug }));
      code = 1;
    }
  }
  return code;
}
