// `exec` of the OCI runtime: one more process in a running container.
//
// runc's exec.go, utils_linux.go and setns_init_linux.go have the behaviour, its exit code 255 for failures included.
import { JOIN_CAUSE } from '../cgroups/join.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { ERRNO } from '../linux/errno.ts';
import { SIGNALS } from '../linux/signals.ts';
import type { StartPlan } from '../plan/compile.ts';
import { compileExec, type ExecOptions as PlanOptions } from '../plan/compile-exec.ts';
import type { HostFacts } from '../plan/facts.ts';
import { CaissonError } from '../spec/error.ts';
import type { Process, Spec } from '../spec/runtime-spec.ts';
import { attach } from './attach.ts';
import { type Container, type Held, readContainer, type Target, withContainer } from './container.ts';
import { preparedEnvironment } from './environment.ts';
import { type Approach, approach, homeFound, pidfdFound, sameProcess } from './exec-approach.ts';
import { execCgroups, foreignStdio, maySetGroups, otherNamespaces } from './exec-target.ts';
import { interpreterMissing } from './execution.ts';
import { processFacts } from './facts.ts';
import { type HeldSignals, holdSignals } from './held-signals.ts';
import type { Player } from './player.ts';
import { type Running, start } from './start.ts';
import { isAlive, type ProcessIdentity } from './state.ts';
import { withConsoleSize } from './terminal.ts';

export interface ExecOptions {
  /** The process, or what makes it of the container's configuration (flags of a command line). */
  readonly process: Process | ((spec: Spec) => Process);
  /** Returns once the program runs. */
  readonly detach?: boolean;
  /** Gets the process id, in decimal. */
  readonly pidFile?: Bytes;
  /** Unix sockets of the caller that get the terminal's master, and a pidfd of the process (SCM_RIGHTS). */
  readonly consoleSocket?: Bytes;
  readonly pidfdSocket?: Bytes;
  /** So many descriptors from 3 on are passed to the process. */
  readonly preserveFds?: number;
  /** `[controller[,controller]:]path` below the container's cgroups. */
  readonly cgroup?: readonly Bytes[];
  readonly ignorePaused?: boolean;
  readonly noNewKeyring?: boolean;
  /** Called with the plan before it is played. */
  readonly compiled?: (plan: StartPlan) => void;
}

/** runc's exit code where exec itself fails. */
const FAILED = 255;

/**
 * Runs a process in a container. The result is its exit code, 128 + the signal that killed it, or 0 when detached.
 * Throws CaissonError with exit code 255; no process is left then.
 */
export async function execProcess(port: Port, target: Target, options: ExecOptions): Promise<number> {
  const signals = options.detach ? undefined : holdSignals(port);
  try {
    return await inContainer(port, target, options, signals);
  } catch (error) {
    throw error instanceof CaissonError ? withExitCode(error) : error;
  } finally {
    signals?.end();
  }
}

function withExitCode(error: CaissonError): CaissonError {
  const { code, errno, syscall, provenance, sources, details, cause } = error;
  return new CaissonError(error.message, {
    code,
    provenance,
    sources,
    details,
    cause,
    exitCode: FAILED,
    ...(errno === undefined ? {} : { errno }),
    ...(syscall === undefined ? {} : { syscall }),
  });
}

async function inContainer(
  port: Port,
  target: Target,
  options: ExecOptions,
  signals: HeldSignals | undefined,
): Promise<number> {
  const keep = options.preserveFds ?? 0;
  checkPreserved(port, keep);
  let first: Approach | undefined;
  return await withContainer(
    port,
    target,
    'shared',
    async (held) => {
      const { player } = held;
      const found = await verified(port, target, held, first, options);
      const { running, process } = await begin(port, player, found, options, target.id);
      await noteProcess(port, player, running, options);
      if (options.detach) return 0;
      const detach = attach(port, running, signals, {
        forwardSignals: true,
        interactive: process.terminal === true,
      });
      try {
        return (await running.wait()).code;
      } finally {
        detach();
      }
    },
    {
      keep,
      also: (container, lock) => {
        first = approach(port, target, container, options.process, lock);
        return first?.steps ?? [];
      },
    },
  );
}

