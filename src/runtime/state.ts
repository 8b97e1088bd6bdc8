// The record of a container on disk: written before the first kernel object exists, removed after the last.
//
// It names everything that a dead command can have left: cgroups, the launcher, the boot. It lies in a runtime
// directory, for after a power cut the kernel objects are gone as well; hence rename without fsync.

import type { Cgroup } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import { type Bytes, isMadeOf } from '../linux/bytes.ts';
import { ALL_IDS } from '../linux/idmap.ts';
import { parseProcessStat } from '../linux/proc-status.ts';
import { CaissonError } from '../spec/error.ts';
import { parseJson, parseOwnJson, stringifyJson } from '../spec/json.ts';
import { isReservation, type Reservation } from '../spec/reservation.ts';

/** The version of the format; older ones are read, newer ones refused before anything is written. */
export const STATE_VERSION = 2;

export interface ContainerRecord {
  readonly version: number;
  readonly id: Bytes;
  readonly bootId: Bytes;
  /** The process that keeps this container: caisson itself, or the program that uses the library. */
  readonly keeper: ProcessIdentity;
  /** Ends when the keeper does, a moment later, in which it may still make what the record names. */
  readonly launcher: ProcessIdentity;
  readonly cgroups: readonly Cgroup[];
  /** Ancestors of them that were not there before. */
  readonly madeParents?: readonly Bytes[];
  readonly name?: Bytes;
  /** What `--label` and the image say. */
  readonly labels?: Readonly<Record<Bytes, Bytes>>;
  /** The number of the signal that asks the program to end. */
  readonly stopSignal?: number;
  readonly bundle?: Bytes;
  /** What it holds of the host while it lives. */
  readonly reserved?: Reservation;
  /** What lists show of a container that lives with its command; those that stay have a file of their own. */
  readonly shown?: ShownRun;
  /** What the OCI runtime's commands need; absent for a container of `caisson run`. */
  readonly oci?: OciRecord;
}

/** How people see a container that lives with its command. */
export interface ShownRun {
  /** As it was asked for; `host`; empty for a root of the host. */
  readonly image: Bytes;
  readonly args: readonly Bytes[];
  /** RFC 3339, UTC. */
  readonly created: Bytes;
  /** `--network` */
  readonly network?: Bytes;
}

/** How far the life of a container of the OCI runtime has come (runtime-spec runtime.md, State). */
export type Phase = 'creating' | 'created' | 'started';

/** The part of a record that belongs to the OCI runtime. The configuration lies beside it, in `config.json`. */
export interface OciRecord {
  readonly ociVersion: Bytes;
  /** Written as `started` before the program may run, so that a dead `start` cannot hide a running one. */
  readonly phase: Phase;
  /** The container's first process; absent until it is known. */
  readonly init?: ProcessIdentity;
  /** Absolute. */
  readonly rootfs: Bytes;
  /** RFC 3339, UTC. */
  readonly created: Bytes;
  readonly annotations?: Readonly<Record<Bytes, Bytes>>;
  /** The command that started it stays with it to its end, and it dies with that. */
  readonly attached?: boolean;
  /** The user who made it. */
  readonly uid: number;
  /** Directories of resctrl that were made for it, in the order of their removal. */
  readonly resctrl?: readonly Bytes[];
  /** Whether the configuration has hooks; absent where nobody has looked. */
  readonly hooks?: boolean;
}

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, /proc/PID/stat field 22 (proc(5)). */
  readonly startTime: number;
}

const ID_CHARACTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.';

/** NAME_MAX without the two dots and the process id of a record that has not taken its id yet. */
const LONGEST_ID = 240;

/** Container ids become directory names: letters, digits, `_+-.`, not beginning with a dot (as runc). */
export function checkId(id: Bytes): void {
  if (id !== '' && id.length <= LONGEST_ID && !id.startsWith('.') && isMadeOf(id, ID_CHARACTERS)) return;
  throw new CaissonError(
    `"${id}" is not a container id: use letters, digits, "_", "+", "-", ".", at most ${LONGEST_ID}`,
    {
      code: 'EUSAGE',
    },
  );
}

