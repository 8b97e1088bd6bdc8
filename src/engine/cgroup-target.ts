// What `caisson cgroup` commands are pointed at: a process by its number, a container by its id or name.
import type { CgroupLayout } from '../cgroups/layout.ts';
import type { Cgroup } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { parseMountinfo } from '../linux/mountinfo.ts';
import { hostLayout } from '../runtime/cgroup.ts';
import { processesInside } from '../runtime/removal.ts';
import { type ContainerRecord, keptRecord } from '../runtime/state.ts';
import { CaissonError } from '../spec/error.ts';

/** The cgroup hierarchies as the caller sees them. */
export function layoutOf(port: Port): CgroupLayout {
  return hostLayout(port, parseMountinfo(port.readFile('/proc/self/mountinfo') ?? ''));
}

/** The container of that id or name. */
export function findContainer(port: Port, stateRoot: Bytes, target: Bytes): ContainerRecord | undefined {
  const records = port.list(stateRoot).flatMap((id) => keptRecord(port, stateRoot, id) ?? []);
  const exact = records.find(({ id, name }) => id === target || name === target);
  if (exact !== undefined) return exact;
  const abbreviated = records.filter(({ id }) => target !== '' && id.startsWith(target));
  return abbreviated.length === 1 ? abbreviated[0] : undefined;
}

/** The cgroups of a running container. Throws CaissonError ENOTFOUND. */
export function containerCgroups(port: Port, stateRoot: Bytes, target: Bytes): readonly Cgroup[] {
  const record = findContainer(port, stateRoot, target);
  if (record === undefined) {
    throw new CaissonError(`no container of the id or name "${target}" runs, and it is no process id`, {
      code: 'ENOTFOUND',
    });
  }
  if (record.cgroups.length > 0) return record.cgroups;
  throw new CaissonError(`container ${record.id} has no cgroups of its own: none are delegated to its user`, {
    code: 'ENOTFOUND',
  });
}

/** A process id, or the first process of a container. Throws CaissonError ENOTFOUND. */
export function processOf(port: Port, stateRoot: Bytes, target: Bytes): number {
  if (/^[1-9]\d*$/.test(target)) return Number(target);
  const [first] = processesInside(port, containerCgroups(port, stateRoot, target));
  if (first === undefined)
    throw new CaissonError(`container ${target} has no process`, { code: 'ENOTFOUND' });
  return first;
}
