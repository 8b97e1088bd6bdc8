// A limit: one value for one file of a cgroup, with the field that asked for it.
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_WRONLY } from '../linux/constants/open.ts';
import { POLLOUT } from '../linux/constants/poll.ts';
import { ERRNO } from '../linux/errno.ts';
import { POLL_EVENTS } from '../linux/flags.ts';
import { type Field, slot } from '../plan/call.ts';
import { type Step, step } from '../plan/step.ts';
import { AT_FDCWD, check, close, openat, write } from '../plan/syscalls.ts';
import { CaissonError, type Pointer } from '../spec/error.ts';
import { pointerOf } from '../spec/pointer.ts';
import type { Int64, LinuxResources } from '../spec/runtime-spec.ts';
import { ppoll } from './calls.ts';

/** Groups of limits by controller, under the v2 name where there is one (`io` is `blkio` on v1). */
export type LimitGroup =
  | 'memory'
  | 'cpu'
  | 'cpuset'
  | 'pids'
  | 'io'
  | 'hugetlb'
  | 'rdma'
  | 'net_cls'
  | 'net_prio'
  | 'unified';

export interface Limit {
  readonly file: Bytes;
  readonly text: Bytes;
  readonly provenance: Pointer;
  /** The file may be missing on this kernel, which is then no error. */
  readonly optional?: boolean;
  /** A second file for the same thing: both are written, and one of them must exist. */
  readonly or?: { readonly file: Bytes; readonly text: Bytes };
  /** Errnos of the write after which a later limit tries again or makes up for it. */
  readonly tolerate?: readonly number[];
}

/** Values of a running container that the order of writes of an update depends on. */
export interface CurrentLimits {
  /** Bytes, as memory.limit_in_bytes or memory.max have it; absent is unlimited. */
  readonly memoryLimit?: Int64;
  readonly memoryUsage?: Int64;
  /** cpu.max (v2): microseconds of every period; no quota is none. */
  readonly cpuQuota?: Int64;
  readonly cpuPeriod?: Int64;
}

/** A field that has no effect on this kernel and that runc ignores too; the engine warns. */
export interface IgnoredField {
  readonly provenance: Pointer;
  readonly reason: string;
}

export interface LimitContext {
  /** Present when limits of a cgroup with processes are changed, absent for a fresh one. */
  readonly update?: CurrentLimits;
  readonly ignore: (provenance: Pointer, reason: string) => void;
}

/** The limits that a version of cgroups makes of `linux.resources`, group by group, in the order of writing. */
export type LimitRules = Readonly<
  Record<LimitGroup, (resources: LinuxResources, context: LimitContext) => Limit[]>
>;

const RESOURCES = '/linux/resources';

/** The JSON pointer of a field of `linux.resources`. */
export function resource(...path: readonly (Bytes | number)[]): Pointer {
  return RESOURCES + pointerOf(path);
}

/** Whether a number asks for something: 0 and absent do not (the zero values of Go, config-linux.md). */
export function asked(value: Int64 | undefined): value is Int64 {
  return value !== undefined && value !== 0 && value !== 0n;
}

export function isUnlimited(value: Int64 | undefined): boolean {
  return value === -1 || value === -1n;
}

export function limit(
  file: Bytes,
  value: Int64 | Bytes,
  provenance: Pointer,
  more: Pick<Limit, 'optional' | 'tolerate' | 'or'> = {},
): Limit {
  return { file, text: String(value), provenance, ...more };
}

export function invalid(message: string, provenance: Pointer): CaissonError {
  return new CaissonError(message, { code: 'EINVALIDSPEC', provenance: [provenance] });
}

export function unsupported(message: string, provenance: Pointer): CaissonError {
  return new CaissonError(message, { code: 'EUNSUPPORTED', provenance: [provenance] });
}

/** Throws CaissonError unless `value` is in the closed range. */
export function requireRange(value: Int64, least: Int64, most: Int64, provenance: Pointer): void {
  if (value >= least && value <= most) return;
  const name = provenance.slice(RESOURCES.length + 1).replaceAll('/', '.');
  throw invalid(`${name} is ${value}: it must be from ${least} to ${most}`, provenance);
}

/** Opens the file, writes the value, closes it: one step, so that an error names the field. */
export function limitStep(directory: Bytes, made: Limit): Step {
  const { file, text, provenance, optional, or, tolerate = [] } = made;
  if (or !== undefined) return eitherStep(directory, made, or);
  const fd = slot(file);
  const absent = optional === true ? [ERRNO.EBADF] : [];
  return step('parent', 'cgroup-limit', `set ${file} to ${text}`, provenance, [
    openat(AT_FDCWD, `${directory}/${file}`, O_WRONLY | O_CLOEXEC, 0, {
      result: fd,
      ...listed(optional === true ? [ERRNO.ENOENT] : []),
    }),
    write(fd, text, listed([...tolerate, ...absent])),
    close(fd, listed(absent)),
  ]);
}

/** poll(2) ignores negative descriptors and finds a cgroup file always writable: its result counts the open ones. */
function eitherStep(directory: Bytes, first: Limit, second: { file: Bytes; text: Bytes }): Step {
  const both = [first, second].map(({ file, text }) => ({ file, text, fd: slot(file, { width: 4 }) }));
  const open = slot('open files');
  const fields = both.flatMap(({ fd }): Field[] => [
    { name: 'fd', width: 4, value: fd },
    // The upper half is revents.
    { name: 'events', width: 4, value: POLLOUT, format: POLL_EVENTS },
  ]);
  const title = `set ${first.file} to ${first.text} or ${second.file} to ${second.text}`;
  return step('parent', 'cgroup-limit', title, first.provenance, [
    ...both.map(({ file, fd }) =>
      openat(AT_FDCWD, `${directory}/${file}`, O_WRONLY | O_CLOEXEC, 0, {
        result: fd,
        ...listed([ERRNO.ENOENT]),
      }),
    ),
    ppoll({ kind: 'struct', fields, array: true }, both.length, false, { result: open }),
    check(open, 'GE', 1, ERRNO.ENOENT),
    ...both.map(({ fd, text }) => write(fd, text, listed([ERRNO.EBADF]))),
    ...both.map(({ fd }) => close(fd, listed([ERRNO.EBADF]))),
  ]);
}

function listed(errnos: readonly number[]): { tolerate?: readonly number[] } {
  return errnos.length === 0 ? {} : { tolerate: errnos };
}
