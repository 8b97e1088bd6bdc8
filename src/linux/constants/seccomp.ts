// Constants of seccomp(2), classic BPF and the audit architectures.

// seccomp(2) operations, <linux/seccomp.h>
export const SECCOMP_SET_MODE_STRICT = 0;
export const SECCOMP_SET_MODE_FILTER = 1;
export const SECCOMP_GET_ACTION_AVAIL = 2;
export const SECCOMP_GET_NOTIF_SIZES = 3;
export const SECCOMP_MODE_STRICT = 1;
export const SECCOMP_MODE_FILTER = 2;

// seccomp(2) filter flags, <linux/seccomp.h>; WAIT_KILLABLE_RECV since 5.19
export const SECCOMP_FILTER_FLAG_TSYNC = 1;
export const SECCOMP_FILTER_FLAG_LOG = 2;
export const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4;
export const SECCOMP_FILTER_FLAG_NEW_LISTENER = 0x8;
export const SECCOMP_FILTER_FLAG_TSYNC_ESRCH = 0x10;
export const SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 0x20;

// seccomp(2) filter return values, <linux/seccomp.h>
export const SECCOMP_RET_KILL_PROCESS = 0x80000000;
export const SECCOMP_RET_KILL_THREAD = 0;
export const SECCOMP_RET_TRAP = 0x30000;
export const SECCOMP_RET_ERRNO = 0x50000;
export const SECCOMP_RET_USER_NOTIF = 0x7fc00000;
export const SECCOMP_RET_TRACE = 0x7ff00000;
export const SECCOMP_RET_LOG = 0x7ffc0000;
export const SECCOMP_RET_ALLOW = 0x7fff0000;
export const SECCOMP_RET_ACTION_FULL = 0xffff0000;
export const SECCOMP_RET_ACTION = 0x7fff0000;
export const SECCOMP_RET_DATA = 0xffff;

// seccomp_unotify(2), <linux/seccomp.h>; the last two since 6.6
export const SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1;
export const SECCOMP_ADDFD_FLAG_SETFD = 1;
export const SECCOMP_ADDFD_FLAG_SEND = 2;
export const SECCOMP_IOCTL_NOTIF_RECV = 0xc0502100;
export const SECCOMP_IOCTL_NOTIF_SEND = 0xc0182101;
export const SECCOMP_IOCTL_NOTIF_ID_VALID = 0x40082102;
export const SECCOMP_IOCTL_NOTIF_ADDFD = 0x40182103;
export const SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP = 1;
export const SECCOMP_IOCTL_NOTIF_SET_FLAGS = 0x40082104;

// audit architectures of seccomp_data.arch, <linux/audit.h>
export const AUDIT_ARCH_X86_64 = 0xc000003e;
export const AUDIT_ARCH_I386 = 0x40000003;
export const AUDIT_ARCH_AARCH64 = 0xc00000b7;
export const AUDIT_ARCH_ARM = 0x40000028;
export const AUDIT_ARCH_RISCV64 = 0xc00000f3;
export const AUDIT_ARCH_PPC64LE = 0xc0000015;
export const AUDIT_ARCH_PPC64 = 0x80000015;
export const AUDIT_ARCH_PPC = 0x14;
export const AUDIT_ARCH_S390X = 0x80000016;
export const AUDIT_ARCH_S390 = 0x16;
export const AUDIT_ARCH_MIPS = 0x8;
export const AUDIT_ARCH_MIPS64 = 0x80000008;
export const AUDIT_ARCH_MIPS64N32 = 0xa0000008;
export const AUDIT_ARCH_MIPSEL = 0x40000008;
export const AUDIT_ARCH_MIPSEL64 = 0xc0000008;
export const AUDIT_ARCH_MIPSEL64N32 = 0xe0000008;
export const AUDIT_ARCH_PARISC = 0xf;
export const AUDIT_ARCH_PARISC64 = 0x8000000f;
export const AUDIT_ARCH_LOONGARCH64 = 0xc0000102;

// The bit that marks a system call of the x32 ABI, <asm/unistd.h> of x86
export const X32_SYSCALL_BIT = 0x40000000;

// classic BPF, <linux/bpf_common.h>, <linux/filter.h>
export const BPF_LD = 0;
export const BPF_LDX = 1;
export const BPF_ST = 2;
export const BPF_STX = 3;
export const BPF_ALU = 4;
export const BPF_JMP = 5;
export const BPF_RET = 6;
export const BPF_MISC = 7;
export const BPF_W = 0;
export const BPF_H = 0x8;
export const BPF_B = 0x10;
export const BPF_IMM = 0;
export const BPF_ABS = 0x20;
export const BPF_MEM = 0x60;
export const BPF_ADD = 0;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
export const BPF_MOD = 0x90;
export const BPF_XOR = 0xa0;
export const BPF_JA = 0;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;
export const BPF_K = 0;
export const BPF_X = 0x8;
export const BPF_A = 0x10;
export const BPF_TAX = 0;
export const BPF_TXA = 0x80;
export const BPF_MAXINSNS = 0x1000;
export const BPF_MEMWORDS = 0x10;
