// The record of a container on disk: written before the first kernel object exists, removed after the last.
//
// It names everything that a dead command can have left: cgroups, the launcher, the boot. It lies in a runtime
// directory, for after a power cut the kernel objects are gone as well; hence rename without fsync.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { parseProcessStat } from '../linux/proc-status.ts';
import { CaissonError } from '../spec/error.ts';
import { parseJson, stringifyJson } from '../spec/json.ts';
import type { Cgroup } from '../cgroups/path.ts';

/** The version of the format; older ones are read, newer ones refused before anything is written. */
export const STATE_VERSION = 1;

export interface ContainerRecord {
  readonly version: number;
  readonly id: Bytes;
  readonly bootId: Bytes;
  /** The process that keeps this container: caisson itself, or the program that uses the library. */
  readonly keeper: ProcessIdentity;
  /** Ends when the keeper does, a moment later, in which it may still make what the record names. */
  readonly launcher: ProcessIdentity;
  readonly cgroups: readonly Cgroup[];
  readonly pid?: number;
  readonly name?: Bytes;
  readonly bundle?: Bytes;
  readonly created?: number;
}

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, /proc/PID/stat field 22 (proc(5)). */
  readonly startTime: number;
}

/** Container ids become directory names: letters, digits, `_+-.`, not beginning with a dot (as runc). */
export function checkId(id: Bytes): void {
  if (/^[A-Za-z0-9_+-][A-Za-z0-9_+.-]*$/.test(id) && id.length <= 255) return;
  throw new CaissonError(`"${id}" is not a container id: use letters, digits, "_", "+", "-", ".", at most 255`, {
    code: 'EUSAGE',
  });
}

/** `/run/caisson` for root, below XDG_RUNTIME_DIR or /tmp for others. */
export function defaultStateRoot(port: Port): Bytes {
  if (port.uid === 0) return '/run/caisson';
  const entry = port.environment.find((name) => name.startsWith('XDG_RUNTIME_DIR='));
  const directory = entry?.slice('XDG_RUNTIME_DIR='.length);
  return directory?.startsWith('/') && port.stat(directory)?.uid === port.uid
    ? `${directory}/caisson`
    : `/tmp/caisson-${port.uid}`;
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

export function bootId(port: Port): Bytes {
  return (port.readFile('/proc/sys/kernel/random/boot_id') ?? '').trim();
}

/** Takes the id. Throws CaissonError ECONFLICT when a container has it. */
export function claim(port: Port, root: Bytes, record: ContainerRecord): void {
  checkId(record.id);
  if (!port.makeDirectory(`${root}/${record.id}`)) {
    throw new CaissonError(`container ${record.id} exists already: choose another name, or run \`caisson system repair\``, {
      code: 'ECONFLICT',
    });
  }
  write(port, root, record);
  const rival = record.name === undefined ? undefined : named(port, root, record.name, record.id);
  if (rival === undefined) return;
  port.remove(`${root}/${record.id}`);
  throw new CaissonError(`the container name "${record.name}" is already in use by container ${rival}`, {
    code: 'ECONFLICT',
    sources: [`--name ${record.name}`],
  });
}

/** The other container of that name. */
function named(port: Port, root: Bytes, name: Bytes, id: Bytes): Bytes | undefined {
  return port.list(root).find((other) => other !== id && load(port, root, other)?.name === name);
}

export function write(port: Port, root: Bytes, record: ContainerRecord): void {
  port.replaceFile(`${root}/${record.id}/state.json`, stringifyJson(record));
}

/** The record of a container; undefined when there is none. Throws CaissonError ESTATE for a newer or damaged one. */
export function load(port: Port, root: Bytes, id: Bytes): ContainerRecord | undefined {
  const path = `${root}/${id}/state.json`;
  const text = port.readFile(path);
  if (text === undefined) return undefined;
  const value = parseJson(text, path) as unknown as ContainerRecord;
  if (typeof value !== 'object' || value === null || typeof value.version !== 'number') {
    throw new CaissonError(`${path} is damaged: it has no version`, { code: 'ESTATE' });
  }
  if (value.version > STATE_VERSION) {
    throw new CaissonError(`${path} was written by a newer caisson (format ${value.version}, this one knows ${STATE_VERSION})`, {
      code: 'ESTATE',
    });
  }
  return value;
}