/** `/run/caisson` for root, below XDG_RUNTIME_DIR or /tmp for others. */
export function defaultStateRoot(port: Port): Bytes {
  const variable = (name: Bytes) =>
    port.environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  // Root of a user namespace may be an ordinary user outside, who makes nothing in /run (runc's rule: rootless podman).
  const isRoot = port.uid === 0 && (!inUserNamespace(port) || variable('USER') === 'root');
  if (isRoot) return '/run/caisson';
  const directory = variable('XDG_RUNTIME_DIR');
  return directory?.startsWith('/') && port.stat(directory)?.uid === port.uid
    ? `${directory}/caisson`
    : `/tmp/caisson-${port.uid}`;
}

/** Whether not all ids are mapped to themselves (user_namespaces(7)). */
export function inUserNamespace(port: Port): boolean {
  const map = port.readFile('/proc/self/uid_map');
  return map !== undefined && map !== ALL_IDS;
}

export function identify(port: Port, pid: number): ProcessIdentity {
  const text = port.readFile(`/proc/${pid}/stat`);
  return { pid, startTime: text === undefined ? 0 : parseProcessStat(text).startTime };
}

/** Whether the very process is still there. A zombie counts as gone. */
export function isAlive(port: Port, { pid, startTime }: ProcessIdentity): boolean {
  const text = port.readFile(`/proc/${pid}/stat`);
  if (text === undefined) return false;
  const stat = parseProcessStat(text);
  return stat.startTime === startTime && stat.state !== 'Z' && stat.state !== 'X';
}

/** Whether a process has been stopped by a signal: it does nothing until it is told to go on. */
export function isStopped(port: Port, pid: number): boolean {
  const text = port.readFile(`/proc/${pid}/stat`);
  return text !== undefined && parseProcessStat(text).state === 'T';
}

/** Read once: no process lives through another boot. A list of containers asks for each of them. */
export function bootId(port: Port): Bytes {
  let known = bootIds.get(port);
  if (known === undefined) {
    known = (port.readFile('/proc/sys/kernel/random/boot_id') ?? '').trim();
    bootIds.set(port, known);
  }
  return known;
}

const bootIds = new WeakMap<Port, Bytes>();

/**
 * The directory of the records must be the caller's own: below /tmp another user may have made it first.
 * Throws CaissonError EPERMISSION.
 */
export function checkStateRoot(port: Port, root: Bytes): void {
  const stat = port.stat(root);
  // A link in /tmp is somebody else's, who can let it lead elsewhere between two looks (fs.protected_symlinks may be 0).
  const linked = root.startsWith('/tmp/') && port.readLink?.(root) !== undefined;
  if (
    (stat === undefined && !linked) ||
    (stat?.type === 'directory' && !linked && stat.uid === port.uid && (stat.mode & OTHERS_WRITE) === 0)
  )
    return;
  throw new CaissonError(
    `${root} is not a directory that only you can write to: remove it, or choose another with --runtime-root`,
    {
      code: 'EPERMISSION',
    },
  );
}

/** S_IWGRP | S_IWOTH of inode(7). */
const OTHERS_WRITE = 0o022;

/**
 * Takes the id, and the name where there is one. Throws CaissonError ECONFLICT when a container has it, EPERMISSION when
 * others can write to `root`.
 */
export function claim(port: Port, root: Bytes, record: ContainerRecord): void {
  claimId(port, root, record);
  try {
    refuseTakenName(port, root, record);
  } catch (error) {
    port.remove(`${root}/${record.id}`);
    throw error;
  }
}

/** Takes the id alone: the name is the container's already, and to look for it in all records takes longer the more there are. */
export function claimId(port: Port, root: Bytes, record: ContainerRecord): void {
  checkId(record.id);
  // Before the look: somebody else could make it between the two.
  port.makeDirectory(root);
  checkStateRoot(port, root);
  if (!port.makeDirectory(`${root}/${record.id}`)) {
    throw new CaissonError(
      `container ${record.id} exists already: choose another name, or run \`caisson system repair\``,
      {
        code: 'ECONFLICT',
      },
    );
  }
  write(port, root, record);
}

