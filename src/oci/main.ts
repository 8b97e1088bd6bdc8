// runc's command line, on any engine: global options, one command, and its end as an exit code.

import type { Port } from '../host/port.ts';
import { type Bytes, utf8ToBytes } from '../linux/bytes.ts';
import { defaultStateRoot } from '../runtime/state.ts';
import { CaissonError } from '../spec/error.ts';
import { OCI_VERSION } from '../spec/validate.ts';
import { absolute, type Globals, type Invocation, type OciCommand, usageError } from './command.ts';
import { COMMANDS, GLOBAL_FLAGS, LATER_COMMANDS } from './commands.ts';
import { errorText } from './errors.ts';
import { type Parsed, parseCommandLine, parseGlobals } from './grammar.ts';
import { Log } from './log.ts';
import { logStep } from './stages.ts';
import { RUNC_VERSION, VERSION } from './version.ts';

const OWN_FAILURE = 1;

/** What urfave/cli exits with when it has no help to show. */
const NO_SUCH_TOPIC = 3;

/**
 * Runs `args`, the words after the program's name; the result is the exit code. Errors are logged here, once: on
 * standard error, and in the file of `--log`. `program` is how this was called, for help.
 */
export async function ociMain(port: Port, args: readonly Bytes[], program?: string): Promise<number> {
  const called = { port, log: new Log(port), command: undefined };
  const session: Session = { ...called, program: () => program ?? calledAs(port) };
  try {
    return await dispatch(session, args);
  } catch (error) {
    return failed(session, error);
  }
}

interface Session {
  readonly port: Port;
  /** The name by which this was called. */
  readonly program: () => string;
  readonly log: Log;
  /** Known when its arguments have been read. */
  command: OciCommand | undefined;
}

async function dispatch(session: Session, args: readonly Bytes[]): Promise<number> {
  const { port, log } = session;
  const { parsed, rest } = await orHelp(session, undefined, () => parseGlobals(GLOBAL_FLAGS, args));
  openLog(port, log, parsed);
  if (parsed.on('version')) return printVersion(session);
  const [name, ...words] = rest;
  if (name === undefined || parsed.on('help')) return showHelp(session, name);
  if (name === 'help' || name === 'h') return showHelp(session, words[0]);
  if (LATER_COMMANDS.includes(name) && /^--?h(?:elp)?$/.test(words[0] ?? '')) return showHelp(session, name);
  refuseLater(parsed, name);
  const command = await load(name);
  const line = await orHelp(session, command, () => parseCommandLine(command, words));
  if (line.on('help')) return showHelp(session, name);
  await checkCount(session, command, line);
  session.command = command;
  const globals = readGlobals(port, parsed);
  return command.run(invocation(session, globals, line));
}

/** Without a command of that name there is no help about it either, which is what runc says. */
async function load(name: Bytes): Promise<OciCommand> {
  const entry = COMMANDS.find((each) => each.name === name);
  if (entry !== undefined) return (await entry.load()).command;
  throw new CaissonError(`No help topic for '${name}'`, { code: 'ENOTOPIC', exitCode: NO_SUCH_TOPIC });
}

function refuseLater(parsed: Parsed, name: Bytes): void {
  if (LATER_COMMANDS.includes(name)) throw later(`"${name}"`);
  if (parsed.on('systemd-cgroup')) throw later('--systemd-cgroup');
  const manager = parsed.text('cgroup-manager') ?? 'cgroupfs';
  if (manager !== 'cgroupfs') throw later(`--cgroup-manager ${manager}`);
}

function later(what: Bytes): CaissonError {
  return new CaissonError(`${what} comes in a later issue`, { code: 'ELATER', exitCode: OWN_FAILURE });
}

function openLog(port: Port, log: Log, parsed: Parsed): void {
  const format = parsed.text('log-format') ?? 'text';
  if (format !== 'text' && format !== 'json') throw new CaissonError(`invalid log-format: ${format}`, own());
  log.debugging = parsed.on('debug') || parsed.text('log-level') === 'debug';
  if (log.debugging) port.told = (step) => logStep(log, step);
  // crun names the backend, of which this is the only one.
  const file = parsed.text('log')?.replace(/^file:/, '');
  try {
    log.open(file, format === 'json');
  } catch (error) {
    const { message } = error as Error;
    throw new CaissonError(utf8ToBytes(`open ${file}: ${message}`), { ...own(), cause: error });
  }
}

function own() {
  return { code: 'EUSAGE', exitCode: OWN_FAILURE };
}

