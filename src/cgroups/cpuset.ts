// cpuset on cgroup v1: a new cgroup has no CPUs and no memory nodes, and no process may join it (cpuset(7)).
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_RDONLY, O_WRONLY } from '../linux/constants/open.ts';
import { type Call, outBuffer, slot } from '../plan/call.ts';
import { AT_FDCWD, close, openat, read, write } from '../plan/syscalls.ts';
import { writeBuffer } from './calls.ts';

/** What the compiler knows of files: content, or undefined for one that does not exist. */
export type KnownFiles = ReadonlyMap<Bytes, Bytes | undefined>;

/** Room for a list of CPUs; a list of every second of 1,024 CPUs has 2,000 bytes. */
const LIST_ROOM = 4096;

export type CpusetFile = 'cpuset.cpus' | 'cpuset.mems';

export const CPUSET_FILES: readonly CpusetFile[] = ['cpuset.cpus', 'cpuset.mems'];

/** Copies the lists of one cgroup into another, as they are when the plan is played. */
export function copyCpuset(from: Bytes, to: Bytes, files: readonly CpusetFile[] = CPUSET_FILES): Call[] {
  return files.flatMap((file) => {
    const source = slot(`parent ${file}`);
    const target = slot(file);
    const length = slot(`length of ${file}`);
    const list = outBuffer(file, LIST_ROOM, false);
    return [
      openat(AT_FDCWD, `${from}/${file}`, O_RDONLY | O_CLOEXEC, 0, { result: source }),
      read(source, list, { result: length }),
      close(source),
      openat(AT_FDCWD, `${to}/${file}`, O_WRONLY | O_CLOEXEC, 0, { result: target }),
      writeBuffer(target, list, length),
      close(target),
    ];
  });
}

/** From now on the kernel itself copies the lists into every new child. */
export function cloneChildren(directory: Bytes): Call[] {
  const fd = slot('cgroup.clone_children');
  return [
    openat(AT_FDCWD, `${directory}/cgroup.clone_children`, O_WRONLY | O_CLOEXEC, 0, { result: fd }),
    write(fd, '1'),
    close(fd),
  ];
}

/** What is to be done for the ancestors and the leaf of one path. */
export interface CpusetPlan {
  /** Ancestors that get their parent's lists, each with that parent; topmost first. */
  readonly fill: readonly { readonly from: Bytes; readonly to: Bytes }[];
  /** The leaf's parent, when it is new and can be told to copy. */
  readonly clone: Bytes | undefined;
  /** Whether the leaf comes out of mkdir with lists. */
  readonly filled: boolean;
}

/**
 * Decides by what is known of the ancestors: those that are missing or empty are filled, those that have lists are
 * somebody's choice and stay.
 */
export function planCpuset(base: Bytes, parents: readonly Bytes[], known: KnownFiles): CpusetPlan {
  const parent = parents.at(-1);
  if (parent === undefined) return { fill: [], clone: undefined, filled: false };
  const cloning = known.get(`${parent}/cgroup.clone_children`);
  if (cloning?.trim() === '1') return { fill: [], clone: undefined, filled: true };
  const fill = parents
    .map((to, index) => ({ from: parents[index - 1] ?? base, to }))
    .filter(({ to }) => (known.get(`${to}/cpuset.cpus`) ?? '').trim() === '');
  return cloning === undefined
    ? { fill, clone: parent, filled: true }
    : { fill, clone: undefined, filled: false };
}

/** The files whose content decides, as far as `known` does not have them yet: asked for in two rounds. */
export function cpusetFiles(parents: readonly Bytes[], known: KnownFiles): Bytes[] {
  const parent = parents.at(-1);
  if (parent === undefined) return [];
  const cloning = `${parent}/cgroup.clone_children`;
  if (!known.has(cloning)) return [cloning];
  if (known.get(cloning)?.trim() === '1') return [];
  return parents.map((directory) => `${directory}/cpuset.cpus`).filter((file) => !known.has(file));
}