/** runc's own look at what it is to pass on. */
function checkPreserved(port: Port, keep: number): void {
  for (let index = 0; index < keep; index++) {
    if (port.stat(`/proc/self/fd/${3 + index}`) !== undefined) continue;
    throw new CaissonError(`unable to stat preserved-fd ${index} (of ${keep}): no such file or directory`, {
      code: 'EUSAGE',
      sources: ['--preserve-fds'],
    });
  }
}

/** A container whose first process the launcher holds by a pidfd that has been proven to be it. */
interface Found {
  readonly container: Container;
  readonly approach: Approach;
  readonly pidfd: number;
  readonly home: Bytes;
  readonly lock: number;
}

/** Throws CaissonError where the container cannot take a process now. */
async function verified(
  port: Port,
  target: Target,
  held: Held,
  first: Approach | undefined,
  options: ExecOptions,
): Promise<Found> {
  checkStatus(held.container, options);
  const { init } = held.container.record.oci;
  if (first !== undefined && sameProcess(first.init, init)) {
    // Its status was read after the pidfd had been opened, start time and all.
    const pidfd = pidfdFound(first, held.played);
    if (pidfd < 0) throw stopped();
    const home = await homeFound(held.player, first, held.played);
    return { container: held.container, approach: first, pidfd, home, lock: held.lock };
  }
  // The container came to life, or is another one, while this command waited for the lock.
  const again = approach(port, target, held.container, options.process);
  if (again === undefined) throw stopped();
  const played = await held.player.attempt(again.steps);
  const container = readContainer(port, target);
  checkStatus(container, options);
  const pidfd = pidfdFound(again, played);
  if (pidfd < 0 || !sameProcess(again.init, container.record.oci.init)) throw stopped();
  return {
    container,
    approach: again,
    pidfd,
    home: await homeFound(held.player, again, played),
    lock: held.lock,
  };
}

function stopped(): CaissonError {
  return new CaissonError('cannot exec in a stopped container', { code: 'ESTATUS' });
}

function paused(): CaissonError {
  return new CaissonError('cannot exec in a paused container (use --ignore-paused to override)', {
    code: 'ESTATUS',
  });
}

function checkStatus({ status }: Container, { ignorePaused = false }: ExecOptions): void {
  if (status === 'stopped' || status === 'creating') throw stopped();
  if (status === 'paused' && !ignorePaused) throw paused();
}

async function begin(
  port: Port,
  player: Player,
  { container, approach: { spec, process: given, init }, pidfd, home, lock }: Found,
  options: ExecOptions,
  id: Bytes,
): Promise<{ readonly running: Running; readonly process: Process }> {
  checkProcess(given, options);
  const env = preparedEnvironment(given.env ?? [], home);
  const sized =
    options.consoleSocket === undefined ? withConsoleSize(port, { ...spec, process: given }) : undefined;
  const process = { ...(sized?.process ?? given), env };
  const facts = processFacts(port, { ...spec, process });
  const namespaces = otherNamespaces(port, spec, init.pid);
  const cgroup = execCgroups(port, container.record.cgroups, init.pid, {
    frozen: options.ignorePaused ?? false,
    ...(options.cgroup === undefined ? {} : { given: options.cgroup }),
  });
  const plan = compileExec(spec, process, facts, {
    ...planOptions(port, process, facts, options, namespaces.includes('user') ? init.pid : undefined),
    id,
    target: { init: init.pid, pidfd, namespaces, lock },
    agent: { bundle: container.record.bundle, status: 'running', pid: init.pid },
    ...(cgroup === undefined ? {} : { cgroup }),
  });
  options.compiled?.(plan);
  try {
    const pauses = options.detach ?? false;
    return { running: await start(port, player, { spec: { ...spec, process }, plan }, { pauses }), process };
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
    throw interpreterMissing(port, `/proc/${init.pid}/root`, explained(port, player, error, init));
  }
}

