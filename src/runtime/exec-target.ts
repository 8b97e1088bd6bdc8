// What a process of `exec` joins: the container's namespaces as they are now, its cgroups, and who owns stdio.
import { joinCgroups } from '../cgroups/join.ts';
import { directoryOf } from '../cgroups/layout.ts';
import { parseMemberships } from '../cgroups/membership.ts';
import type { Cgroup } from '../cgroups/path.ts';
import { subCgroups } from '../cgroups/sub-cgroup.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { parseMountinfo } from '../linux/mountinfo.ts';
import type { CgroupPlan } from '../plan/compile/context.ts';
import { NAMESPACE_FILE } from '../plan/compile/join-container.ts';
import type { LinuxNamespaceType, Process, Spec } from '../spec/runtime-spec.ts';
import { hostLayout } from './cgroup.ts';

const TYPES = Object.keys(NAMESPACE_FILE) as LinuxNamespaceType[];

/**
 * The namespaces of process `init` that are not the caller's. What cannot be seen (a process of another user) is as
 * the configuration says.
 */
export function otherNamespaces(port: Port, spec: Spec, init: number): LinuxNamespaceType[] {
  return TYPES.filter((type) => {
    const theirs = port.stat(`/proc/${init}/ns/${NAMESPACE_FILE[type]}`);
    if (theirs === undefined) return spec.linux?.namespaces?.some((namespace) => namespace.type === type);
    const own = port.stat(`/proc/self/ns/${NAMESPACE_FILE[type]}`);
    return own === undefined || own.ino !== theirs.ino || own.dev !== theirs.dev;
  });
}

/**
 * How a process gets into the cgroups: those of the record, or what `--cgroup` names below them. On v2 the first
 * process may have moved, so that it could give controllers to cgroups below; nothing may then be beside it in the old
 * one (cgroup-v2.rst, No Internal Process Constraint), and exec goes to where it is, as in runc.
 */
export function execCgroups(
  port: Port,
  cgroups: readonly Cgroup[],
  init: number,
  options: { readonly given?: readonly Bytes[]; readonly frozen: boolean },
): CgroupPlan | undefined {
  if (cgroups.length === 0) return undefined;
  const given = options.given ?? [];
  const wanted =
    given.length > 0 ? subCgroups(cgroups, given) : cgroups.map((cgroup) => openFor(port, cgroup, init));
  const { steps: create, join, release, intoCgroup } = joinCgroups(wanted, { frozen: options.frozen });
  return { create, join, release, hierarchies: [], ...(intoCgroup === undefined ? {} : { intoCgroup }) };
}

function openFor(port: Port, cgroup: Cgroup, init: number): Cgroup {
  if (cgroup.version === 1) return cgroup;
  const enabled = port.readFile(`${cgroup.directory}/cgroup.subtree_control`);
  if (enabled?.trim() === '') return cgroup;
  const layout = hostLayout(port, parseMountinfo(port.readFile('/proc/self/mountinfo') ?? '', 'cgroup'));
  const hierarchy = layout.hierarchies.find(({ version }) => version === 2);
  const own = parseMemberships(port.readFile(`/proc/${init}/cgroup`) ?? '').find(({ id }) => id === 0);
  const directory = hierarchy && own && directoryOf(hierarchy, own.path);
  return directory === undefined ? cgroup : { ...cgroup, directory };
}

/** Whether root of process `init`'s user namespace may set groups (user_namespaces(7)). */
export function maySetGroups(port: Port, init: number): boolean {
  return port.readFile(`/proc/${init}/setgroups`)?.startsWith('allow') === true;
}

/** Standard descriptors that are pipes or sockets of others than the process's user. */
export function foreignStdio(port: Port, { user, terminal }: Process): number[] {
  if (terminal === true) return [];
  return [0, 1, 2].filter((fd) => {
    const stat = port.stat(`/proc/self/fd/${fd}`);
    return stat !== undefined && (stat.type === 'fifo' || stat.type === 'socket') && stat.uid !== user.uid;
  });
}
