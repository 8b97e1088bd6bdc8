// Constants of clone3(2), waitid(2), prctl(2), scheduling, keys and credentials.

// clone3(2), <linux/sched.h>
export const CLONE_NEWTIME = 0x80;
export const CLONE_VM = 0x100;
export const CLONE_FS = 0x200;
export const CLONE_FILES = 0x400;
export const CLONE_SIGHAND = 0x800;
export const CLONE_PIDFD = 0x1000;
export const CLONE_PTRACE = 0x2000;
export const CLONE_VFORK = 0x4000;
export const CLONE_PARENT = 0x8000;
export const CLONE_THREAD = 0x10000;
export const CLONE_NEWNS = 0x20000;
export const CLONE_SYSVSEM = 0x40000;
export const CLONE_SETTLS = 0x80000;
export const CLONE_PARENT_SETTID = 0x100000;
export const CLONE_CHILD_CLEARTID = 0x200000;
export const CLONE_UNTRACED = 0x800000;
export const CLONE_CHILD_SETTID = 0x1000000;
export const CLONE_NEWCGROUP = 0x2000000;
export const CLONE_NEWUTS = 0x4000000;
export const CLONE_NEWIPC = 0x8000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;
export const CLONE_IO = 0x80000000;
export const CLONE_CLEAR_SIGHAND = 0x100000000;
export const CLONE_INTO_CGROUP = 0x200000000;

// clone3(2) structure sizes, <linux/sched.h>
export const CLONE_ARGS_SIZE_VER0 = 64;
export const CLONE_ARGS_SIZE_VER1 = 80;
export const CLONE_ARGS_SIZE_VER2 = 88;

// waitid(2), <linux/wait.h>
export const WNOHANG = 1;
export const WUNTRACED = 2;
export const WSTOPPED = 2;
export const WEXITED = 4;
export const WCONTINUED = 8;
export const WNOWAIT = 16777216;
export const P_ALL = 0;
export const P_PID = 1;
export const P_PGID = 2;
export const P_PIDFD = 3;

// pidfd_open(2), pidfd_send_signal(2), <linux/pidfd.h>; PIDFD_THREAD and the signal scopes since 6.9
export const PIDFD_NONBLOCK = 0x800;
export const PIDFD_THREAD = 0x80;
export const PIDFD_SIGNAL_THREAD = 0x1;
export const PIDFD_SIGNAL_THREAD_GROUP = 0x2;
export const PIDFD_SIGNAL_PROCESS_GROUP = 0x4;

// prctl(2), <linux/prctl.h>; PR_SET_MDWE since 6.3, PR_SET_MEMORY_MERGE since 6.4
export const PR_SET_PDEATHSIG = 1;
export const PR_GET_PDEATHSIG = 2;
export const PR_GET_DUMPABLE = 3;
export const PR_SET_DUMPABLE = 4;
export const PR_GET_KEEPCAPS = 7;
export const PR_SET_KEEPCAPS = 8;
export const PR_SET_NAME = 15;
export const PR_GET_NAME = 16;
export const PR_SET_SECCOMP = 22;
export const PR_CAPBSET_READ = 23;
export const PR_CAPBSET_DROP = 24;
export const PR_GET_SECUREBITS = 27;
export const PR_SET_SECUREBITS = 28;
export const PR_SET_TIMERSLACK = 29;
export const PR_SET_MM = 35;
export const PR_SET_CHILD_SUBREAPER = 36;
export const PR_GET_CHILD_SUBREAPER = 37;
export const PR_SET_NO_NEW_PRIVS = 38;
export const PR_GET_NO_NEW_PRIVS = 39;
export const PR_SET_THP_DISABLE = 41;
export const PR_CAP_AMBIENT = 47;
export const PR_CAP_AMBIENT_IS_SET = 1;
export const PR_CAP_AMBIENT_RAISE = 2;
export const PR_CAP_AMBIENT_LOWER = 3;
export const PR_CAP_AMBIENT_CLEAR_ALL = 4;
export const PR_SET_SPECULATION_CTRL = 53;
export const PR_SET_IO_FLUSHER = 57;
export const PR_SCHED_CORE = 62;
export const PR_SET_MDWE = 65;
export const PR_SET_MEMORY_MERGE = 67;

