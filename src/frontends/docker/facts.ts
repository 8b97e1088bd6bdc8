// What the docker front end must know about the host, the image and the container: values, already read.

import type { Arch } from '../../linux/abi/index.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { LinuxIDMapping } from '../../spec/runtime-spec.ts';
import type { VolumeFact } from './volume-request.ts';
import type { ContainerMount } from './volumes-from.ts';

/** The parts of an OCI image configuration (image-spec, config.md) that a run reads. Untrusted input. */
export interface ImageConfig {
  readonly Env?: readonly Bytes[];
  readonly Cmd?: readonly Bytes[];
  readonly Entrypoint?: readonly Bytes[];
  readonly WorkingDir?: Bytes;
  readonly User?: Bytes;
  readonly StopSignal?: Bytes;
  readonly Labels?: Readonly<Record<Bytes, Bytes>>;
  readonly Volumes?: Readonly<Record<Bytes, unknown>>;
  readonly ExposedPorts?: readonly Bytes[];
  /** Seconds; -1 waits for ever. */
  readonly StopTimeout?: number;
  readonly Healthcheck?: ImageHealthCheck;
}

/** Docker's health check; times in nanoseconds, 0 for the default. */
export interface ImageHealthCheck {
  readonly test: readonly Bytes[];
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

/** A device file of the host, links followed. */
export interface DeviceFact {
  /** Its path on the host. */
  readonly path: Bytes;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  /** Permission bits only. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** What the cgroup of a new container can hold. */
export interface CgroupFacts {
  readonly version: 'v1' | 'v2' | 'hybrid';
  /** Controllers that this user may limit by: `memory cpu cpuset pids io` and `devices`; v1's blkio is called io. */
  readonly controllers: ReadonlySet<string>;
  /** Whether this user may make a cgroup at all. */
  readonly available: boolean;
  /** Whether swap can be limited (v1: memory.memsw; v2: memory.swap.max). */
  readonly swap: boolean;
}

/** /etc/passwd and /etc/group of the container, read inside its root by the launcher. */
export interface UserDatabase {
  readonly passwd: Bytes;
  readonly group: Bytes;
}

/** Default ids of a new user namespace. */
export interface IdMaps {
  readonly uidMappings: readonly LinuxIDMapping[];
  readonly gidMappings: readonly LinuxIDMapping[];
  /** False where setgroups(2) is denied: one id mapped without newgidmap (user_namespaces(7)). */
  readonly setgroups: boolean;
}

/** Which labels a new container gets where SELinux is on. */
export interface SelinuxFacts {
  readonly processLabel: Bytes;
  readonly mountLabel: Bytes;
}

/** Everything that compileRun knows about the outside. */
export interface FrontendFacts {
  /** The id of the container: 64 hexadecimal digits. */
  readonly id: Bytes;
  /** The directory that becomes the root, as the engine prepared it. */
  readonly rootfs: Bytes;
  /** A directory of the engine for this container: generated files such as hosts live there. */
  readonly stateDirectory: Bytes;
  /** Working directory of the caller, for relative paths. */
  readonly cwd: Bytes;
  /** `NAME=value` of the caller, for `--env NAME`. */
  readonly environment: readonly Bytes[];
  readonly arch: Arch;
  /** Version of the running kernel, major and minor (seccomp profiles have a minKernel). */
  readonly kernel: readonly [number, number];
  readonly uid: number;
  readonly gid: number;
  /** Whether the caller lacks root on the host: a user namespace is then always needed. */
  readonly rootless: boolean;
  /** The ids of a new user namespace; undefined when this user has none to give (root without subordinate ids). */
  readonly idMaps?: IdMaps;
  /** The maps of `--userns auto`, where they have been found: ids that no other container has. */
  readonly autoIds?: IdMaps;
  readonly cgroups: CgroupFacts;
  /** The kernel's last capability number (/proc/sys/kernel/cap_last_cap). */
  readonly lastCapability: number;
  /** CPUs that exist, for `--cpus` and for the masks of each one's thermal_throttle. */
  readonly cpuCount: number;
  readonly apparmor: boolean;
  readonly selinux?: SelinuxFacts;
  readonly hostname: Bytes;
  /** Contents of the host's /etc/resolv.conf and /etc/hosts. */
  readonly resolvConf: Bytes;
  readonly hosts: Bytes;
  readonly users?: UserDatabase;
  /** Contents of the files that `neededFiles` names, by the path as typed; an absent one does not exist. */
  readonly files: ReadonlyMap<Bytes, Bytes>;
  /** Contents of what `neededSecrets` names, by the text of the flag; never kept. */
  readonly secrets?: ReadonlyMap<Bytes, Bytes>;
  /** Devices at (or below, when it is a directory) each path that `neededDevices` names. */
  readonly devices: ReadonlyMap<Bytes, readonly DeviceFact[]>;
  /** Where each volume of `requestedVolumes` is, by its destination. */
  readonly volumes?: ReadonlyMap<Bytes, VolumeFact>;
  /** The mounts of the containers that `containersNamed` names, by the name as typed; an absent one does not exist. */
  readonly containers?: ReadonlyMap<Bytes, readonly ContainerMount[]>;
}
