// Runs one command and prints how long it took: `measure [-m MOUNT_NAMESPACE] COMMAND [ARGUMENT...]`.
//
// Prints nanoseconds from right before vfork(2) until wait4(2) has returned, microseconds of processor time of the
// command itself and what it waited for (getrusage(2)), its wait status, and the most KiB that any of them had in
// memory. Output of the command is thrown away; what it says on standard error is kept. With -m the command runs in
// the mount namespace of that file (a peer's root); joining it lies outside the measured time.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static long long microseconds(struct timeval t) { return t.tv_sec * 1000000ll + t.tv_usec; }

static void die(const char *what) {
    perror(what);
    exit(120);
}

static void enter(const char *path) {
    char directory[4096];
    if (getcwd(directory, sizeof directory) == NULL) die("getcwd");
    int ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0 || setns(ns, CLONE_NEWNS) < 0) die(path);
    if (chdir(directory) < 0) die(directory);
}

int main(int argc, char **argv) {
    const int first = argc > 3 && strcmp(argv[1], "-m") == 0 ? 3 : 1;
    if (argc <= first) return fprintf(stderr, "usage: measure [-m NAMESPACE] COMMAND [ARGUMENT...]\n"), 120;
    // Standard output carries the result, so the command gets none.
    int result = fcntl(1, F_DUPFD_CLOEXEC, 10);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (result < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0) die("standard output");
    if (first == 3) enter(argv[2]);
    struct rusage used;
    int status;
    long long start = now();
    pid_t pid = vfork();
    if (pid == 0) {
        execv(argv[first], argv + first);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &used) < 0) die("vfork");
    long long took = now() - start;
    dprintf(result, "%lld %lld %lld %d %ld\n", took, microseconds(used.ru_utime), microseconds(used.ru_stime), status,
            used.ru_maxrss);
    return 0;
}