/** Throws CaissonError ECONFLICT when another container has the name. The record is written before, so that of two one sees the other. */
export function refuseTakenName(port: Port, root: Bytes, record: ContainerRecord): void {
  const rival = record.name === undefined ? undefined : named(port, root, record.name, record.id);
  if (rival === undefined) return;
  throw new CaissonError(`the container name "${record.name}" is already in use by container ${rival}`, {
    code: 'ECONFLICT',
    sources: [`--name ${record.name}`],
  });
}

/** The other container of that name. What a dead run has left does not keep a name, and a damaged record has none. */
function named(port: Port, root: Bytes, name: Bytes, id: Bytes): Bytes | undefined {
  return port.list(root).find((other) => other !== id && keptRecord(port, root, other)?.name === name);
}

/** The record of a container that somebody keeps; a damaged one is none. */
export function keptRecord(port: Port, root: Bytes, id: Bytes): ContainerRecord | undefined {
  try {
    const record = load(port, root, id);
    return record !== undefined && isKept(port, record) ? record : undefined;
  } catch (error) {
    if (error instanceof CaissonError) return undefined;
    throw error;
  }
}

/**
 * Whether this container is not abandoned: somebody keeps it, or it has been created, and stays until `delete` takes
 * it away. One that a command is attached to dies with that.
 */
export function isKept(port: Port, record: ContainerRecord): boolean {
  if (record.bootId !== bootId(port)) return false;
  const { oci } = record;
  return (oci?.init !== undefined && oci.attached !== true) || isAlive(port, record.keeper);
}

/** `directory` is where the record waits before its id is taken. */
export function write(port: Port, root: Bytes, record: ContainerRecord, directory = record.id): void {
  port.replaceFile(`${root}/${directory}/state.json`, stringifyJson(record));
}

/** Removes the directory of a record, unless the id is another container's by now. */
export function removeRecord(port: Port, root: Bytes, { id, launcher }: ContainerRecord): void {
  const now = load(port, root, id)?.launcher;
  if (now !== undefined && (now.pid !== launcher.pid || now.startTime !== launcher.startTime)) return;
  port.remove(`${root}/${id}`);
}

/** The record first: who comes meanwhile finds no container, and not one that lacks a file. */
export function removeStateDirectory(port: Port, root: Bytes, id: Bytes): void {
  port.remove(`${root}/${id}/state.json`);
  port.remove(`${root}/${id}`);
}

/** Where a record waits until its command has taken the id. */
export function unclaimedName(id: Bytes, pid: number): Bytes {
  return `.${id}.${pid}`;
}

/** Such directories whose command died before it had: of one id, or of all. */
export function unclaimed(port: Port, root: Bytes, id?: Bytes): Bytes[] {
  return port.list(root).filter((name) => {
    const [, whose, pid] = /^\.(.+)\.([0-9]+)$/.exec(name) ?? [];
    if (pid === undefined || (id !== undefined && whose !== id)) return false;
    const keeper = keeperIn(port, `${root}/${name}/state.json`);
    return keeper === undefined ? port.stat(`/proc/${pid}`) === undefined : !isAlive(port, keeper);
  });
}

/** Who has written a record that is no container's yet; undefined where it is not whole. */
function keeperIn(port: Port, path: Bytes): ProcessIdentity | undefined {
  try {
    const value = parseJson(port.readFile(path) ?? '', path);
    return isObject(value) && isIdentity(value.keeper) ? value.keeper : undefined;
  } catch (error) {
    if (error instanceof CaissonError) return undefined;
    throw error;
  }
}

/** What was read last: a command reads the record before it has the lock and once more, and mostly finds the same. */
let latest: { readonly path: Bytes; readonly text: Bytes; readonly record: ContainerRecord } | undefined;

