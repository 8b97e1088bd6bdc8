// From a command line to the command that runs it, and from an error to its report.

import type { Flag } from '../frontends/flag.ts';
import { HandOver } from '../host/hand-over.ts';
import type { Port } from '../host/port.ts';
import { isTerminal, sizeOfTerminal } from '../host/tty.ts';
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import type { Command, CommandEntry, CommandGroup, Parsed } from './command.ts';
import type { Context, GlobalOptions } from './context.ts';
import { fullName, parseArguments, usageError } from './grammar.ts';
import { CATALOGUE, COMMANDS, GLOBAL_FLAGS, LATER_COMMANDS } from './registry.ts';
import { exitCodeOf, reportError, reportWarning } from './report.ts';

/** What is known before a command is: enough to report its errors. */
interface Session {
  readonly port: Port;
  debug: boolean;
}

/**
 * Runs the command line of this process; the result is the exit code. Errors are printed here, once. Throws HandOver
 * where another program has to do it.
 */
export async function dispatch(port: Port): Promise<number> {
  const session: Session = { port, debug: false };
  try {
    return await runArguments(port.arguments, session);
  } catch (error) {
    if (error instanceof HandOver) throw error;
    port.write(2, reportError(error, { colour: isTerminal(2), debug: session.debug }));
    return exitCodeOf(error);
  }
}

async function runArguments(args: readonly Bytes[], session: Session): Promise<number> {
  const parsed = parseGlobals('', GLOBAL_FLAGS, args);
  const globals = globalOptions(parsed);
  session.debug = globals.debug;
  const context = makeContext(session.port, globals);
  const [name, ...rest] = parsed.positionals;
  if (parsed.flags.get('version') === true)
    return (await import('./commands/version.ts')).printVersion(context);
  if (name === undefined || parsed.flags.get('help') === true) {
    const { rootHelp } = await import('./help.ts');
    context.out(rootHelp(CATALOGUE.summary, GLOBAL_FLAGS, COMMANDS, context.width).trimEnd());
    return 0;
  }
  const entry = COMMANDS.find((each) => each.name === name);
  if (entry === undefined) throw unknownCommand(name);
  if (!('group' in entry)) return runCommand(entry, rest, context);
  if ('forward' in entry.group) return entry.group.forward(rest, context);
  return runGroup(entry.group, rest, context);
}

async function runGroup(group: CommandGroup, args: readonly Bytes[], context: Context): Promise<number> {
  const parsed = parseGlobals(group.name, group.flags, args, group.singleDash);
  const [name, ...rest] = parsed.positionals;
  if (name === undefined || parsed.flags.get('help') === true) {
    const { groupHelp } = await import('./help.ts');
    context.out(groupHelp(group, context.width).trimEnd());
    return 0;
  }
  const entry = group.commands.find((each) => each.name === `${group.name} ${name}`);
  if (entry === undefined) {
    throw usageError(group.name, `unknown command: ${fullName(group.name)} ${name}`);
  }
  return runCommand(entry, rest, context);
}

async function runCommand(entry: CommandEntry, args: readonly Bytes[], context: Context): Promise<number> {
  const { command } = await entry.load();
  const parsed = parseArguments(command, args);
  if (parsed.flags.get('help') === true) return showHelp(command, context);
  return command.run(parsed, context);
}

async function showHelp(command: Command, context: Context): Promise<number> {
  const { commandHelp } = await import('./help.ts');
  context.out(commandHelp(command, context.width).trimEnd());
  return 0;
}

function parseGlobals(
  name: string,
  flags: readonly Flag[],
  args: readonly Bytes[],
  singleDash = false,
): Parsed {
  const shape = { name, usage: '[OPTIONS] COMMAND', flags, singleDash };
  return parseArguments(
    { ...shape, arguments: [0, Number.POSITIVE_INFINITY], stopsAtPositional: true },
    args,
  );
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'panic'];

function globalOptions({ flags }: Parsed): GlobalOptions {
  const text = (name: string): Bytes | undefined => {
    const found = flags.get(name);
    return typeof found === 'string' ? found : undefined;
  };
  const logLevel = text('log-level') ?? 'info';
  if (!LEVELS.includes(logLevel)) {
    throw new CaissonError(`unable to parse logging level: ${logLevel}`, { code: 'EUSAGE' });
  }
  const debug = flags.get('debug') === true || logLevel === 'debug';
  return { dataRoot: text('data-root'), runtimeRoot: text('runtime-root'), debug, logLevel };
}

function makeContext(port: Port, globals: GlobalOptions): Context {
  return {
    port,
    globals,
    catalogue: CATALOGUE,
    // Only help asks.
    get width() {
      return sizeOfTerminal(1)?.columns ?? 80;
    },
    out: (line) => {
      port.write(1, `${line}\n`);
    },
    warn: (message) => {
      port.write(2, reportWarning(message));
    },
    engine: async () => (await import('./engine-calls.ts')).engineCalls,
  };
}

function unknownCommand(name: Bytes): CaissonError {
  const later = LATER_COMMANDS.get(name);
  if (later !== undefined) {
    return new CaissonError(`caisson ${name} comes with ${later}, not there yet`, { code: 'ELATER' });
  }
  return new CaissonError(`unknown command: caisson ${name}`, {
    code: 'EUSAGE',
    details: ['', "Run 'caisson --help' for more information"],
  });
}
