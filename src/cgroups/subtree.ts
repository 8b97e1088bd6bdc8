// Controllers of cgroup v2 reach a cgroup only when all its ancestors hand them down (cgroup.subtree_control).
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_WRONLY } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import { slot } from '../plan/call.ts';
import { type Step, step } from '../plan/step.ts';
import { AT_FDCWD, close, openat, write } from '../plan/syscalls.ts';
import type { Pointer } from '../spec/error.ts';
import type { KnownFiles } from './cpuset.ts';
import { words } from './layout.ts';
import type { Cgroup } from './path.ts';

/** What statistics and the usual limits need; enabled whenever the hierarchy offers it. */
const USUAL: readonly Bytes[] = ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids', 'rdma', 'misc'];

/** The controllers to hand down to a container: all usual ones on a v2 host, the needed ones beside v1. */
export function controllersFor(
  cgroup: Cgroup,
  mode: 'v1' | 'v2' | 'hybrid',
  needed: ReadonlySet<Bytes>,
): Bytes[] {
  return cgroup.controllers.filter((name) => needed.has(name) || (mode === 'v2' && USUAL.includes(name)));
}

/**
 * Enables controllers in the subtree of one ancestor, those that it does not have already as far as is known.
 *
 * A refusal is no error here, as in runc: the kernel says EBUSY for an ancestor with processes, EINVAL for cpu where
 * real-time threads are in child cgroups, ENOENT where the controller does not reach; the limit that needs the
 * controller then fails by name (its file is missing). One write per controller, because one that is refused would
 * take the others with it.
 */
export function enableStep(
  directory: Bytes,
  controllers: readonly Bytes[],
  provenance: Pointer,
  known: KnownFiles,
): Step[] {
  const file = `${directory}/cgroup.subtree_control`;
  const enabled = words(known.get(file) ?? '');
  const missing = controllers.filter((name) => !enabled.includes(name));
  if (missing.length === 0) return [];
  const fd = slot('cgroup.subtree_control');
  const tolerate = [ERRNO.EBADF, ERRNO.EBUSY, ERRNO.EINVAL, ERRNO.ENOENT];
  return [
    step('parent', 'cgroup-enable', `enable ${missing.join(', ')} below ${directory}`, provenance, [
      openat(AT_FDCWD, file, O_WRONLY | O_CLOEXEC, 0, {
        result: fd,
        tolerate: [ERRNO.EACCES, ERRNO.EPERM, ERRNO.EROFS],
      }),
      ...missing.map((name) => write(fd, `+${name}`, { tolerate })),
      close(fd, { tolerate: [ERRNO.EBADF] }),
    ]),
  ];
}

/** The files whose content says what is enabled already, as far as `known` does not have them. */
export function subtreeFiles({ base, parents, controllers }: Cgroup, known: KnownFiles): Bytes[] {
  if (controllers.length === 0) return [];
  return [base, ...parents]
    .map((directory) => `${directory}/cgroup.subtree_control`)
    .filter((file) => !known.has(file));
}
