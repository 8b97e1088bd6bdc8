// `kill` of the OCI runtime: a signal to the first process of a container, or to all of them.
//
// runtime-spec runtime.md, Kill. The process is named by a descriptor whose identity is compared after it was opened,
// so that no later process of the same number is hit.
import { freezerRequestFile, thawStep, v1Freezer } from '../cgroups/freezer.ts';
import type { Port } from '../host/port.ts';
import { SIGNALS } from '../linux/signals.ts';
import {
  type Container,
  containerSpec,
  notRunning,
  readContainer,
  type Target,
  withContainer,
} from './container.ts';
import type { Player } from './player.ts';
import { containerProcesses } from './processes.ts';
import { killInside, withLauncher } from './removal.ts';
import { signalProcess } from './signal-process.ts';
import { identify } from './state.ts';

/**
 * Sends a signal. With `all` every process in the container's cgroups gets it, also of a container whose first
 * process has ended. Throws CaissonError ENOTRUNNING, ENOTFOUND.
 */
export async function killContainer(port: Port, target: Target, signal: number, all: boolean): Promise<void> {
  const alone = await withLauncher(port, async (player) => {
    const container = readContainer(port, target);
    const { status } = container;
    if (all || status === 'stopped' || status === 'creating') return false;
    if (signal === SIGNALS.SIGKILL && sharesProcesses(port, container)) return false;
    // One process, by its descriptor: that needs no lock, and must not wait for a hook that hangs in `start`.
    await signalContainer(port, player, target, container, signal, false);
    return true;
  });
  if (!alone) await killLocked(port, target, signal, all);
}

/** What is in the container's cgroups may be another container's as soon as this one is deleted. */
async function killLocked(port: Port, target: Target, signal: number, all: boolean): Promise<void> {
  await withContainer(port, target, 'shared', async ({ player, container }) => {
    const ended = container.status === 'stopped' || container.status === 'creating';
    if (!all && ended && !(signal === SIGNALS.SIGKILL && isLeftBehind(port, target))) throw notRunning();
    await signalContainer(port, player, target, container, signal, all);
  });
}

/** Sends the signal; where it goes to all of them, under a lock that the caller holds. */
export async function signalContainer(
  port: Port,
  player: Player,
  target: Target,
  container: Container,
  signal: number,
  all: boolean,
): Promise<void> {
  const { record } = container;
  const { init } = record.oci;
  const everything = signal === SIGNALS.SIGKILL && (all || sharesProcesses(port, container));
  if (everything) await killInside(port, player, record.cgroups);
  if (all && signal !== SIGNALS.SIGKILL) {
    for (const pid of containerProcesses(port, target))
      await signalProcess(port, player, identify(port, pid), signal);
    return;
  }
  const sent = init !== undefined && (await signalProcess(port, player, init, signal));
  if (!sent && !all && !everything) throw notRunning();
  if (signal === SIGNALS.SIGKILL) await thawKilled(port, player, container);
}

/** A frozen process of cgroup v1 dies only when it is thawed, and is then no longer paused in v2 either. */
async function thawKilled(port: Port, player: Player, { record, status }: Container): Promise<void> {
  const v1 = v1Freezer(record.cgroups);
  if (v1 !== undefined && port.readFile(v1.asked)?.trim() === '1') await player.play([v1.thaw()]);
  if (status === 'paused' && freezerRequestFile(record.cgroups) !== undefined)
    await player.play([thawStep(record.cgroups)]);
}

/** Whether the first process has ended and others have not, which a pid namespace of their own would have ended. */
function isLeftBehind(port: Port, target: Target): boolean {
  const own = containerSpec(port, target).linux?.namespaces?.some(
    ({ type, path }) => type === 'pid' && (path ?? '') === '',
  );
  return own !== true && containerProcesses(port, target).length > 0;
}

/** Without a pid namespace of its own the others live on when the first process dies. */
function sharesProcesses(port: Port, { record }: Container): boolean {
  const pid = record.oci.init?.pid;
  if (pid === undefined) return true;
  const status = port.readFile(`/proc/${pid}/status`) ?? '';
  // NSpid lists its number in each namespace, the innermost last (proc_pid_status(5)).
  return !/^NSpid:.*\t1$/m.test(status);
}
