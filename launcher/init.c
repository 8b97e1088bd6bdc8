// PID 1 of a container that is started with --init: forwards signals to the program, reaps orphans, ends with
// the program's exit status.
//
//   init PATH... -- ARGUMENT0 ARGUMENT...
//   init PATH... -- ''      no program: reaps until it is killed (a sandbox, whose programs come later)
//
// The paths are candidates in order, as execvp(3) tries them; TypeScript has made them from PATH. Needs no
// /proc, no C library and no privilege. Runs the program in a process group of its own, in the foreground of
// the terminal if there is one: what the terminal sends for ^C reaches the program once and init never.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "kernel.h"

// execve(2) failed, as shells and docker report it: found but not executable, not found; and wrong use of init.
enum exit_code { EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127, EXIT_USAGE = 125 };

// struct sigaction as the kernel has it: handler, flags, restorer, mask; the same on x86-64 and arm64.
struct action {
    uint64_t handler, flags, restorer, mask;
};

static const uint64_t every_signal = ~0ull;

#define NO_PROGRAM (-1) // neither a process id nor what wait4(2) answers without children

static _Noreturn void leave(long code) {
    CALL(__NR_exit_group, (uint64_t)code);
    __builtin_trap(); // a filter that denies even this
}

static int same(const char *a, const char *b) {
    for (; *a != 0 && *a == *b; a++) b++;
    return *a == *b;
}

static void say(const char *text) {
    uint64_t length = 0;
    while (text[length] != 0) length++;
    CALL(__NR_write, 2, ADDRESS(text), length);
}

static void complain(const char *name, long error) {
    char digits[] = "0000";
    for (int i = 3; i >= 0; i--, error /= 10) digits[i] = (char)('0' + error % 10);
    const char *number = digits;
    while (*number == '0' && number[1] != 0) number++;
    say("caisson-init: cannot execute ");
    say(name);
    say(": errno ");
    say(number);
    say("\n");
}

// The shell's job control (tcsetpgrp(3)): a background group may do this only while SIGTTOU is blocked, as it
// is here. Without a controlling terminal all three fail, and nothing is lost.
static void take_foreground(void) {
    int32_t group = (int32_t)CALL(__NR_getpid, 0);
    CALL(__NR_setpgid, 0, 0);
    for (unsigned fd = 0; fd < 3; fd++)
        if (CALL(__NR_ioctl, fd, TIOCSPGRP, ADDRESS(&group)) == 0) return;
}

// Tries the candidates as execvp(3) does: a file that may not be executed is reported only when none may.
static _Noreturn void run_program(char **paths, char **argv, char **envp) {
    long error = ENOENT;
    for (int denied = 0; !same(*paths, "--"); paths++) {
        error = -CALL(__NR_execve, ADDRESS(*paths), ADDRESS(argv), ADDRESS(envp));
        denied |= error == EACCES;
        if (error != ENOENT && error != ENOTDIR && error != EACCES) break;
        if (denied) error = EACCES;
    }
    complain(argv[0], error);
    leave(error == ENOENT || error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

// clone(2) and not clone3(2), which seccomp profiles deny because their filters cannot see its flags.
static long start_program(char **paths, char **argv, char **envp) {
    // A parent may have left SIGCHLD ignored, and then the kernel would throw the exit status away.
    struct action inherited, normal = {(uint64_t)(uintptr_t)SIG_DFL, 0, 0, 0};
    uint64_t mask;
    CALL(__NR_rt_sigprocmask, SIG_SETMASK, ADDRESS(&every_signal), ADDRESS(&mask), sizeof mask);
    CALL(__NR_rt_sigaction, SIGCHLD, ADDRESS(&normal), ADDRESS(&inherited), sizeof mask);
    long pid = CALL(__NR_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid != 0) return pid;
    take_foreground();
    CALL(__NR_rt_sigaction, SIGCHLD, ADDRESS(&inherited), 0, sizeof mask);
    CALL(__NR_rt_sigprocmask, SIG_SETMASK, ADDRESS(&mask), 0, sizeof mask);
    run_program(paths, argv, envp);
}

// Reaps whatever has ended; leaves when the program is among it, which ends the PID namespace.
static void reap(long program) {
    for (;;) {
        int status = 0;
        long pid = CALL(__NR_wait4, (uint64_t)-1, ADDRESS(&status), WNOHANG, 0);
        if (pid == program) leave(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        if (pid <= 0 && pid != -EINTR) return;
    }
}

// A blocked signal is queued even for PID 1, to which the kernel delivers no unhandled one (pid_namespaces(7)).
static _Noreturn void forward_signals(long program) {
    for (;;) {
        reap(program);
        long signal = CALL(__NR_rt_sigtimedwait, ADDRESS(&every_signal), 0, 0, sizeof every_signal);
        if (program > 0 && signal > 0 && signal != SIGCHLD) CALL(__NR_kill, (uint64_t)program, (uint64_t)signal);
    }
}

_Noreturn __attribute__((used)) void begin(uint64_t *stack) {
    char **argv = (char **)(stack + 1);
    char **envp = argv + stack[0] + 1;
    char **program = stack[0] > 1 ? argv + 1 : argv + stack[0];
    while (*program != 0 && !same(*program, "--")) program++;
    if (*program == 0 || program[1] == 0) {
        say("usage: init PATH... -- ARGUMENT0 ARGUMENT...\n");
        leave(EXIT_USAGE);
    }
    CALL(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); // for a container that shares the host's PIDs
    if (program[1][0] == 0) {
        CALL(__NR_rt_sigprocmask, SIG_SETMASK, ADDRESS(&every_signal), 0, sizeof every_signal);
        forward_signals(NO_PROGRAM);
    }
    long pid = start_program(argv + 1, program + 1, envp);
    if (pid < 0) {
        complain(program[1], -pid);
        leave(EXIT_NOT_EXECUTABLE);
    }
    forward_signals(pid);
}