// capabilities(7), <linux/securebits.h>
export const SECBIT_NOROOT = 1;
export const SECBIT_NOROOT_LOCKED = 2;
export const SECBIT_NO_SETUID_FIXUP = 4;
export const SECBIT_NO_SETUID_FIXUP_LOCKED = 0x8;
export const SECBIT_KEEP_CAPS = 0x10;
export const SECBIT_KEEP_CAPS_LOCKED = 0x20;
export const SECBIT_NO_CAP_AMBIENT_RAISE = 0x40;
export const SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED = 0x80;

// capset(2), <linux/capability.h>
export const _LINUX_CAPABILITY_VERSION_3 = 0x20080522;

// getpriority(2), <linux/resource.h>
export const PRIO_PROCESS = 0;
export const PRIO_PGRP = 1;
export const PRIO_USER = 2;

// ioprio_set(2), <linux/ioprio.h>
export const IOPRIO_CLASS_SHIFT = 13;
export const IOPRIO_CLASS_NONE = 0;
export const IOPRIO_CLASS_RT = 1;
export const IOPRIO_CLASS_BE = 2;
export const IOPRIO_CLASS_IDLE = 3;
export const IOPRIO_WHO_PROCESS = 1;
export const IOPRIO_WHO_PGRP = 2;
export const IOPRIO_WHO_USER = 3;

// sched_setattr(2), <linux/sched.h>; SCHED_EXT since 6.12, SCHED_ISO was never merged
export const SCHED_NORMAL = 0;
export const SCHED_FIFO = 1;
export const SCHED_RR = 2;
export const SCHED_BATCH = 3;
export const SCHED_ISO = 4;
export const SCHED_IDLE = 5;
export const SCHED_DEADLINE = 6;
export const SCHED_EXT = 7;

// sched_setattr(2) flags, <linux/sched.h>
export const SCHED_RESET_ON_FORK = 0x40000000;
export const SCHED_FLAG_RESET_ON_FORK = 1;
export const SCHED_FLAG_RECLAIM = 2;
export const SCHED_FLAG_DL_OVERRUN = 4;
export const SCHED_FLAG_KEEP_POLICY = 0x8;
export const SCHED_FLAG_KEEP_PARAMS = 0x10;
export const SCHED_FLAG_UTIL_CLAMP_MIN = 0x20;
export const SCHED_FLAG_UTIL_CLAMP_MAX = 0x40;

// sched_setattr(2) structure sizes, <linux/sched/types.h>
export const SCHED_ATTR_SIZE_VER0 = 48;
export const SCHED_ATTR_SIZE_VER1 = 56;

// personality(2), <linux/personality.h>
export const PER_LINUX = 0;
export const PER_LINUX32 = 0x8;
export const UNAME26 = 0x20000;
export const ADDR_NO_RANDOMIZE = 0x40000;
export const FDPIC_FUNCPTRS = 0x80000;
export const MMAP_PAGE_ZERO = 0x100000;
export const ADDR_COMPAT_LAYOUT = 0x200000;
export const READ_IMPLIES_EXEC = 0x400000;
export const ADDR_LIMIT_32BIT = 0x800000;
export const SHORT_INODE = 0x1000000;
export const WHOLE_SECONDS = 0x2000000;
export const STICKY_TIMEOUTS = 0x4000000;
export const ADDR_LIMIT_3GB = 0x8000000;

// keyctl(2), <linux/keyctl.h>
export const KEYCTL_GET_KEYRING_ID = 0;
export const KEYCTL_JOIN_SESSION_KEYRING = 1;
export const KEYCTL_REVOKE = 3;
export const KEYCTL_CHOWN = 4;
export const KEYCTL_SETPERM = 5;
export const KEYCTL_DESCRIBE = 6;
export const KEYCTL_LINK = 8;
export const KEYCTL_UNLINK = 9;
export const KEYCTL_SESSION_TO_PARENT = 18;
export const KEY_SPEC_PROCESS_KEYRING = -2;
export const KEY_SPEC_SESSION_KEYRING = -3;
export const KEY_SPEC_USER_KEYRING = -4;
export const KEY_SPEC_USER_SESSION_KEYRING = -5;

// KEYCTL_SETPERM of keyctl(2), include/linux/key.h (not exported)
export const KEY_POS_ALL = 0x3f000000;
export const KEY_USR_ALL = 0x3f0000;
export const KEY_USR_VIEW = 0x10000;
export const KEY_USR_READ = 0x20000;
export const KEY_USR_SEARCH = 0x80000;

// kcmp(2), <linux/kcmp.h>
export const KCMP_FILE = 0;
export const KCMP_VM = 1;
export const KCMP_FILES = 2;
export const KCMP_FS = 3;
