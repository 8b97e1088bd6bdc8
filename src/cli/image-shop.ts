// What commands about images share: the store, progress, and docker's exit code for what went wrong.
import type { Reporter } from '../engine/images/reporter.ts';
import { SILENT } from '../engine/images/reporter.ts';
import { type Shop, withShop } from '../engine/images/shop.ts';
import { sizeOfTerminal } from '../host/tty.ts';
import { CaissonError } from '../spec/error.ts';
import type { Command, Parsed } from './command.ts';
import type { Context } from './context.ts';
import { reporterFor } from './progress.ts';

/** What a command does; its exit code is 0. */
type Work = (parsed: Parsed, context: Context) => Promise<void>;

/**
 * The `run` of a command that docker ends with 1 when it fails: 125 is for a wrong command line there. The result of
 * `work` may say another code.
 */
export function ending(work: Work | ((...args: Parameters<Work>) => Promise<number>)): Command['run'] {
  return async (parsed, context) => {
    try {
      return (await work(parsed, context)) ?? 0;
    } catch (error) {
      throw withExitCode(error);
    }
  };
}

const WRONG_USE = ['EUSAGE', 'ELATER'];

/** The same error with docker's exit code. */
function withExitCode(error: unknown): unknown {
  if (!(error instanceof CaissonError) || error.exitCode !== 125 || WRONG_USE.includes(error.code))
    return error;
  const { code, errno, syscall, provenance, sources, details, cause } = error;
  return new CaissonError(error.message, {
    code,
    ...(errno === undefined ? {} : { errno }),
    ...(syscall === undefined ? {} : { syscall }),
    provenance,
    sources,
    details,
    exitCode: 1,
    cause,
  });
}

/** Opens the store of this command line for `work`. */
export async function inShop<T>(
  context: Context,
  work: (shop: Shop) => Promise<T>,
  reporter: Reporter = warningsOnly(context),
): Promise<T> {
  return await withShop(context.port, { dataRoot: context.globals.dataRoot, reporter }, work);
}

/** Tells what went wrong, and nothing else. */
export function warningsOnly(context: Context): Reporter {
  return { ...SILENT, warn: context.warn };
}

/** Progress on standard output, as docker's pull and push have it; nothing but warnings when `quiet`. */
export function outputReporter(context: Context, quiet: boolean): Reporter {
  return quiet ? warningsOnly(context) : onDescriptor(context, 1);
}

/** Progress on standard error: standard output belongs to the container. */
export function errorReporter(context: Context, quiet: boolean): Reporter {
  return quiet ? warningsOnly(context) : onDescriptor(context, 2);
}

function onDescriptor(context: Context, descriptor: 1 | 2): Reporter {
  const { port, warn } = context;
  return reporterFor({
    write: (bytes) => {
      port.write(descriptor, bytes);
    },
    size: sizeOfTerminal(descriptor),
    warn,
    now: () => port.monotonic() / 1e6,
  });
}
