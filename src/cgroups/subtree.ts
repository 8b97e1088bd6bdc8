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
import { unsupported } from './limit.ts';
import type { Cgroup } from './path.ts';

/** What statistics and the usual limits need; enabled whenever the hierarchy offers it. */
const USUAL: readonly Bytes[] = ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids', 'rdma', 'misc'];

/** Those that a threaded cgroup can have. */
const THREADED: readonly Bytes[] = ['cpuset', 'cpu', 'pids'];

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
 *
 * An ancestor that is known to have processes is left alone: it would hand down those controllers that know threads,
 * become the root of a threaded subtree by that, and no process could join its children any more.
 */
export function enableStep(
  directory: Bytes,
  controllers: readonly Bytes[],
  provenance: Pointer,
  known: KnownFiles,
  threaded = false,
): Step[] {
  const file = `${directory}/cgroup.subtree_control`;
  const domain = !threaded && (typeOf(directory, known) ?? 'domain') === 'domain';
  const missing = missingControllers(directory, controllers, known).filter(
    (name) => domain || THREADED.includes(name),
  );
  if (missing.length === 0 || isOccupied(directory, known)) return [];
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

/** The files whose content decides, as far as `known` does not have them: asked for in two rounds. */
export function subtreeFiles(cgroup: Cgroup, known: KnownFiles): Bytes[] {
  const ancestors = [cgroup.base, ...cgroup.parents];
  const usual = cgroup.controllers.filter((name) => USUAL.includes(name));
  if (usual.length === 0) return [];
  const first = ancestors.map((directory) => `${directory}/cgroup.subtree_control`);
  const unknown = first.filter((file) => !known.has(file));
  if (unknown.length > 0) return unknown;
  const incomplete = ancestors.filter(
    (directory) => exists(directory, known) && missingControllers(directory, usual, known).length > 0,
  );
  const nearest = ancestors.filter((directory) => exists(directory, known) && directory !== cgroup.base);
  return [
    ...incomplete.flatMap((directory) => [`${directory}/cgroup.type`, `${directory}/cgroup.procs`]),
    ...[cgroup.directory, ...nearest.slice(-1)].map((directory) => `${directory}/cgroup.type`),
  ].filter((file, index, all) => !known.has(file) && all.indexOf(file) === index);
}

function exists(directory: Bytes, known: KnownFiles): boolean {
  return known.get(`${directory}/cgroup.subtree_control`) !== undefined;
}

function missingControllers(directory: Bytes, controllers: readonly Bytes[], known: KnownFiles): Bytes[] {
  const enabled = words(known.get(`${directory}/cgroup.subtree_control`) ?? '');
  return controllers.filter((name) => !enabled.includes(name));
}

/** The root cgroup, which may have processes and hand down controllers, has no cgroup.type. */
function isOccupied(directory: Bytes, known: KnownFiles): boolean {
  const processes = known.get(`${directory}/cgroup.procs`) ?? '';
  return typeOf(directory, known) === 'domain' && processes.trim() !== '';
}

function typeOf(directory: Bytes, known: KnownFiles): Bytes | undefined {
  return known.get(`${directory}/cgroup.type`)?.trim();
}

/** What the groups of limits need that a threaded cgroup cannot have, or that runc does not let it have. */
const DOMAIN: readonly Bytes[] = ['memory', 'io', 'cpu', 'hugetlb'];

/** The new cgroups of a path, and those in an invalid state, that have to be made threaded; none outside of threaded subtrees. */
export function threadedDirectories(
  cgroup: Cgroup,
  needed: ReadonlySet<Bytes>,
  known: KnownFiles,
): ReadonlySet<Bytes> {
  const path = [cgroup.base, ...cgroup.parents, cgroup.directory];
  const existing = path.findLast((directory) => typeOf(directory, known) !== undefined);
  const type = existing === undefined ? 'domain' : typeOf(existing, known);
  if (existing === undefined || type === undefined || type === 'domain') return new Set();
  if (DOMAIN.some((name) => needed.has(name))) {
    const state = type === 'domain invalid' ? 'an invalid state' : `${type} mode`;
    throw unsupported(
      `cannot enter cgroupv2 "${existing}" with domain controllers -- it is in ${state}`,
      '/linux/cgroupsPath',
    );
  }
  return new Set(path.slice(path.indexOf(existing) + (type === 'domain invalid' ? 0 : 1)));
}

/** A new cgroup in a threaded subtree is invalid, and no process could join it (cgroup-v2.rst, Threads). */
export function threadedStep(directory: Bytes, provenance: Pointer): Step {
  const fd = slot('cgroup.type');
  return step('parent', 'cgroup-threaded', `make ${directory} threaded, as those above are`, provenance, [
    openat(AT_FDCWD, `${directory}/cgroup.type`, O_WRONLY | O_CLOEXEC, 0, { result: fd }),
    write(fd, 'threaded'),
    close(fd),
  ]);
}
