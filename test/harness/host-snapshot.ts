// What a run of caisson may not leave behind on the host: mounts, cgroups, processes with their namespaces, records.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';

/** What of the host belongs to one test file. */
export interface Belongings {
  /** A directory of its own: every container has its root there. */
  readonly directory: string;
  /** Where the records of containers are. */
  readonly state: string;
  /** The cgroup in which all of its cgroups are. */
  readonly cgroup: string;
}

/** Everything that is compared. */
export interface HostSnapshot {
  readonly mounts: readonly string[];
  readonly cgroups: readonly string[];
  readonly processes: readonly string[];
  readonly records: readonly string[];
}

function mountLines(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\n');
}

function directoriesBelow(path: string): string[] {
  try {
    const names = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return names.flatMap(({ name }) => [`${path}/${name}`, ...directoriesBelow(`${path}/${name}`)]);
  } catch {
    return [];
  }
}

/** Cgroups below the one of this name: a run leaves its `--cgroup-parent`, as docker does. */
function cgroups(mark: string): string[] {
  const points = mountLines()
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '');
  return points.flatMap(directoriesBelow).filter((path) => path.includes(`/${mark}/`));
}

/** Removes a test's own empty cgroup from each hierarchy. */
export function removeCgroups(name: string): void {
  const points = mountLines().filter((line) => / - cgroup2? /.test(line));
  for (const line of points) {
    try {
      rmdirSync(`${line.split(' ')[4]}/${name}`);
    } catch {
      // Was not made there, or is in use: then the look before has said so.
    }
  }
}

/** Processes of other mount namespaces that have one of the directories in them: containers. */
function processes(directory: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return (
        readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(directory) &&
        readlinkSync(`/proc/${pid}/ns/mnt`) !== readlinkSync('/proc/self/ns/mnt')
      );
    } catch {
      return false;
    }
  });
}

function records(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory).map((name) => `${directory}/${name}`) : [];
}

/** Where other programs of this machine may mount something meanwhile: their mounts are not looked at. */
const OTHERS = /^\S+ \S+ \S+ \S+ \/(?:tmp|var|work)\//;

/** Looks at the host: its mount table, and whatever else is of this test file. */
export function hostSnapshot({ directory, state, cgroup }: Belongings): HostSnapshot {
  return {
    mounts: mountLines().filter((line) => line.includes(directory) || !OTHERS.test(line)),
    cgroups: cgroups(cgroup),
    processes: processes(directory),
    records: records(state),
  };
}

function added(before: readonly string[], after: readonly string[]): string[] {
  return after.filter((entry) => !before.includes(entry));
}

/** What a snapshot has that an earlier one had not. */
export function leftBehind(before: HostSnapshot, after: HostSnapshot): string[] {
  return [
    ...added(before.mounts, after.mounts),
    ...added(after.mounts, before.mounts).map((line) => `gone: ${line}`),
    ...added(before.cgroups, after.cgroups),
    ...added(before.processes, after.processes).map((pid) => `process ${pid}`),
    ...added(before.records, after.records),
  ];
}

/** Blocks this thread. */
export function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/**
 * Fails when the host is not as it was. What is gone a moment later was another program's, or the kernel's: a mount
 * namespace is taken apart after its last process has ended.
 */
export function assertNothingLeft(before: HostSnapshot, belongings: Belongings): void {
  let left = leftBehind(before, hostSnapshot(belongings));
  for (let tries = 0; tries < 30 && left.length > 0; tries++) {
    pause(100);
    const now = leftBehind(before, hostSnapshot(belongings));
    left = left.filter((entry) => now.includes(entry));
  }
  assert.deepEqual(left, [], 'left behind on the host');
}
