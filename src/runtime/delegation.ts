// Which cgroup hierarchies a caller may use who is not the machine's root (cgroups(7), Delegation).
import { type CgroupLayout, directoryOf, type Hierarchy } from '../cgroups/layout.ts';
import { cgroupPath, cgroupsAt } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import type { HostFacts } from '../plan/facts.ts';
import { CaissonError } from '../spec/error.ts';
import type { Spec } from '../spec/runtime-spec.ts';

/** The kinds of limits that a configuration asks for; device rules need no cgroup of an ordinary user's. */
export function limitsOf(spec: Spec): string[] {
  return Object.keys(spec.linux?.resources ?? {}).filter((name) => name !== 'devices');
}

/** Not root in a user namespace, nor an ordinary user. */
export function isMachineRoot({ privileged, initialUserNamespace }: HostFacts): boolean {
  return privileged && initialUserNamespace;
}

/**
 * As runc: who asks for a path gets it or the kernel's refusal; without one a container of an ordinary user, or of root in
 * a user namespace, has cgroups where the caller may make them; undefined for nowhere. Throws CaissonError EPERMISSION
 * when limits are asked for then.
 */
export function usableLayout(
  port: Port,
  spec: Spec,
  layout: CgroupLayout,
  rootless: boolean,
): CgroupLayout | undefined {
  if (!rootless || (spec.linux?.cgroupsPath ?? '') !== '') return layout;
  const hierarchies = layout.hierarchies.filter((hierarchy) => isDelegated(port, layout, hierarchy));
  if (hierarchies.length > 0) return { ...layout, hierarchies };
  const [first] = limitsOf(spec);
  if (first === undefined) return undefined;
  throw new CaissonError(
    'rootless needs no limits + no cgrouppath when no permission is granted for cgroups: permission denied',
    { code: 'EPERMISSION', provenance: [`/linux/resources/${first}`] },
  );
}

function isDelegated(port: Port, layout: CgroupLayout, hierarchy: Hierarchy): boolean {
  if (directoryOf(hierarchy, hierarchy.ownPath) === undefined) return false;
  const [cgroup] = cgroupsAt({ ...layout, hierarchies: [hierarchy] }, cgroupPath('own', '', {}));
  return cgroup !== undefined && isWritable(port, cgroup.base);
}

/** cgroupfs has no access lists: the mode says it all. */
function isWritable(port: Port, directory: Bytes): boolean {
  const stat = port.stat(directory);
  if (stat === undefined) return false;
  const bit = stat.uid === port.uid ? 0o200 : stat.gid === port.gid ? 0o020 : 0o002;
  return (stat.mode & bit) !== 0;
}
