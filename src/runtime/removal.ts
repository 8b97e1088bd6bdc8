// Takes the cgroups of a container away: kills who is still inside, then removes the directories, nested ones too.
import { removeCgroups as removalRounds } from '../cgroups/destroy.ts';
import { freezerStateFile, freezeStep, thawStep } from '../cgroups/freezer.ts';
import { killStep, parseProcesses, signalStep } from '../cgroups/kill.ts';
import type { Cgroup } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { statusField } from '../linux/proc-status.ts';
import type { Step } from '../plan/step.ts';
import { CaissonError } from '../spec/error.ts';
import { Player, repliesOf } from './player.ts';

/** How long processes are given to die, in milliseconds. */
const PATIENCE = 2000;
/** The wait before the first and the longest wait before a later attempt, in milliseconds. */
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 50;

/**
 * Removes the directories. A container without a pid namespace of its own leaves processes behind, and so does one
 * whose launcher was killed: they are killed first. Throws CaissonError ECGROUPBUSY when they do not go within 2 s.
 */
export async function removeCgroups(port: Port, player: Player, cgroups: readonly Cgroup[]): Promise<void> {
  // Mostly they are empty, and rmdir(2) is all that there is to do: no batch for that.
  const rest = cgroups.filter(({ directory }) => port.removeEmpty?.(directory) !== true);
  let busy = await attempt(player, rest, 0);
  for (
    let waited = 0, pause = FIRST_PAUSE;
    busy.length > 0;
    waited += pause, pause = Math.min(2 * pause, LONGEST_PAUSE)
  ) {
    if (waited > PATIENCE) {
      const inside = processesInside(port, busy);
      const who = inside.length === 0 ? 'somebody' : `process ${inside.slice(0, 5).join(', ')}`;
      throw new CaissonError(`cgroup ${busy[0]?.directory} is busy: ${who} inside does not end`, {
        code: 'ECGROUPBUSY',
      });
    }
    await killInside(port, player, busy);
    await sleep(port, pause);
    busy = await attempt(player, busy, 1);
  }
}

/** The same by a launcher that still answers. */
export async function takeBack(port: Port, player: Player, cgroups: readonly Cgroup[]): Promise<void> {
  await byLiving(port, player, (living) => removeCgroups(port, living, cgroups));
}

/**
 * Cleans up after something has failed: what cannot be taken away is told, and must not hide the failure. Its record
 * stays, so that `delete --force` or `system repair` can try again.
 */
export async function afterFailure(
  tell: (message: string) => void,
  cleanUp: () => Promise<void>,
): Promise<void> {
  try {
    await cleanUp();
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
    tell(error.message);
  }
}

/** Does `work` with a fresh launcher where the container's own has been killed, or ended to end its child. */
export async function byLiving(
  port: Port,
  player: Player,
  work: (living: Player) => Promise<void>,
): Promise<void> {
  try {
    await work(player);
  } catch (error) {
    if (error instanceof CaissonError && error.code !== 'ELAUNCHER') throw error;
    await withLauncher(port, work);
  }
}

/** A launcher for as long as `work` takes. */
export async function withLauncher<T>(port: Port, work: (player: Player) => Promise<T>): Promise<T> {
  const channel = await port.openChannel();
  try {
    return await work(new Player(port, channel));
  } finally {
    await channel.close();
  }
}

/** The cgroups that are left. Without `rounds` only the directories themselves are tried: one batch. */
async function attempt(player: Player, cgroups: readonly Cgroup[], rounds: number): Promise<Cgroup[]> {
  if (cgroups.length === 0) return [];
  const removal = removalRounds(cgroups, { rounds });
  let round = removal.next();
  while (!round.done) round = removal.next(repliesOf(await player.play(round.value.steps)));
  const left = round.value;
  return cgroups.filter(({ directory }) => left.includes(directory));
}

/**
 * Sends SIGKILL to everybody inside. Where there is cgroup v2 the kernel does it, forks in flight included. The
 * others are listed, which loses against processes that fork all the time unless they are frozen meanwhile.
 */
export async function killInside(port: Port, player: Player, cgroups: readonly Cgroup[]): Promise<void> {
  const kill = killStep(cgroups.filter(({ directory }) => port.stat(directory) !== undefined));
  if (kill !== undefined) await player.play([kill]);
  const v1 = cgroups.filter(({ version, directory }) => version === 1 && port.stat(directory) !== undefined);
  const file = freezerStateFile(v1);
  const freezable =
    file !== undefined && port.stat(file) !== undefined && processesInside(port, v1).length > 0;
  if (freezable) await tryPlay(player, [freezeStep(v1)]);
  // Those of v2 too: a threaded cgroup cannot be killed as one.
  await player.play([signalStep(processesInside(port, cgroups))]);
  if (freezable) await tryPlay(player, [thawStep(v1)]);
}

/** A freezer may be gone by the time, with the cgroup. */
async function tryPlay(player: Player, steps: readonly Step[]): Promise<void> {
  try {
    await player.play(steps);
  } catch (error) {
    if (!(error instanceof CaissonError && error.code === 'ESYSCALL')) throw error;
  }
}

/** Process ids in these cgroups and below. */
export function processesInside(port: Port, cgroups: readonly Cgroup[]): number[] {
  const found = new Set<number>();
  const look = (directory: Bytes): void => {
    for (const pid of processesIn(port, directory)) found.add(pid);
    for (const { name, type } of port.entries(directory) ?? [])
      if (type === 'directory') look(`${directory}/${name}`);
  };
  for (const { directory } of cgroups) look(directory);
  return [...found];
}

/** A threaded cgroup of v2 tells its threads alone (EOPNOTSUPP): what they are threads of is the process. */
function processesIn(port: Port, directory: Bytes): number[] {
  const processes = tryRead(port, `${directory}/cgroup.procs`);
  if (processes !== undefined) return parseProcesses(processes);
  return parseProcesses(tryRead(port, `${directory}/cgroup.threads`) ?? '').flatMap((thread) => {
    const leader = Number(statusField(tryRead(port, `/proc/${thread}/status`) ?? '', 'Tgid'));
    return leader > 0 ? [leader] : [];
  });
}

/** A cgroup that goes meanwhile answers ENODEV, a process that ends ESRCH. */
function tryRead(port: Port, file: Bytes): Bytes | undefined {
  try {
    return port.readFile(file);
  } catch {
    return undefined;
  }
}

export function sleep(port: Pick<Port, 'after'>, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    port.after(milliseconds, resolve);
  });
}
