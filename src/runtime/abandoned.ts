// What a run leaves whose keeper was killed: its launcher for a moment, processes in its cgroups, cgroups, files.
import { type Cgroup, describeCgroups } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { LOCK_EX, O_CLOEXEC, O_RDONLY } from '../linux/constants/open.ts';
import { LOCK_OPERATIONS } from '../linux/flags.ts';
import { SIGNALS } from '../linux/signals.ts';
import { call, number, slot, value } from '../plan/call.ts';
import { connectCalls } from '../plan/compile/sockets.ts';
import { step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import { removeParents } from './parents.ts';
import type { Player } from './player.ts';
import { processesInside, removeCgroups, sleep } from './removal.ts';
import { signalProcess } from './signal-process.ts';
import { bootId, type ContainerRecord, isAlive, keptRecord, type ProcessIdentity } from './state.ts';

/** A killed process is gone within milliseconds; one that sleeps uninterruptibly is not waited for longer. */
const PATIENCE = 2000;
const PAUSE = 2;

/** What was done, or in a rehearsal would be done, as one line. */
export type Tell = (line: string) => void;

/**
 * Keeps others who take things away out of this state directory, until the launcher ends. Under it a record stays
 * what it is: no run can take the id of a record that exists.
 */
export async function lockStateRoot(player: Player, root: Bytes): Promise<void> {
  const directory = slot('state root');
  await player.play([
    step('parent', 'lock', `lock ${root}`, 'default: one clean-up at a time', [
      sys.openat(sys.AT_FDCWD, root, O_RDONLY | O_CLOEXEC, 0, { result: directory }),
      call('flock', [value(directory), number(LOCK_EX, LOCK_OPERATIONS)]),
    ]),
  ]);
}

/**
 * Ends a process by SIGKILL and waits for it, at most 2 s.
 */
export async function endProcess(port: Port, player: Player, identity: ProcessIdentity): Promise<void> {
  await signalProcess(port, player, identity, SIGNALS.SIGKILL);
  for (let waited = 0; waited < PATIENCE && isAlive(port, identity); waited += PAUSE)
    await sleep(port, PAUSE);
}

/** The cgroups of other containers that live: a later one may have been given the path of a dead one. */
export function cgroupsInUse(port: Port, stateRoot: Bytes, except?: Bytes): Bytes[] {
  return port
    .list(stateRoot)
    .filter((id) => id !== except)
    .flatMap((id) => keptRecord(port, stateRoot, id)?.cgroups ?? [])
    .map(({ directory }) => directory);
}

/**
 * The cgroups of a start that failed, without those that another container has: two that are created at once with the
 * same path both see it empty, and the one that comes too late must not kill the other's processes.
 */
export function ownCgroups(
  port: Port,
  stateRoot: Bytes,
  { id, cgroups }: Pick<ContainerRecord, 'id' | 'cgroups'>,
): Cgroup[] {
  const taken = cgroupsInUse(port, stateRoot, id);
  return cgroups.filter((cgroup) => !isTaken(cgroup, taken));
}

/** Whether the cgroup, or one below it, belongs to a container that lives. */
function isTaken({ directory }: Cgroup, taken: readonly Bytes[]): boolean {
  return taken.some((other) => other === directory || other.startsWith(`${directory}/`));
}

/** What `clear` must know beside the record. */
export interface ClearOptions {
  readonly stateRoot: Bytes;
  /** `cgroupsInUse` */
  readonly taken: readonly Bytes[];
  /** By `lockStateRoot`, in this launcher. */
  readonly locked?: boolean;
  /** Nothing is done, only told. */
  readonly rehearsal?: boolean;
}

/** Nothing but files outlives a restart of the machine: a process of that number is another one. */
function sinceBoot(port: Port, record: ContainerRecord): Pick<ContainerRecord, 'launcher' | 'cgroups'> {
  return record.bootId === bootId(port) ? record : { launcher: { pid: 0, startTime: 0 }, cgroups: [] };
}

/**
 * A create that was killed right before it noted the first process has left it at its start barrier, where it ends with
 * a connection that says nothing. Without cgroups nothing else names it. Where nobody listens this fails, and may.
 */
async function endWaiting(player: Player, socket: Bytes): Promise<void> {
  const connection = slot('start');
  await player.attempt([
    step('parent', 'end-waiting', 'end a process that waits for its start', 'default: clean up', [
      ...connectCalls(socket, connection),
      sys.close(connection),
    ]),
  ]);
}

/**
 * Takes away what the run of this record has left; its keeper must be gone. The launcher first, which could otherwise
 * make a cgroup that was just removed. Throws CaissonError ECGROUPBUSY; the record then stays.
 */
export async function clear(
  port: Port,
  player: Player,
  record: ContainerRecord,
  options: ClearOptions,
  tell: Tell,
): Promise<void> {
  const { stateRoot, taken, rehearsal = false } = options;
  const { launcher, cgroups: named } = sinceBoot(port, record);
  const does = (plain: string, done: string) => (rehearsal ? `would ${plain}` : done);
  const say = (what: string) => {
    tell(`${record.id}: ${what}`);
  };
  if (isAlive(port, launcher)) {
    if (!rehearsal) await endProcess(port, player, launcher);
    say(`${does('kill', 'killed')} its launcher, process ${launcher.pid}`);
  }
  if (!rehearsal && record.oci !== undefined && record.oci.init === undefined)
    await endWaiting(player, `${stateRoot}/${record.id}/start`);
  const cgroups = named.filter((cgroup) => !isTaken(cgroup, taken));
  const present = cgroups.filter(({ directory }) => port.stat(directory) !== undefined);
  const inside = processesInside(port, present);
  if (!rehearsal) {
    await removeCgroups(port, player, cgroups);
    await removeParents(port, player, stateRoot, { ...record, cgroups: named }, options.locked);
  }
  if (inside.length > 0) say(`${does('kill', 'killed')} process ${inside.join(', ')}`);
  for (const described of describeCgroups(present)) say(`${does('remove', 'removed')} cgroup ${described}`);
  if (!rehearsal) port.remove(`${stateRoot}/${record.id}`);
  say(`${does('remove', 'removed')} ${stateRoot}/${record.id}`);
}
