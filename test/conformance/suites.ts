// What the newest runc or crun passes of the public suites on cgroup v1, and caisson does not, each with its reason.

/** One test, or several of one kind. */
export interface Unpassed {
  readonly suite: 'runc integration' | 'runtime-tools validation';
  readonly test: string;
  /** `meant`: a safer default, or what the specification says; `open`: to be done. */
  readonly state: 'meant' | 'open';
  readonly why: string;
}

export const UNPASSED: readonly Unpassed[] = [
  {
    suite: 'runc integration',
    test: 'mounts_sshfs.bats, eight tests of flags of the source',
    state: 'meant',
    why: 'a bind keeps the restrictions of its source, `nosuid` and the like; runc clears those that the options do not name',
  },
  {
    suite: 'runc integration',
    test: 'host-mntns.bats: runc run [host mount ns + hooks]',
    state: 'meant',
    why: 'mounts without a mount namespace of its own are refused: they would be mounts of the host',
  },
  {
    suite: 'runc integration',
    test: 'cpu_affinity.bats: three tests of runc exec',
    state: 'meant',
    why: 'they read the affinity from a debug line of a program of runc’s; the affinity itself is set, and tested here',
  },
  {
    suite: 'runc integration',
    test: 'seccomp.bats: SECCOMP_FILTER_FLAG_*, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
    state: 'meant',
    why: 'they read the flags from a debug line of runc’s; the flags themselves are loaded, and golden plans show them',
  },
  {
    suite: 'runc integration',
    test: 'run.bats: the overlay that seals the executable, where it is tried',
    state: 'meant',
    why: 'it reads a debug line of runc’s about an overlay; the launcher here is a sealed memory file always',
  },
  {
    suite: 'runtime-tools validation',
    test: 'linux_ns_itype, linux_ns_path (mount)',
    state: 'meant',
    why: 'mounts without a mount namespace of its own are refused',
  },
  {
    suite: 'runtime-tools validation',
    test: 'hooks_stdin (crun)',
    state: 'meant',
    why: 'wants the status created in prestart hooks; runtime.md says creating until create has returned, and runc agrees',
  },
  {
    suite: 'runtime-tools validation',
    test: 'linux_mount_label, linux_process_apparmor_profile (crun)',
    state: 'meant',
    why: 'a label without its security module is refused: it fails closed (CVE-2019-16884)',
  },
  {
    suite: 'runtime-tools validation',
    test: 'start (crun)',
    state: 'meant',
    why: 'wants start to succeed without a process, which start needs',
  },
];
