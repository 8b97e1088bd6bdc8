// The public suites: how many tests pass, and what the newest runc or crun passes and caisson does not, with the reasons.

/** Tests that pass of one suite in one environment. */
export interface Count {
  readonly suite: 'runc integration' | 'runtime-tools validation';
  readonly where: 'cgroup v1' | 'cgroup v2';
  readonly all: number;
  readonly caisson: number;
  readonly runc: number;
  readonly crun?: number;
}

/** As of 2026-12-01; without `pidfile` of the validation suite, which passes for nobody but by winning a race. */
export const COUNTS: readonly Count[] = [
  { suite: 'runc integration', where: 'cgroup v1', all: 339, caisson: 275, runc: 284 },
  { suite: 'runc integration', where: 'cgroup v2', all: 339, caisson: 279, runc: 277 },
  { suite: 'runtime-tools validation', where: 'cgroup v1', all: 58, caisson: 25, runc: 22, crun: 31 },
  { suite: 'runtime-tools validation', where: 'cgroup v2', all: 58, caisson: 23, runc: 22, crun: 28 },
];

/** One test, or several of one kind. */
export interface Unpassed {
  readonly suite: Count['suite'];
  readonly test: string;
  /** `meant`: a safer default, or what the specification says; `open`: to be done. */
  readonly state: 'meant' | 'open';
  readonly why: string;
}

export const UNPASSED: readonly Unpassed[] = [
  {
    suite: 'runc integration',
    test: '`mounts_sshfs.bats`: `--bind with clearing flag`, `implied-rw`, `ro`, `ro,symfollow`, `ro,noexec`',
    state: 'meant',
    why: 'a bind keeps the flags of its source that no option names, `nosuid` and the like, as mount(8) does (util-linux 2.42); runc clears them, which its test calls unlike mount(8)',
  },
  {
    suite: 'runc integration',
    test: '`mounts_sshfs.bats`: `dev,exec,suid,atime`, `{no,rel,strict}atime semantics`',
    state: 'meant',
    why: 'the option `atime` takes away the `noatime` of a source, as config.md says; runc leaves it, which its test marks as to be mended',
  },
  {
    suite: 'runc integration',
    test: 'host-mntns.bats: runc run [host mount ns + hooks]',
    state: 'meant',
    why: 'mounts without a mount namespace of its own are refused: runc leaves them behind on the host',
  },
  {
    suite: 'runc integration',
    test: 'run.bats: runc run [/proc/self/exe clone]',
    state: 'meant',
    why: 'it looks for a debug line about an overlay that seals the executable; the launcher here is a sealed memory file always',
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
    why: 'a label without its security module, or with a policy that has it not, is refused: it fails closed (CVE-2019-16884)',
  },
  {
    suite: 'runtime-tools validation',
    test: 'start (crun)',
    state: 'meant',
    why: 'wants start to succeed without a process, which start needs',
  },
];
