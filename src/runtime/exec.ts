// `exec` of the OCI runtime: one more process in a running container.
//
// runc's exec.go, utils_linux.go and setns_init_linux.go have the behaviour, its exit code 255 for failures included.
import { JOIN_CAUSE } from '../cgroups/join.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { ERRNO } from '../linux/errno.ts';
import { SIGNALS } from '../linux/signals.ts';
import type { Slot } from '../plan/call.ts';
import { compileExec } from '../plan/compile-exec.ts';
import { CaissonError } from '../spec/error.ts';
import type { Process } from '../spec/runtime-spec.ts';
import { attach } from './attach.ts';
import { type Container, type Held, readContainer, type Target, withContainer } from './container.ts';
import { preparedEnvironment } from './environment.ts';
import { type Approach, approach, homeFound, pidfdFound, sameProcess } from './exec-approach.ts';
import { type ExecOptions, type Preparation, prepareExec } from './exec-preparation.ts';
import { type HeldSignals, holdSignals } from './held-signals.ts';
import type { Played, Player } from './player.ts';
import { checkPreserved } from './preserved-descriptors.ts';
import { type Running, start } from './start.ts';
import { isAlive, type ProcessIdentity } from './state.ts';

/** runc's exit code where exec itself fails. */
const FAILED = 255;

/**
 * Runs a process in a container. The result is its exit code, 128 + the signal that killed it, or 0 when detached.
 * Throws CaissonError with exit code 255; no process is left then.
 */
export async function execProcess(port: Port, target: Target, options: ExecOptions): Promise<number> {
  let signals: HeldSignals | undefined;
  try {
    checkPreserved(port, options.preserveFds ?? 0);
    signals = options.detach || options.keepsSignals ? undefined : holdSignals(port);
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
  let first: Beginning | undefined;
  return await withContainer(
    port,
    target,
    'shared',
    async (held) => {
      const { player } = held;
      const found = await verified(port, target, held, first, options);
      const { running, process } = await begin(port, player, found, options);
      await noteProcess(port, player, running, options);
      if (options.detach) return 0;
      options.started?.(running);
      const detach = attach(port, running, signals, {
        forwardSignals: options.keepsSignals !== true,
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
      ...options.stdio,
      also: (container, lock) => {
        first = beginning(port, target, container, options, lock);
        return first?.approach.steps ?? [];
      },
      meanwhile: () => {
        try {
          first?.prepared();
        } catch (error) {
          // Told again, once it is known that the container can have a process at all.
          if (!(error instanceof CaissonError)) throw error;
        }
      },
    },
  );
}

/** What is begun while the lock is taken: for the container as it is found, or as it turns out to be. */
interface Beginning {
  readonly approach: Approach;
  /** Throws what is wrong with the process; a container that cannot have one is told first. */
  readonly prepared: () => Preparation;
}

function beginning(
  port: Port,
  target: Target,
  container: Container,
  options: ExecOptions,
  lock?: Slot,
): Beginning | undefined {
  const found = approach(container, options.process, lock);
  if (found === undefined) return undefined;
  let made: Preparation | undefined;
  const prepared = () => {
    made ??= prepareExec(port, target, container, found.init.pid, options);
    return made;
  };
  return { approach: found, prepared };
}

/** A first process that the launcher holds by a pidfd, which has been proven to be it. */
interface Found {
  readonly prepared: Preparation;
  readonly init: ProcessIdentity;
  readonly pidfd: number;
  readonly home: Bytes;
  readonly lock: number;
}

/** Throws CaissonError where the container cannot take a process now. */
async function verified(
  port: Port,
  target: Target,
  { player, container, played, lock }: Held,
  first: Beginning | undefined,
  options: ExecOptions,
): Promise<Found> {
  checkStatus(container, options);
  // Its status was read after the pidfd had been opened, start time and all.
  if (first !== undefined && sameProcess(first.approach.init, container.record.oci.init))
    return foundBy(player, first, played, lock);
  // The container came to life, or is another one, while this command waited for the lock.
  const again = beginning(port, target, container, options);
  if (again === undefined) throw stopped();
  const playedAgain = await player.attempt(again.approach.steps);
  const now = readContainer(port, target);
  checkStatus(now, options);
  if (!sameProcess(again.approach.init, now.record.oci.init)) throw stopped();
  return foundBy(player, again, playedAgain, lock);
}

async function foundBy(
  player: Player,
  { approach: { init }, approach: found, prepared: make }: Beginning,
  played: Played,
  lock: number,
): Promise<Found> {
  const pidfd = pidfdFound(found, played);
  if (pidfd < 0) throw stopped();
  const prepared = make();
  return { prepared, init, pidfd, lock, home: await homeFound(player, found, played, prepared.given) };
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
  { prepared, init, pidfd, home, lock }: Found,
  options: ExecOptions,
): Promise<{ readonly running: Running; readonly process: Process }> {
  const { spec, given, facts } = prepared;
  const process = { ...given, env: preparedEnvironment(given.env ?? [], home) };
  const target = { init: init.pid, pidfd, namespaces: prepared.namespaces, lock };
  const plan = compileExec(spec, process, facts, { ...prepared.options, target });
  options.compiled?.(plan);
  try {
    const pauses = options.detach ?? false;
    return { running: await start(port, player, { spec: { ...spec, process }, plan }, { pauses }), process };
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
    throw explained(port, player, error, init);
  }
}

/** What a failed step means, where that is not what it says. */
function explained(port: Port, player: Player, error: CaissonError, init: ProcessIdentity): CaissonError {
  const { errno, syscall, provenance } = error;
  // A process that is ending is no process to setns(2) any more, and still there for procfs.
  if (error.code === 'ESYSCALL' && (errno === ERRNO.ESRCH || !isAlive(port, init))) {
    return new CaissonError('cannot exec in a stopped container: it ended meanwhile', {
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
