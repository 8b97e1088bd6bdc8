// `exec`: one more process in a running container, as docker makes it from its flags.
import type { UserDatabase } from '../../frontends/docker/facts.ts';
import { resolveUser } from '../../frontends/users.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CAPABILITIES } from '../../linux/capabilities.ts';
import { SIGNALS } from '../../linux/signals.ts';
import { execProcess } from '../../runtime/exec.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Process, Spec, User } from '../../spec/runtime-spec.ts';
import { tellContainer } from '../events/tell.ts';
import { readUsers } from '../user-database.ts';
import type { Engine } from './engine.ts';
import { type ContainerView, findContainer } from './find.ts';

/** What `exec` takes. */
export interface ExecRequest {
  readonly args: readonly Bytes[];
  readonly tty: boolean;
  readonly interactive: boolean;
  readonly detach: boolean;
  readonly privileged: boolean;
  readonly user: Bytes | undefined;
  readonly workdir: Bytes | undefined;
  /** `NAME=value`; without a value it is taken away. */
  readonly env: readonly Bytes[];
}

/** The container that a process may be added to. Throws CaissonError in docker's words. */
export function runningContainer(engine: Engine, text: Bytes): ContainerView {
  const view = findContainer(engine, text);
  if (view.status === 'paused') {
    throw new CaissonError(`Container ${view.file.id} is paused, unpause the container before exec`, {
      code: 'ESTATUS',
      exitCode: 1,
    });
  }
  if (view.pid === 0 || view.exit !== undefined) {
    throw new CaissonError(`container ${view.file.id} is not running`, { code: 'ENOTRUNNING', exitCode: 1 });
  }
  return view;
}

/** Runs a process; the result is its exit code, 0 where it is detached. Throws CaissonError, exit code 126 or 127. */
export async function execInContainer(engine: Engine, text: Bytes, request: ExecRequest): Promise<number> {
  const view = runningContainer(engine, text);
  const user = await execUser(engine, view, request.user);
  const told = tellsExec(engine, view, request.args);
  const code = await asDocker(() =>
    execProcess(engine.port, targetOf(engine, view), {
      process: (spec) => execProcessOf(spec, request, user),
      detach: request.detach,
      ...(request.detach
        ? { stdio: { noInput: true, noOutput: true } }
        : request.interactive
          ? {}
          : { stdio: { noInput: true } }),
    }),
  );
  if (!request.detach) told('exec_die', { exitCode: String(code) });
  return code;
}

/** Tells the beginning of a process that is added to a container; the result tells its end. */
function tellsExec(engine: Engine, { file }: ContainerView, args: readonly Bytes[]) {
  const [one = 0, two = 0] = new Uint32Array(engine.port.random(8).slice().buffer);
  const execID = `${one.toString(16).padStart(8, '0')}${two.toString(16).padStart(8, '0')}`.padEnd(64, '0');
  const tellExec = (action: Bytes, more: Readonly<Record<Bytes, Bytes>> = {}): void => {
    tellContainer(engine, action, file, { execID, ...more });
  };
  tellExec(`exec_create: ${args.join(' ')}`);
  tellExec(`exec_start: ${args.join(' ')}`);
  return tellExec;
}

function targetOf({ stateRoot }: Engine, { file }: ContainerView) {
  return { stateRoot, id: file.id };
}

/** docker: 126 for a program that cannot be executed, 127 for one that is not there, 1 for the rest. */
export async function asDocker(work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
    const { code, errno, syscall, provenance, sources, details } = error;
    throw new CaissonError(error.message, {
      code,
      ...(errno === undefined ? {} : { errno }),
      ...(syscall === undefined ? {} : { syscall }),
      provenance,
      sources,
      details,
      exitCode: exitCodeOf(error),
      cause: error,
    });
  }
}

const NOT_FOUND = /no such file or directory|executable file not found/;
const NOT_EXECUTABLE = /permission denied|exec format error|is a directory/;

