// Constants of rt_sigprocmask(2), rt_sigaction(2) and signalfd(2); signal numbers are in signals.ts.

// rt_sigprocmask(2), <asm-generic/signal-defs.h>
export const SIG_BLOCK = 0;
export const SIG_UNBLOCK = 1;
export const SIG_SETMASK = 2;

// rt_sigaction(2), <asm-generic/signal-defs.h>
export const SIG_DFL = 0;
export const SIG_IGN = 1;

// rt_sigaction(2), <asm-generic/signal-defs.h>
export const SA_NOCLDSTOP = 1;
export const SA_NOCLDWAIT = 2;
export const SA_SIGINFO = 4;
export const SA_ONSTACK = 0x8000000;
export const SA_RESTART = 0x10000000;
export const SA_NODEFER = 0x40000000;
export const SA_RESETHAND = 0x80000000;
export const SA_RESTORER = 0x4000000;

// The size of the kernel's signal set in bytes, the last argument of rt_sig*(2)
export const NSIG_BYTES = 8;

// sigaction(2) si_code of SIGCHLD, <asm-generic/siginfo.h>
export const CLD_EXITED = 1;
export const CLD_KILLED = 2;
export const CLD_DUMPED = 3;
export const CLD_TRAPPED = 4;
export const CLD_STOPPED = 5;
export const CLD_CONTINUED = 6;

// signalfd(2), <linux/signalfd.h>
export const SFD_CLOEXEC = 0o2000000;
export const SFD_NONBLOCK = 0o4000;
