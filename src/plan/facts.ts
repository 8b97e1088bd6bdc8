// What the plan compiler knows about the host: a value, gathered by src/runtime/facts.ts, so that compiling is pure.
import type { Arch } from '../linux/abi/index.ts';
import type { Bytes } from '../linux/bytes.ts';

export type FileType = 'file' | 'directory' | 'character' | 'block' | 'fifo' | 'socket' | 'other';

/** A file of the host that the configuration names: a bind source, a device, a path of /proc or /sys. */
export interface HostFile {
  readonly type: FileType;
  readonly rdev: number;
}

/** The facts. */
export interface HostFacts {
  readonly arch: Arch;
  /** Kernel release, `[6, 18]`. Features are decided by it, never by trial (design.md: the plan shows the choice). */
  readonly kernel: readonly [number, number];
  /** Effective ids of the caller. */
  readonly uid: number;
  readonly gid: number;
  /** Whether the caller may create namespaces and mounts without a user namespace (CAP_SYS_ADMIN). */
  readonly privileged: boolean;
  /** Whether the caller is in the first user namespace, where the hard privileges (devices, rlimits) live. */
  readonly initialUserNamespace: boolean;
  /** Permitted capabilities of the caller, low and high 32 bits. */
  readonly permitted: readonly [number, number];
  /** /proc/sys/kernel/cap_last_cap. */
  readonly lastCapability: number;
  /** The security modules that are on, from /sys/kernel/security/lsm or their file systems. */
  readonly apparmor: boolean;
  readonly selinux: boolean;
  /** Signals that the caller ignores, which its programs would inherit (signal(7)). */
  readonly ignoredSignals: readonly number[];
  /** Of linux.intelRdt: where resctrl is mounted, and the `schemata` of the group that is asked for, if it is there. */
  readonly resctrl?: { readonly mountPoint: Bytes; readonly schemata?: Bytes };
  /** Files of the host by path; absent keys do not exist. */
  readonly files: ReadonlyMap<Bytes, HostFile>;
}

/** Whether the kernel is at least `major.minor`. */
export function kernelAtLeast(facts: HostFacts, major: number, minor: number): boolean {
  const [haveMajor, haveMinor] = facts.kernel;
  return haveMajor > major || (haveMajor === major && haveMinor >= minor);
}