function exitCodeOf(error: CaissonError): number {
  const { cause } = error;
  const first = cause instanceof CaissonError ? cause : error;
  if (first.exitCode === 126 || first.exitCode === 127) return first.exitCode;
  if (NOT_FOUND.test(error.message)) return 127;
  return NOT_EXECUTABLE.test(error.message) ? 126 : 1;
}

/** The user by name is looked up in the container as it is now, by the launcher, on descriptors (T35). */
export async function execUser(
  { port }: Engine,
  { pid }: ContainerView,
  text: Bytes | undefined,
): Promise<User | undefined> {
  if (text === undefined) return undefined;
  const users = await readUsersOf(port, pid);
  const found = resolveUser(text, users);
  return { uid: found.uid, gid: found.gid, additionalGids: [...new Set([found.gid, ...found.groups])] };
}

async function readUsersOf(port: Engine['port'], pid: number): Promise<UserDatabase> {
  const channel = await port.openChannel({ noInput: true });
  try {
    return await readUsers(port, channel, `/proc/${pid}/root`);
  } finally {
    await channel.close();
  }
}

/** The process of the container with what the request says (docker's exec.go). */
export function execProcessOf(spec: Spec, request: ExecRequest, user: User | undefined): Process {
  const own = spec.process ?? { cwd: '/', user: { uid: 0, gid: 0 } };
  const who = user === undefined ? own.user : { ...user, ...umaskOf(own.user) };
  const capabilities = request.privileged
    ? allCapabilities(spec)
    : user !== undefined && user.uid !== 0 && own.capabilities !== undefined
      ? { bounding: own.capabilities.bounding ?? [] }
      : own.capabilities;
  return {
    ...own,
    args: request.args,
    terminal: request.tty,
    cwd: request.workdir ?? own.cwd,
    env: environment(own.env ?? [], request),
    user: who,
    ...(capabilities === undefined ? {} : { capabilities }),
    ...(request.privileged ? { noNewPrivileges: false } : {}),
  };
}

function umaskOf({ umask }: User): Pick<User, 'umask'> {
  return umask === undefined ? {} : { umask };
}

function allCapabilities(_spec: Spec): Process['capabilities'] {
  const all = Object.keys(CAPABILITIES);
  return { bounding: all, effective: all, permitted: all };
}

function environment(own: readonly Bytes[], { env, tty }: ExecRequest): Bytes[] {
  const variables = new Map<Bytes, Bytes>();
  const set = (entry: Bytes): void => {
    const equals = entry.indexOf('=');
    if (equals < 0) variables.delete(entry);
    else variables.set(entry.slice(0, equals), entry.slice(equals + 1));
  };
  for (const entry of own) set(entry);
  if (tty && !variables.has('TERM')) variables.set('TERM', 'xterm');
  for (const entry of env) set(entry);
  return [...variables].map(([name, value]) => `${name}=${value}`);
}

/** How a captured process ended. */
export interface Captured {
  readonly code: number;
  readonly timedOut: boolean;
  /** The first bytes of what it wrote, to both of its outputs. */
  readonly output: Bytes;
}

/** Runs a command as the container's own user, and gives it so many milliseconds; it is then killed. */
export async function execCaptured(
  engine: Engine,
  view: ContainerView,
  args: readonly Bytes[],
  options: { readonly timeout: number; readonly limit: number },
): Promise<Captured> {
  const { port } = engine;
  let output: Bytes = '';
  let timedOut = false;
  let cancel = (): void => undefined;
  const request = {
    ...{ args, tty: false, interactive: false, detach: false, privileged: false },
    ...{ user: undefined, workdir: undefined, env: [] },
  };
  try {
    const code = await execProcess(port, targetOf(engine, view), {
      process: (spec) => execProcessOf(spec, request, undefined),
      keepsSignals: true,
      stdio: {
        capture: true,
        output: (_, bytes) => {
          if (output.length < options.limit) output += bytes.slice(0, options.limit - output.length);
        },
      },
      started: (running) => {
        cancel = port.after(options.timeout, () => {
          timedOut = true;
          void running.signal(SIGNALS.SIGKILL);
        });
      },
    });
    return { code, timedOut, output };
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
    return { code: 1, timedOut, output: error.message };
  } finally {
    cancel();
  }
}
