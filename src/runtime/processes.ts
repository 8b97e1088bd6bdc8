// Which processes of the host belong to a container (`runc ps`).
import { hierarchyOf } from '../cgroups/layout.ts';
import type { Cgroup } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { parseProcessStat } from '../linux/proc-status.ts';
import { readContainer, type Target } from './container.ts';
import { processesInside } from './removal.ts';

/**
 * Process ids of the host, those in cgroups below the container's own included; empty for a container that has
 * ended. Without cgroups (an ordinary user's container) they are known by their PID namespace and by descent.
 * Throws CaissonError ENOTFOUND without such a container.
 */
export function containerProcesses(port: Port, target: Target): number[] {
  const { record, status } = readContainer(port, target);
  return recordProcesses(port, record.cgroups, status === 'stopped' ? undefined : record.oci.init?.pid);
}

/** The same of a container that is known by its cgroups and its first process. */
export function recordProcesses(port: Port, cgroups: readonly Cgroup[], init: number | undefined): number[] {
  const cgroup = listed(cgroups);
  if (cgroup !== undefined) return processesInside(port, [cgroup]);
  return init === undefined ? [] : processesOf(port, init);
}

/** One hierarchy is enough: a process of the container joins them all. v1's devices cannot be left by a container. */
function listed(cgroups: readonly Cgroup[]): Cgroup | undefined {
  return (
    cgroups.find(({ version }) => version === 2) ??
    hierarchyOf(cgroups, 'devices') ??
    hierarchyOf(cgroups, 'pids') ??
    cgroups[0]
  );
}

/** The processes of the PID namespace of `init`, unless that is the caller's own, and their descendants. */
function processesOf(port: Port, init: number): number[] {
  const namespace = pidNamespace(port, init);
  const own = namespace === pidNamespace(port, port.pid);
  const found = new Set([init]);
  const parents = new Map<number, number>();
  for (const name of port.list('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = readFileOf(port, `/proc/${pid}/stat`);
    if (stat === undefined) continue;
    parents.set(pid, parseProcessStat(stat).parent);
    if (!own && pidNamespace(port, pid) === namespace) found.add(pid);
  }
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return [...found].sort((a, b) => a - b);
}

/** Undefined for a process that is gone or another user's. */
function pidNamespace(port: Port, pid: number): number | undefined {
  try {
    return port.stat(`/proc/${pid}/ns/pid`)?.ino;
  } catch {
    return undefined;
  }
}

/** A process that ends meanwhile answers ESRCH. */
function readFileOf(port: Port, path: Bytes): Bytes | undefined {
  try {
    return port.readFile(path);
  } catch {
    return undefined;
  }
}
