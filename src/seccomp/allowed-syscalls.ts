// The system calls that every container may make under the default profile, grouped by what they are for.
//
// The set is the one that Docker's users rely on (moby's default profile, 2026). What is missing is missing on
// purpose: io_uring (a second system call interface behind this filter, and years of privilege escalations),
// userfaultfd (makes kernel races winnable), keyctl, add_key, request_key (keyrings have no namespace),
// kexec, swapon, quotactl, nfsservctl (the host's), uselib, sysfs, ustat, vm86 (relics nobody reviews).

/** A list written as words. */
function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

const FILES = words(`
  access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
  fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync flock fstat fstatfs fsync ftruncate
  futimesat getcwd getdents getdents64 ioctl lchown link linkat lseek lstat mkdir mkdirat mknod mknodat
  name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead
  readlink readlinkat readv rename renameat renameat2 rmdir sendfile splice stat statfs statx symlink symlinkat
  sync sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes vmsplice write writev
`);

const EXTENDED_ATTRIBUTES = words(`
  fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr
  lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat
`);

/** Watching files, and what is mounted in one's own mount namespace. */
const OBSERVATION = words(`
  fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch listmount statmount
`);

const MEMORY = words(`
  brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap
  mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease
  remap_file_pages
`);

/** clone is conditional, clone3 is not here: its flags are in memory, where a filter cannot look. */
const PROCESSES = words(`
  execve execveat exit exit_group fork getpgid getpgrp getpid getppid getsid gettid pidfd_open pidfd_send_signal
  prctl rseq set_robust_list get_robust_list set_tid_address setpgid setsid set_thread_area get_thread_area
  vfork wait4 waitid futex futex_requeue futex_wait futex_waitv futex_wake restart_syscall
`);

/** Of one's own processes: the kernel checks with Yama and credentials, safe under a filter since 4.8. */
const TRACING = words('process_vm_readv process_vm_writev ptrace uretprobe');

const SIGNALS = words(`
  kill pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
  rt_tgsigqueueinfo sigaltstack signalfd signalfd4 tgkill tkill
`);

/** Setting the clock needs CAP_SYS_TIME; adjtimex and clock_adjtime also read, and check for it themselves. */
const TIME = words(`
  adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep
  setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create
  timerfd_gettime timerfd_settime times
`);

const SCHEDULING = words(`
  getcpu getpriority ioprio_get ioprio_set sched_get_priority_max sched_get_priority_min sched_getaffinity
  sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr
  sched_setparam sched_setscheduler sched_yield setpriority
`);

const IDENTITY = words(`
  capget capset getegid geteuid getgid getgroups getresgid getresuid getuid setfsgid setfsuid setgid setgroups
  setregid setresgid setresuid setreuid setuid
`);

const LIMITS_AND_FACTS = words(`
  getrandom getrlimit getrusage prlimit64 setrlimit sysinfo uname
`);

const WAITING = words(`
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd
  eventfd2 pipe pipe2 poll ppoll pselect6 select
`);

/** The old asynchronous I/O, which databases use. */
const ASYNCHRONOUS_IO = words('io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit');

/** socket itself is conditional. */
const NETWORK = words(`
  accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg sendmsg
  sendto setsockopt shutdown socketpair
`);

const MESSAGES_AND_SHARED_MEMORY = words(`
  mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd semctl semget
  semop semtimedop shmat shmctl shmdt shmget
`);

/** A process may always give up rights. */
const SELF_RESTRICTION = words('landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp');

/** How 32-bit ABIs name and split the calls above; 64-bit ones have no such names. */
const NAMES_OF_32_BIT_ABIS = words(`
  _llseek _newselect chown32 clock_adjtime64 clock_getres_time64 clock_gettime64 clock_nanosleep_time64
  fadvise64_64 fchown32 fcntl64 fstat64 fstatat64 fstatfs64 ftruncate64 futex_time64 getegid32 geteuid32 getgid32
  getgroups32 getresgid32 getresuid32 getuid32 io_pgetevents_time64 ipc lchown32 lstat64 mmap2
  mq_timedreceive_time64 mq_timedsend_time64 ppoll_time64 pselect6_time64 recv recvmmsg_time64
  rt_sigtimedwait_time64 sched_rr_get_interval_time64 semtimedop_time64 send sendfile64 setfsgid32 setfsuid32
  setgid32 setgroups32 setregid32 setresgid32 setresuid32 setreuid32 setuid32 sigprocmask sigreturn socketcall
  stat64 statfs64 timer_gettime64 timer_settime64 timerfd_gettime64 timerfd_settime64 truncate64 ugetrlimit
  utimensat_time64 waitpid
`);

/** Names allowed whatever the architecture and the capabilities. */
export const ALLOWED: readonly string[] = [
  ...FILES,
  ...EXTENDED_ATTRIBUTES,
  ...OBSERVATION,
  ...MEMORY,
  ...PROCESSES,
  ...TRACING,
  ...SIGNALS,
  ...TIME,
  ...SCHEDULING,
  ...IDENTITY,
  ...LIMITS_AND_FACTS,
  ...WAITING,
  ...ASYNCHRONOUS_IO,
  ...NETWORK,
  ...MESSAGES_AND_SHARED_MEMORY,
  ...SELF_RESTRICTION,
];

/** Added where a profile covers the 32-bit ABI of the machine. */
export const ALLOWED_32_BIT: readonly string[] = NAMES_OF_32_BIT_ABIS;

/** What one architecture has and its programs need: thread pointers, segment tables, cache maintenance. */
export const ALLOWED_BY_ARCH = {
  x86_64: words('arch_prctl modify_ldt'),
  aarch64: words('arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2'),
} as const;

/** What a capability adds: calls that the kernel itself refuses without it, or that are dangerous alone. */
export const ALLOWED_BY_CAPABILITY: Readonly<Record<string, readonly string[]>> = {
  CAP_BPF: words('bpf'),
  CAP_DAC_READ_SEARCH: words('open_by_handle_at'),
  CAP_PERFMON: words('perf_event_open'),
  CAP_SYSLOG: words('syslog'),
  CAP_SYS_ADMIN: words(`
    bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
    lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl
    quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare
  `),
  CAP_SYS_BOOT: words('reboot'),
  CAP_SYS_CHROOT: words('chroot'),
  CAP_SYS_MODULE: words('delete_module finit_module init_module'),
  CAP_SYS_NICE: words('get_mempolicy mbind set_mempolicy set_mempolicy_home_node'),
  CAP_SYS_PACCT: words('acct'),
  CAP_SYS_PTRACE: words('kcmp pidfd_getfd process_madvise'),
  CAP_SYS_RAWIO: words('ioperm iopl'),
  CAP_SYS_TIME: words('clock_settime clock_settime64 settimeofday stime'),
  CAP_SYS_TTY_CONFIG: words('vhangup'),
};