function readGlobals(port: Port, parsed: Parsed): Globals {
  const stateRoot = parsed.isSet('root')
    ? clean(absolute(port, parsed.text('root') ?? '.'))
    : defaultStateRoot(port);
  if (stateRoot === '/') {
    throw new CaissonError('Option --root argument should not be set to /', own());
  }
  return {
    stateRoot,
    rootGiven: parsed.isSet('root'),
    debug: parsed.on('debug'),
    rootless: rootless(parsed.text('rootless') ?? 'auto'),
  };
}

/** `true`, `false` as Go's strconv has them, or `auto`. */
function rootless(text: Bytes): boolean | undefined {
  if (text.toLowerCase() === 'auto') return undefined;
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(?:0|f|F|FALSE|false|False)$/.test(text)) return false;
  throw new CaissonError(`--rootless ${text}: use true, false or auto`, own());
}

/** A path without empty names, `.` and `..`, as Go's filepath.Clean. */
function clean(path: Bytes): Bytes {
  const names: Bytes[] = [];
  for (const name of path.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return `/${names.join('/')}`;
}

function invocation({ port, log }: Session, globals: Globals, parsed: Parsed): Invocation {
  return {
    port,
    parsed,
    globals,
    log,
    target: () => {
      const [id = ''] = parsed.words;
      if (id === '') throw new CaissonError('container id cannot be empty', own());
      return { stateRoot: globals.stateRoot, id };
    },
    out: (text) => port.write(1, text),
  };
}

async function checkCount(session: Session, command: OciCommand, line: Parsed): Promise<void> {
  const [least, most] = command.arguments;
  const count = line.words.length;
  if (count >= least && count <= most) return;
  session.port.write(1, 'Incorrect Usage.\n\n');
  await showHelp(session, command.name);
  const wanted =
    least === most ? `exactly ${least}` : count < least ? `a minimum of ${least}` : `a maximum of ${most}`;
  throw usageError(`${session.program()}: "${command.name}" requires ${wanted} argument(s)`);
}

/** What `read` gives; a wrong option is told with the help, as runc does. */
async function orHelp<T>(session: Session, command: OciCommand | undefined, read: () => T): Promise<T> {
  try {
    return read();
  } catch (error) {
    if (error instanceof CaissonError) session.port.write(2, `Incorrect Usage: ${error.message}\n\n`);
    await showHelp(session, command?.name);
    throw error;
  }
}

async function showHelp({ port, program: called }: Session, name: Bytes | undefined): Promise<number> {
  const program = called();
  const { commandHelp, programHelp } = await import('./help.ts');
  const text =
    name === undefined || name === 'help'
      ? programHelp(program, VERSION, GLOBAL_FLAGS, COMMANDS)
      : LATER_COMMANDS.includes(name)
        ? commandHelp(program, laterCommand(name))
        : commandHelp(program, await load(name));
  port.write(1, text);
  return 0;
}

function laterCommand(name: string) {
  const nothing = { flags: [], arguments: [1, 1] } as const;
  return { name, summary: 'Comes in a later issue', usage: '<container-id>', ...nothing };
}

/** The lines that engines read: what it is, the commit, the version of the specification. */
function printVersion({ port }: Session): number {
  port.write(1, `caisson-oci ${VERSION}, compatible with runc version ${RUNC_VERSION}\n`);
  port.write(1, `commit: caisson-${VERSION}\nspec: ${OCI_VERSION}\n`);
  return 0;
}

function failed({ log, port, command }: Session, error: unknown): number {
  // What runc's own child says before it is gone, and no line of a log.
  const bare = error instanceof CaissonError && error.code === 'EINTERPRETER';
  const text = bare ? errorText(error) : `${command?.failure ?? ''}${errorText(error)}`;
  if (!bare) log.error(text);
  else if (log.isVisible) port.write(2, `${text}\n`);
  if (!log.isVisible) port.write(2, `${text}\n`);
  if (error instanceof Error) log.debug(utf8ToBytes(error.stack ?? ''));
  if (command?.failureCode !== undefined) return command.failureCode;
  return error instanceof CaissonError && error.code === 'ENOTOPIC' ? error.exitCode : OWN_FAILURE;
}

/** The last name of what execve(2) was given as the program's own. */
function calledAs(port: Port): string {
  const [path = ''] = (port.readFile('/proc/self/cmdline') ?? '').split('\0');
  return path.slice(path.lastIndexOf('/') + 1) || 'caisson-oci';
}