/** `user` is a process of the user namespace that is joined. */
function planOptions(
  port: Port,
  process: Process,
  facts: HostFacts,
  options: ExecOptions,
  user: number | undefined,
): Omit<PlanOptions, 'id' | 'target'> {
  const { consoleSocket, pidfdSocket, preserveFds, noNewKeyring } = options;
  const lends = !facts.privileged && process.oomScoreAdj !== undefined;
  return {
    ownStdio: foreignStdio(port, process),
    ...(user === undefined ? {} : { mayCallSetgroups: maySetGroups(port, user) }),
    ...(lends ? { ownOomScore: Number(port.readFile('/proc/self/oom_score_adj')) } : {}),
    ...(consoleSocket === undefined ? { plainLineFeeds: port.terminal === undefined } : { consoleSocket }),
    ...(pidfdSocket === undefined ? {} : { pidfdSocket }),
    ...(preserveFds === undefined ? {} : { preserveFds }),
    ...(noNewKeyring === undefined ? {} : { noNewKeyring }),
  };
}

/** In runc's words (validateProcessSpec, checkTerminal). */
function checkProcess({ cwd, args = [], terminal = false }: Process, options: ExecOptions): void {
  const { detach = false, consoleSocket } = options;
  const refuse = (message: string, cause: string): never => {
    throw new CaissonError(message, { code: 'EUSAGE', provenance: [cause] });
  };
  if (cwd === '') refuse('Cwd property must not be empty', '/process/cwd');
  if (!cwd.startsWith('/')) refuse('Cwd must be an absolute path', '/process/cwd');
  if (args.length === 0) refuse('args must not be empty', '/process/args');
  if (detach && terminal && consoleSocket === undefined)
    refuse('cannot allocate tty if runc will detach without setting console socket', '/process/terminal');
  if ((!detach || !terminal) && consoleSocket !== undefined)
    refuse('cannot use console socket if runc will not detach or allocate tty', '/process/terminal');
}

/** What a failed step means, where that is not what it says. */
function explained(port: Port, player: Player, error: CaissonError, init: ProcessIdentity): CaissonError {
  const { errno, syscall, provenance } = error;
  if (error.code === 'ESYSCALL' && !isAlive(port, init)) {
    return new CaissonError(`cannot exec in a stopped container: it ended meanwhile`, {
      code: 'ESTATUS',
      cause: error,
    });
  }
  if (!provenance.includes(JOIN_CAUSE) && !(syscall === 'clone3' && errno === ERRNO.EBUSY)) return error;
  if (errno === ERRNO.EBUSY && syscall === 'CHECK') return paused();
  return new CaissonError(`error adding pid ${player.pid} to cgroups: ${error.message}`, {
    code: error.code,
    provenance,
    details: error.details,
    cause: error,
    ...(errno === undefined ? {} : { errno }),
    ...(syscall === undefined ? {} : { syscall }),
  });
}

/** A process that nobody could find must not go on. */
async function noteProcess(
  port: Port,
  player: Player,
  running: Running,
  { pidFile, detach }: ExecOptions,
): Promise<void> {
  if (pidFile === undefined) return;
  try {
    port.replaceFile(pidFile, String(running.pid), 0o644);
  } catch (error) {
    if (detach) await player.continue();
    await running.signal(SIGNALS.SIGKILL);
    await running.wait();
    const { code, message } = error as { readonly code?: string; readonly message: string };
    throw new CaissonError(`${pidFile} cannot be written: ${code ?? message}`, {
      code: 'EUSAGE',
      cause: error,
    });
  }
}
