// The `linux` part of the OCI runtime configuration (config-linux.md) as types.

import type { Bytes } from '../linux/bytes.ts';
import type { LinuxResources } from './linux-resources.ts';
import type { Int64 } from './runtime-spec.ts';

/** config-linux.md, all of it. */
export interface Linux {
  readonly uidMappings?: readonly LinuxIDMapping[];
  readonly gidMappings?: readonly LinuxIDMapping[];
  readonly sysctl?: Readonly<Record<Bytes, Bytes>>;
  readonly resources?: LinuxResources;
  readonly cgroupsPath?: Bytes;
  readonly namespaces?: readonly LinuxNamespace[];
  readonly devices?: readonly LinuxDevice[];
  /** Keyed by the name of the network device on the host. */
  readonly netDevices?: Readonly<Record<Bytes, LinuxNetDevice>>;
  readonly seccomp?: LinuxSeccomp;
  readonly rootfsPropagation?: RootfsPropagation;
  readonly maskedPaths?: readonly Bytes[];
  readonly readonlyPaths?: readonly Bytes[];
  readonly mountLabel?: Bytes;
  readonly intelRdt?: LinuxIntelRdt;
  readonly memoryPolicy?: LinuxMemoryPolicy;
  readonly personality?: LinuxPersonality;
  readonly timeOffsets?: LinuxTimeOffsets;
}

/** user_namespaces(7): `size` ids from `containerID` inside are those from `hostID` outside; unsigned 32-bit. */
export interface LinuxIDMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** A new namespace of the runtime, or with `path` one to join. */
export interface LinuxNamespace {
  readonly type: LinuxNamespaceType;
  readonly path?: Bytes;
}

export type LinuxNamespaceType = 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time';

/** mknod(2). `u` is an unbuffered character device, as `c`; a FIFO (`p`) has no numbers. */
export interface LinuxDevice {
  readonly path: Bytes;
  readonly type: LinuxDeviceType;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

export type LinuxDeviceType = 'c' | 'b' | 'u' | 'p';

/** The name of the device inside; absent: the same name. */
export interface LinuxNetDevice {
  readonly name?: Bytes;
}

/** mount_namespaces(7); the r variants are what runc accepts too. */
export type RootfsPropagation =
  | 'shared'
  | 'slave'
  | 'private'
  | 'unbindable'
  | 'rshared'
  | 'rslave'
  | 'rprivate'
  | 'runbindable';

/** seccomp(2), in libseccomp's vocabulary. */
export interface LinuxSeccomp {
  readonly defaultAction: LinuxSeccompAction;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly Arch[];
  readonly flags?: readonly LinuxSeccompFlag[];
  readonly listenerPath?: Bytes;
  readonly listenerMetadata?: Bytes;
  readonly syscalls?: readonly LinuxSyscall[];
}

export interface LinuxSyscall {
  readonly names: readonly Bytes[];
  readonly action: LinuxSeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly LinuxSeccompArg[];
}

/** `index` 0..5; values unsigned 64-bit. With SCMP_CMP_MASKED_EQ `value` is the mask and `valueTwo` the datum. */
export interface LinuxSeccompArg {
  readonly index: number;
  readonly value: Int64;
  readonly valueTwo?: Int64;
  readonly op: LinuxSeccompOperator;
}

export type LinuxSeccompAction =
  | 'SCMP_ACT_KILL'
  | 'SCMP_ACT_KILL_PROCESS'
  | 'SCMP_ACT_KILL_THREAD'
  | 'SCMP_ACT_TRAP'
  | 'SCMP_ACT_ERRNO'
  | 'SCMP_ACT_TRACE'
  | 'SCMP_ACT_ALLOW'
  | 'SCMP_ACT_LOG'
  | 'SCMP_ACT_NOTIFY';

export type LinuxSeccompOperator =
  | 'SCMP_CMP_NE'
  | 'SCMP_CMP_LT'
  | 'SCMP_CMP_LE'
  | 'SCMP_CMP_EQ'
  | 'SCMP_CMP_GE'
  | 'SCMP_CMP_GT'
  | 'SCMP_CMP_MASKED_EQ';

/** SECCOMP_FILTER_FLAG_TSYNC is accepted by runc though the Go constants leave it out. */
export type LinuxSeccompFlag =
  | 'SECCOMP_FILTER_FLAG_TSYNC'
  | 'SECCOMP_FILTER_FLAG_LOG'
  | 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'
  | 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV';

export type Arch =
  | 'SCMP_ARCH_X86'
  | 'SCMP_ARCH_X86_64'
  | 'SCMP_ARCH_X32'
  | 'SCMP_ARCH_ARM'
  | 'SCMP_ARCH_AARCH64'
  | 'SCMP_ARCH_MIPS'
  | 'SCMP_ARCH_MIPS64'
  | 'SCMP_ARCH_MIPS64N32'
  | 'SCMP_ARCH_MIPSEL'
  | 'SCMP_ARCH_MIPSEL64'
  | 'SCMP_ARCH_MIPSEL64N32'
  | 'SCMP_ARCH_PPC'
  | 'SCMP_ARCH_PPC64'
  | 'SCMP_ARCH_PPC64LE'
  | 'SCMP_ARCH_S390'
  | 'SCMP_ARCH_S390X'
  | 'SCMP_ARCH_PARISC'
  | 'SCMP_ARCH_PARISC64'
  | 'SCMP_ARCH_RISCV64'
  | 'SCMP_ARCH_LOONGARCH64'
  | 'SCMP_ARCH_M68K'
  | 'SCMP_ARCH_SH'
  | 'SCMP_ARCH_SHEB';

/** resctrl file system; schemata lines are written as they are. */
export interface LinuxIntelRdt {
  readonly closID?: Bytes;
  readonly schemata?: readonly Bytes[];
  readonly l3CacheSchema?: Bytes;
  readonly memBwSchema?: Bytes;
  readonly enableMonitoring?: boolean;
}

/** set_mempolicy(2); `nodes` is a list such as `0-3,7`. */
export interface LinuxMemoryPolicy {
  readonly mode: MemoryPolicyModeType;
  readonly nodes?: Bytes;
  readonly flags?: readonly MemoryPolicyFlagType[];
}

export type MemoryPolicyModeType =
  | 'MPOL_DEFAULT'
  | 'MPOL_BIND'
  | 'MPOL_INTERLEAVE'
  | 'MPOL_WEIGHTED_INTERLEAVE'
  | 'MPOL_PREFERRED'
  | 'MPOL_PREFERRED_MANY'
  | 'MPOL_LOCAL';

export type MemoryPolicyFlagType = 'MPOL_F_NUMA_BALANCING' | 'MPOL_F_RELATIVE_NODES' | 'MPOL_F_STATIC_NODES';

/** personality(2); the specification defines no flags yet. */
export interface LinuxPersonality {
  readonly domain: LinuxPersonalityDomain;
  readonly flags?: readonly Bytes[];
}

export type LinuxPersonalityDomain = 'LINUX' | 'LINUX32';

/** time_namespaces(7): the two clocks that have offsets. */
export interface LinuxTimeOffsets {
  readonly monotonic?: LinuxTimeOffset;
  readonly boottime?: LinuxTimeOffset;
}

/** `secs` signed 64-bit; `nanosecs` below 10^9. */
export interface LinuxTimeOffset {
  readonly secs?: Int64;
  readonly nanosecs?: number;
}
