// The OCI runtime configuration (runtime-spec 1.3) as types, under the names of specs-go/config.go.
//
// Optional means what Go's omitempty and pointers mean: absent. `null` never survives parseSpec.

import type { Bytes } from '../linux/bytes.ts';
import type { Linux, LinuxIDMapping } from './linux-spec.ts';

export type * from './linux-resources.ts';
export type * from './linux-spec.ts';

/** A 64-bit integer, exact: a number up to 2^53 in magnitude, a bigint beyond (RLIM_INFINITY is 2^64-1). */
export type Int64 = number | bigint;

/** config.md: the base configuration of a container. */
export interface Spec {
  readonly ociVersion: Bytes;
  readonly process?: Process;
  readonly root?: Root;
  readonly hostname?: Bytes;
  readonly domainname?: Bytes;
  readonly mounts?: readonly Mount[];
  readonly hooks?: Hooks;
  readonly annotations?: Readonly<Record<Bytes, Bytes>>;
  readonly linux?: Linux;
}

/** config.md, Process. `user` is always there after parseSpec: the absent one is 0:0, as in runc and crun. */
export interface Process {
  readonly terminal?: boolean;
  readonly consoleSize?: Box;
  readonly user: User;
  readonly args?: readonly Bytes[];
  readonly env?: readonly Bytes[];
  readonly cwd: Bytes;
  readonly capabilities?: LinuxCapabilities;
  readonly rlimits?: readonly POSIXRlimit[];
  readonly noNewPrivileges?: boolean;
  readonly apparmorProfile?: Bytes;
  readonly oomScoreAdj?: number;
  readonly scheduler?: Scheduler;
  readonly selinuxLabel?: Bytes;
  readonly ioPriority?: LinuxIOPriority;
  readonly execCPUAffinity?: CPUAffinity;
}

/** Console size in characters. */
export interface Box {
  readonly height: number;
  readonly width: number;
}

/** Ids inside the container's user namespace; `umask` is a number (JSON has no octal). */
export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
  readonly username?: Bytes;
}

/** capabilities(7) sets, each a list of `CAP_*` names; an absent set is empty. */
export interface LinuxCapabilities {
  readonly bounding?: readonly Bytes[];
  readonly effective?: readonly Bytes[];
  readonly inheritable?: readonly Bytes[];
  readonly permitted?: readonly Bytes[];
  readonly ambient?: readonly Bytes[];
}

/** setrlimit(2); `hard` and `soft` are unsigned 64-bit. */
export interface POSIXRlimit {
  readonly type: RlimitType;
  readonly hard: Int64;
  readonly soft: Int64;
}

export type RlimitType =
  | 'RLIMIT_AS'
  | 'RLIMIT_CORE'
  | 'RLIMIT_CPU'
  | 'RLIMIT_DATA'
  | 'RLIMIT_FSIZE'
  | 'RLIMIT_LOCKS'
  | 'RLIMIT_MEMLOCK'
  | 'RLIMIT_MSGQUEUE'
  | 'RLIMIT_NICE'
  | 'RLIMIT_NOFILE'
  | 'RLIMIT_NPROC'
  | 'RLIMIT_RSS'
  | 'RLIMIT_RTPRIO'
  | 'RLIMIT_RTTIME'
  | 'RLIMIT_SIGPENDING'
  | 'RLIMIT_STACK';

/** sched_setattr(2); runtime, deadline and period in nanoseconds, unsigned 64-bit. */
export interface Scheduler {
  readonly policy: LinuxSchedulerPolicy;
  readonly nice?: number;
  readonly priority?: number;
  readonly flags?: readonly LinuxSchedulerFlag[];
  readonly runtime?: Int64;
  readonly deadline?: Int64;
  readonly period?: Int64;
}

export type LinuxSchedulerPolicy =
  | 'SCHED_OTHER'
  | 'SCHED_FIFO'
  | 'SCHED_RR'
  | 'SCHED_BATCH'
  | 'SCHED_ISO'
  | 'SCHED_IDLE'
  | 'SCHED_DEADLINE';

export type LinuxSchedulerFlag =
  | 'SCHED_FLAG_RESET_ON_FORK'
  | 'SCHED_FLAG_RECLAIM'
  | 'SCHED_FLAG_DL_OVERRUN'
  | 'SCHED_FLAG_KEEP_POLICY'
  | 'SCHED_FLAG_KEEP_PARAMS'
  | 'SCHED_FLAG_UTIL_CLAMP_MIN'
  | 'SCHED_FLAG_UTIL_CLAMP_MAX';

/** ioprio_set(2); priority 0 (highest) to 7. */
export interface LinuxIOPriority {
  readonly class: IOPriorityClass;
  readonly priority: number;
}

export type IOPriorityClass = 'IOPRIO_CLASS_RT' | 'IOPRIO_CLASS_BE' | 'IOPRIO_CLASS_IDLE';

/** CPU lists (`0-3,7`) of an exec process before and after it enters the container's cgroup. */
export interface CPUAffinity {
  readonly initial?: Bytes;
  readonly final?: Bytes;
}

/** The root file system; a relative path is relative to the bundle. */
export interface Root {
  readonly path: Bytes;
  readonly readonly?: boolean;
}

/** config.md, Mounts; options as in fstab (see mount-options.ts). */
export interface Mount {
  readonly destination: Bytes;
  readonly type?: Bytes;
  readonly source?: Bytes;
  readonly options?: readonly Bytes[];
  readonly uidMappings?: readonly LinuxIDMapping[];
  readonly gidMappings?: readonly LinuxIDMapping[];
}

/** config.md, POSIX-platform Hooks, in the order of the life cycle. */
export interface Hooks {
  /** Deprecated by the specification, still run: right before createRuntime. */
  readonly prestart?: readonly Hook[];
  readonly createRuntime?: readonly Hook[];
  readonly createContainer?: readonly Hook[];
  readonly startContainer?: readonly Hook[];
  readonly poststart?: readonly Hook[];
  readonly poststop?: readonly Hook[];
}

/** `args` includes argv[0]; `timeout` in seconds. */
export interface Hook {
  readonly path: Bytes;
  readonly args?: readonly Bytes[];
  readonly env?: readonly Bytes[];
  readonly timeout?: number;
}

/** runtime.md, State: what `state` prints and hooks read on stdin. */
export interface State {
  readonly ociVersion: Bytes;
  readonly id: Bytes;
  readonly status: ContainerState;
  readonly pid?: number;
  readonly bundle: Bytes;
  readonly annotations?: Readonly<Record<Bytes, Bytes>>;
}

export type ContainerState = 'creating' | 'created' | 'running' | 'stopped';

/** config-linux.md, seccomp: what is sent with the notify descriptor to listenerPath. */
export interface ContainerProcessState {
  readonly ociVersion: Bytes;
  readonly fds: readonly Bytes[];
  readonly pid: number;
  readonly metadata?: Bytes;
  readonly state: State;
}
