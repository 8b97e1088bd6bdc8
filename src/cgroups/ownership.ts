// Whom the cgroup of a container is given to, so that its own init system can make cgroups in it.
//
// config-linux.md, Cgroup ownership: on cgroup v2, with a cgroup namespace of its own and a writable mount of it.
import type { Bytes } from '../linux/bytes.ts';
import { MOUNT_ATTR_RDONLY } from '../linux/constants/mount.ts';
import { relative } from '../plan/compile/context.ts';
import { parseMountOptions } from '../spec/mount-options.ts';
import type { Spec } from '../spec/runtime-spec.ts';
import type { CgroupLayout } from './layout.ts';

/** Leaves the group as it is (chown(2)). */
export const SAME_GROUP = 0xffffffff;

/** The user of the host that the container's process is; undefined where the cgroup stays root's. */
export function cgroupOwner(spec: Spec, layout: CgroupLayout): number | undefined {
  if (layout.mode !== 'v2' || !isNew(spec, 'cgroup') || !isWritable(spec)) return undefined;
  const uid = hostId(spec, spec.process?.user.uid ?? 0);
  return uid === 0 ? undefined : uid;
}

function isNew(spec: Spec, type: Bytes): boolean {
  return (spec.linux?.namespaces ?? []).some((each) => each.type === type && (each.path ?? '') === '');
}

/** Whether the last mount at /sys/fs/cgroup is of the container's cgroup, and may be written to. */
function isWritable({ mounts = [] }: Spec): boolean {
  const mount = mounts.findLast(({ destination }) => relative(destination) === 'sys/fs/cgroup');
  if (mount?.type !== 'cgroup' && mount?.type !== 'cgroup2') return false;
  return (parseMountOptions(mount.options, mount.type).attrSet & MOUNT_ATTR_RDONLY) === 0;
}

/** Undefined for an id that is not mapped, or that a joined namespace maps in a way that is not told. */
function hostId({ linux }: Spec, id: number): number | undefined {
  if (!(linux?.namespaces ?? []).some(({ type }) => type === 'user')) return id;
  const range = linux?.uidMappings?.find(
    ({ containerID, size }) => id >= containerID && id < containerID + size,
  );
  return range === undefined ? undefined : range.hostID + id - range.containerID;
}
