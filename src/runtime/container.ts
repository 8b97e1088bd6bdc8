// A container of the OCI runtime by its id: its record, its status, and the lock under which a command changes it.
//
// runtime-spec runtime.md, State and Lifecycle. Commands that change something hold a lock on the container's
// directory; it belongs to the command's launcher, so that it ends with it, whatever happens.
import { freezerRequestFile } from '../cgroups/freezer.ts';
import type { Channel, ChannelOptions, Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import {
  F_DUPFD_CLOEXEC,
  LOCK_EX,
  LOCK_SH,
  O_CLOEXEC,
  O_RDONLY,
  RENAME_NOREPLACE,
} from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { LOCK_OPERATIONS, RENAME_FLAGS } from '../linux/flags.ts';
import { type Call, call, number, type Slot, slot, string, value } from '../plan/call.ts';
import { O_DIRECTORY } from '../plan/compile/destination.ts';
import { slotValue } from '../plan/encode.ts';
import { type Step, step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import { CaissonError } from '../spec/error.ts';
import type { Spec, State } from '../spec/runtime-spec.ts';
import { parseBundleConfiguration } from './bundle.ts';
import { type Played, Player } from './player.ts';
import { sleep } from './removal.ts';
import {
  type ContainerRecord,
  checkId,
  checkStateRoot,
  isAlive,
  isKept,
  load,
  type OciRecord,
  type ProcessIdentity,
  unclaimedName,
  write,
} from './state.ts';

/** Which container: the directory of all records, and the id in it. */
export interface Target {
  readonly stateRoot: Bytes;
  readonly id: Bytes;
}

/** runtime-spec runtime.md, State; `paused` is runc's. */
export type Status = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

/** A record that the OCI runtime wrote. */
export type OciContainerRecord = ContainerRecord & { readonly oci: OciRecord; readonly bundle: Bytes };

export interface Container {
  readonly record: OciContainerRecord;
  readonly status: Status;
}

/** A container under lock, and a launcher to change it with. */
export interface Held {
  readonly player: Player;
  readonly channel: Channel;
  readonly container: Container;
  /** The descriptor of the lock in the launcher. A child that lives on must not keep it. */
  readonly lock: number;
  /** The batch that took the lock, and its answer: what `also` asked for is in it. */
  readonly played: Played;
}

/** How long output is waited for when its process has ended, in milliseconds. */
const LAST_OUTPUT = 500;

export interface HeldOptions extends ChannelOptions {
  /** Steps of the same batch, played once the lock is held, from the record as it was before. They may fail. */
  readonly also?: (container: Container, lock: Slot) => readonly Step[];
  /** Called while that batch is played. */
  readonly meanwhile?: () => void;
}

function directoryOf({ stateRoot, id }: Target): Bytes {
  return `${stateRoot}/${id}`;
}

export function doesNotExist(id: Bytes): CaissonError {
  return new CaissonError(`container ${id} does not exist`, { code: 'ENOTFOUND', exitCode: 1 });
}

/** What a command says that needs a container with a live first process: runc's text, which engines look for. */
export function notRunning(): CaissonError {
  return new CaissonError('container not running', { code: 'ENOTRUNNING', exitCode: 1 });
}

export function alreadyExists(id: Bytes): CaissonError {
  return new CaissonError(`container with given ID already exists: ${id}`, {
    code: 'ECONFLICT',
    exitCode: 1,
  });
}

/** Throws CaissonError ENOTFOUND without such a container, ESTATE for a damaged or newer record. */
export function readContainer(port: Port, target: Target): Container {
  checkId(target.id);
  const record = load(port, target.stateRoot, target.id);
  if (record === undefined || !isOciRecord(record)) throw doesNotExist(target.id);
  return { record, status: statusOf(port, record) };
}

/** All containers of a state directory; damaged records and those that go meanwhile are left out. */
export function listContainers(port: Port, stateRoot: Bytes): Container[] {
  return port.list(stateRoot).flatMap((id) => {
    if (id.startsWith('.')) return [];
    try {
      return [readContainer(port, { stateRoot, id })];
    } catch (error) {
      if (error instanceof CaissonError) return [];
      throw error;
    }
  });
}

export function isOciRecord(record: ContainerRecord): record is OciContainerRecord {
  return record.oci !== undefined && record.bundle !== undefined;
}

export function statusOf(port: Port, record: OciContainerRecord): Status {
  const { init, phase } = record.oci;
  if (init === undefined) return isKept(port, record) ? 'creating' : 'stopped';
  // Its command is gone, and it dies with that: it may be a moment away.
  if (!isKept(port, record)) return 'stopped';
  if (!isAlive(port, init)) return 'stopped';
  if (isPaused(port, record)) return 'paused';
  return phase === 'started' ? 'running' : 'created';
}

function isPaused(port: Port, { cgroups }: ContainerRecord): boolean {
  const file = freezerRequestFile(cgroups);
  return file !== undefined && port.readFile(file)?.trim() === '1';
}

/** runtime.md, State, with runc's `paused` among the states. */
export type OciState = Omit<State, 'status' | 'pid'> & { readonly status: Status; readonly pid: number };

/** runtime.md, State: what hooks get on their standard input, and `state` prints. */
export function ociState({ record, status }: Container): OciState {
  const { oci, bundle } = record;
  return {
    ociVersion: oci.ociVersion,
    id: record.id,
    status,
    pid: status === 'stopped' ? 0 : (oci.init?.pid ?? 0),
    bundle,
    ...(oci.annotations === undefined ? {} : { annotations: oci.annotations }),
  };
}

/** The configuration that the container was made from. Throws CaissonError ESTATE when it is not there. */
export function containerSpec(port: Port, target: Target, { record } = readContainer(port, target)): Spec {
  const text = port.readFile(`${directoryOf(target)}/config.json`);
  if (text === undefined) {
    // Somebody takes the container away at this moment, the record first; the next run of it may have one already.
    const now = load(port, target.stateRoot, target.id);
    if (now === undefined || !isSame(now.launcher, record.launcher)) throw doesNotExist(target.id);
    throw new CaissonError(`${directoryOf(target)}/config.json is missing`, { code: 'ESTATE', exitCode: 1 });
  }
  return parseBundleConfiguration(text, record.bundle).spec;
}

function isSame(one: ProcessIdentity, other: ProcessIdentity): boolean {
  return one.pid === other.pid && one.startTime === other.startTime;
}

/**
 * Does `work` while no other command changes the container. `shared` keeps out only those that hold it exclusively.
 * Throws CaissonError ENOTFOUND without such a container.
 */
export async function withContainer<T>(
  port: Port,
  target: Target,
  lock: 'shared' | 'exclusive',
  work: (held: Held) => Promise<T>,
  options: HeldOptions = {},
): Promise<T> {
  checkId(target.id);
  checkStateRoot(port, target.stateRoot);
  // First: the launcher comes up while the record is read.
  const channel = await port.openChannel(options);
  try {
    const before = readContainer(port, target);
    const player = new Player(port, channel);
    const held = await lockContainer(port, player, target, lock, {
      also: (opened) => options.also?.(before, opened) ?? [],
      ...(options.meanwhile && { meanwhile: options.meanwhile }),
    });
    return await work({ player, channel, ...held, container: readContainer(port, target) });
  } finally {
    await channel.close();
    // All of it has been delivered; a process that lives on may keep a pipe open.
    if (options.capture) await Promise.race([channel.captured(), sleep(port, LAST_OUTPUT)]);
  }
}

/** Waits for the lock. Another container of that id may have come meanwhile; the lock of the old one is worth nothing. */
async function lockContainer(
  port: Port,
  player: Player,
  target: Target,
  lock: 'shared' | 'exclusive',
  options: { readonly also: (lock: Slot) => readonly Step[]; readonly meanwhile?: () => void },
): Promise<Pick<Held, 'lock' | 'played'>> {
  const directory = directoryOf(target);
  const opened = slot('container', { reply: true });
  const taken = step('parent', 'lock', `lock ${directory}`, 'default: one change at a time', [
    ...lockCalls(directory, opened, lock === 'shared' ? LOCK_SH : LOCK_EX),
  ]);
  const batch = await player.send([taken, ...options.also(opened)]);
  options.meanwhile?.();
  // Not brief: another command may hold it for as long as its hooks take.
  const answer = await player.receive(false);
  if (answer.kind !== 'done' && batch.records[answer.index]?.step === taken) throw doesNotExist(target.id);
  const descriptor = slotValue(batch, answer, opened);
  const [held, named] = [port.stat(`/proc/${player.pid}/fd/${descriptor}`), port.stat(directory)];
  if (held === undefined || named === undefined || held.ino !== named.ino || held.dev !== named.dev)
    throw doesNotExist(target.id);
  return { lock: descriptor, played: { batch, answer } };
}

function lockCalls(directory: Bytes, opened: Slot, operation: number): Call[] {
  return [
    sys.openat(sys.AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, { result: opened }),
    call('flock', [value(opened), number(operation, LOCK_OPERATIONS)], { retry: true }),
  ];
}

/** Above what is open by then, and below the limit of callers that have a low one (RLIMIT_NOFILE). */
const LOCK = 40;

/** Where a launcher keeps the lock of a container that it creates: known before, so that the plan can close it. */
export function lockDescriptor(preserveFds = 0): number {
  return LOCK + preserveFds;
}

/** Locks a directory, by the descriptor `lock` of the launcher and no other. */
function keepLock(directory: Bytes, lock: number): Call[] {
  const opened = slot('container');
  const kept = slot('lock');
  return [
    ...lockCalls(directory, opened, LOCK_EX),
    sys.fcntl(opened, F_DUPFD_CLOEXEC, lock, { result: kept }),
    sys.check(kept, 'EQ', lock, ERRNO.EBADF),
    sys.close(opened),
  ];
}

/** An id that is about to be taken. */
export interface Claim {
  /** Takes the id, before anything of the container is made. */
  readonly steps: readonly Step[];
  /** What to throw for an error where the id has not been taken; undefined where it has. The record is then gone. */
  readonly refused: (error: unknown) => unknown;
}

/**
 * Writes a record and makes the steps that take its id: the record appears under it whole, and locked where `lock` is
 * given, or not at all.
 */
export function claimContainer(
  port: Port,
  stateRoot: Bytes,
  record: OciContainerRecord,
  { configuration, lock }: { readonly configuration: Bytes; readonly lock?: number },
): Claim {
  checkId(record.id);
  checkStateRoot(port, stateRoot);
  const name = unclaimedName(record.id, port.pid);
  const directory = `${stateRoot}/${name}`;
  port.makeDirectory(directory);
  // Again, now that it is there: somebody else could have made it between the two.
  checkStateRoot(port, stateRoot);
  try {
    write(port, stateRoot, record, name);
    port.replaceFile(`${directory}/config.json`, configuration);
  } catch (error) {
    port.remove(directory);
    throw error;
  }
  const taken = step('parent', 'claim', `take the id ${record.id}`, 'default: one container has an id', [
    ...(lock === undefined ? [] : keepLock(directory, lock)),
    call('renameat2', [
      number(sys.AT_FDCWD),
      string(directory),
      number(sys.AT_FDCWD),
      string(`${stateRoot}/${record.id}`),
      number(RENAME_NOREPLACE, RENAME_FLAGS),
    ]),
  ]);
  return {
    steps: [taken],
    refused: (error) => {
      const lost = error instanceof CaissonError && error.syscall === 'renameat2';
      // ENOENT: another one of this very process has taken it.
      if (lost && (error.errno === ERRNO.EEXIST || error.errno === ERRNO.ENOENT)) {
        port.remove(directory);
        return alreadyExists(record.id);
      }
      if (port.stat(directory) === undefined) return undefined;
      port.remove(directory);
      return error;
    },
  };
}