/** The record of a container; undefined when there is none. Throws CaissonError ESTATE for a newer or damaged one. */
export function load(port: Port, root: Bytes, id: Bytes): ContainerRecord | undefined {
  const path = `${root}/${id}/state.json`;
  const text = port.readFile(path);
  if (text === undefined) return undefined;
  if (latest?.text === text && latest.path === path) return latest.record;
  const record = checkedRecord(text, path, id);
  latest = { path, text, record };
  return record;
}

function checkedRecord(text: Bytes, path: Bytes, id: Bytes): ContainerRecord {
  const value = parseRecord(text, path);
  const version = isObject(value) ? value.version : undefined;
  if (typeof version !== 'number') throw damaged(path, 'it has no version');
  if (version > STATE_VERSION) {
    throw new CaissonError(
      `${path} was written by a newer caisson (format ${version}, this one knows ${STATE_VERSION})`,
      {
        code: 'ESTATE',
      },
    );
  }
  if (!isRecord(value)) throw damaged(path, 'a field is missing, or not what it should be');
  if (value.id !== id) throw damaged(path, `it is the record of container ${value.id}`);
  return value;
}

function parseRecord(text: Bytes, path: Bytes): unknown {
  try {
    return parseOwnJson(text, path);
  } catch (error) {
    throw damaged(path, error instanceof Error ? error.message : String(error));
  }
}

function damaged(path: Bytes, why: string): CaissonError {
  return new CaissonError(`${path} is damaged: ${why}`, { code: 'ESTATE' });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isRecord(value: unknown): value is ContainerRecord {
  if (!isObject(value)) return false;
  const { id, bootId: boot, keeper, launcher, cgroups, madeParents = [], oci } = value;
  if (typeof id !== 'string' || typeof boot !== 'string') return false;
  if (oci !== undefined && !isOci(oci)) return false;
  if (value.reserved !== undefined && !isReservation(value.reserved)) return false;
  if (value.shown !== undefined && !isShown(value.shown)) return false;
  if (!isList(madeParents)) return false;
  return isIdentity(keeper) && isIdentity(launcher) && Array.isArray(cgroups) && cgroups.every(isCgroup);
}

const PHASES: readonly unknown[] = ['creating', 'created', 'started'];

function isOci(value: unknown): value is OciRecord {
  if (!isObject(value) || !PHASES.includes(value.phase)) return false;
  if (value.init !== undefined && !isIdentity(value.init)) return false;
  if (value.annotations !== undefined && !isObject(value.annotations)) return false;
  if (value.hooks !== undefined && typeof value.hooks !== 'boolean') return false;
  if (value.resctrl !== undefined && !isList(value.resctrl)) return false;
  const texts = [value.ociVersion, value.rootfs, value.created];
  return texts.every((text) => typeof text === 'string') && typeof value.uid === 'number';
}

function isShown(value: unknown): value is ShownRun {
  if (!isObject(value) || !isList(value.args)) return false;
  return typeof value.image === 'string' && typeof value.created === 'string';
}

function isList(value: unknown): value is Bytes[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isIdentity(value: unknown): value is ProcessIdentity {
  return isObject(value) && typeof value.pid === 'number' && typeof value.startTime === 'number';
}

/**
 * Who cleans up kills everybody inside of the directories that a record names: they must lie below a hierarchy, and
 * never be its root.
 */
function isCgroup(value: unknown): value is Cgroup {
  if (!isObject(value)) return false;
  const { version, controllers, directory, parents, base } = value;
  if ((version !== 1 && version !== 2) || !isList(controllers) || !isList(parents)) return false;
  if (typeof directory !== 'string' || typeof base !== 'string' || !base.startsWith('/')) return false;
  return isBelow(directory, base) && parents.every((parent) => isBelow(parent, base));
}

function isBelow(directory: Bytes, base: Bytes): boolean {
  const names = directory.slice(base.length).split('/').slice(1);
  return (
    directory.startsWith(`${base}/`) && names.every((name) => name !== '' && name !== '.' && name !== '..')
  );
}
