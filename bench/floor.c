// The cost floor: what the kernel alone takes for the container that the other programs of this bench start.
//
//   floor ROOT FILTER HIERARCHY...
//
// ROOT is a root file system with /bin/true, FILTER a file with the seccomp program that caisson compiles, a
// HIERARCHY a mount point of cgroups (the one whose name ends in "unified" is version 2). For each byte on standard
// input one container is made, run and taken away, and the nanoseconds that took are printed. Nothing is parsed,
// checked, recorded or reported here, and the process is warm: no container engine can be faster than this.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARRAY(a) (sizeof(a) / sizeof *(a))
#define MUST(call) \
    do { \
        if ((call) < 0) die(#call); \
    } while (0)

static struct sock_filter program[4096];
static struct sock_fprog filter = {0, program};
static char **hierarchy;
static int hierarchies;
static const char *root;

static void die(const char *what) {
    perror(what);
    _exit(120);
}

static int is_v2(int i) {
    size_t length = strlen(hierarchy[i]);
    return length >= 7 && strcmp(hierarchy[i] + length - 7, "unified") == 0;
}

static const char *in_cgroup(int i, const char *file) {
    static char path[512];
    snprintf(path, sizeof path, "%s/caisson-bench/floor%s%s", hierarchy[i], *file ? "/" : "", file);
    return path;
}

static void put(int directory, const char *path, const char *text) {
    int fd = openat(directory, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) die(path);
    close(fd);
}

// Parents are there before anything is timed; cpuset's passes on its processors.
static void prepare(void) {
    char path[512];
    for (int i = 0; i < hierarchies; i++) {
        snprintf(path, sizeof path, "%s/caisson-bench", hierarchy[i]);
        if (mkdir(path, 0755) < 0 && errno != EEXIST) die(path);
        if (strstr(hierarchy[i], "cpuset") == NULL) continue;
        for (const char *const *file = (const char *const[]){"cpuset.cpus", "cpuset.mems", NULL}; *file; file++) {
            char text[256];
            snprintf(path, sizeof path, "%s/%s", hierarchy[i], *file);
            int from = open(path, O_RDONLY | O_CLOEXEC);
            long length = read(from, text, sizeof text - 1);
            if (length < 0) die(path);
            text[length] = 0;
            close(from);
            snprintf(path, sizeof path, "%s/caisson-bench/%s", hierarchy[i], *file);
            put(AT_FDCWD, path, text);
        }
        snprintf(path, sizeof path, "%s/caisson-bench/cgroup.clone_children", hierarchy[i]);
        put(AT_FDCWD, path, "1");
    }
}

static void finish(void) {
    char path[512];
    for (int i = 0; i < hierarchies; i++) {
        snprintf(path, sizeof path, "%s/caisson-bench", hierarchy[i]);
        rmdir(path);
    }
}

static int make_cgroups(int *fds) {
    static const char *const allowed[] = {"c *:* m",   "b *:* m",   "c 1:3 rwm", "c 1:8 rwm",  "c 1:7 rwm",
                                          "c 5:0 rwm", "c 1:5 rwm", "c 1:9 rwm", "c 5:2 rwm", "c 136:* rwm"};
    int unified = -1;
    for (int i = 0; i < hierarchies; i++) {
        MUST(mkdir(in_cgroup(i, ""), 0755));
        int v2 = is_v2(i);
        fds[i] = open(in_cgroup(i, v2 ? "" : "tasks"), (v2 ? O_RDONLY : O_RDWR) | O_CLOEXEC);
        MUST(fds[i]);
        if (v2) unified = fds[i];
        if (strstr(hierarchy[i], "devices") == NULL) continue;
        put(AT_FDCWD, in_cgroup(i, "devices.deny"), "a");
        for (size_t j = 0; j < ARRAY(allowed); j++) put(AT_FDCWD, in_cgroup(i, "devices.allow"), allowed[j]);
    }
    return unified;
}

static void loopback(void) {
    struct {
        struct nlmsghdr head;
        struct ifinfomsg link;
    } up = {{sizeof up, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0}, {.ifi_index = 1, .ifi_flags = 1, .ifi_change = 1}};
    char answer[256];
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0 || write(fd, &up, sizeof up) < 0 || read(fd, answer, sizeof answer) < 0) die("loopback");
    close(fd);
}

static void mount_fs(const char *type, const char *at, unsigned long flags, const char *data) {
    if (mount(type, at, type, flags, data) < 0) die(at);
}

static void mount_cgroups(void) {
    mount_fs("tmpfs", "sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME, "mode=755");
    for (int i = 0; i < hierarchies; i++) {
        char at[512];
        snprintf(at, sizeof at, "sys/fs/cgroup/%s", strrchr(hierarchy[i], '/') + 1);
        MUST(mkdir(at, 0755));
        struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
        long tree = syscall(__NR_open_tree, AT_FDCWD, in_cgroup(i, ""), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        MUST(tree);
        MUST(syscall(__NR_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof attr));
        MUST(syscall(__NR_move_mount, tree, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH));
        close((int)tree);
    }
    MUST(mount("", "sys/fs/cgroup", "", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
}

static void devices(void) {
    static const struct {
        const char *name;
        unsigned major, minor;
    } nodes[] = {{"dev/null", 1, 3}, {"dev/zero", 1, 5}, {"dev/full", 1, 7}, {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};
    static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                           {"/proc/self/fd/0", "dev/stdin"},
                                           {"/proc/self/fd/1", "dev/stdout"},
                                           {"/proc/self/fd/2", "dev/stderr"},
                                           {"pts/ptmx", "dev/ptmx"}};
    for (size_t i = 0; i < ARRAY(nodes); i++) MUST(mknod(nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)));
    for (size_t i = 0; i < ARRAY(links); i++) MUST(symlink(links[i][0], links[i][1]));
}

static void masks(void) {
    static const char *const masked[] = {"proc/acpi",        "proc/asound",      "proc/kcore",       "proc/keys",    "proc/latency_stats",
                                         "proc/timer_list", "proc/timer_stats", "proc/sched_debug", "sys/firmware", "proc/scsi"};
    static const char *const readonly[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
    for (size_t i = 0; i < ARRAY(masked); i++) {
        struct stat at;
        if (lstat(masked[i], &at) < 0) continue;
        if (S_ISDIR(at.st_mode)) mount_fs("tmpfs", masked[i], MS_RDONLY, "nr_blocks=1,nr_inodes=1");
        else MUST(mount("dev/null", masked[i], NULL, MS_BIND, NULL));
    }
    for (size_t i = 0; i < ARRAY(readonly); i++) {
        if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) < 0) continue;
        MUST(mount(NULL, readonly[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
    }
}

static void build_root(void) {
    const unsigned long strict = MS_NOSUID | MS_NOEXEC | MS_NODEV;
    MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    MUST(mount(root, root, NULL, MS_BIND | MS_REC, NULL));
    MUST(chdir(root));
    mount_fs("proc", "proc", 0, NULL);
    mount_fs("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
    MUST(mkdir("dev/pts", 0755));
    mount_fs("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
    MUST(mkdir("dev/shm", 0755));
    mount_fs("tmpfs", "dev/shm", strict, "mode=1777,size=65536k");
    MUST(mkdir("dev/mqueue", 0755));
    mount_fs("mqueue", "dev/mqueue", strict, NULL);
    mount_fs("sysfs", "sys", strict | MS_RDONLY, NULL);
    mount_cgroups();
    devices();
    masks();
    MUST(syscall(__NR_pivot_root, ".", "."));
    MUST(umount2(".", MNT_DETACH));
    MUST(chdir("/"));
    MUST(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
}

static void give_up_rights(void) {
    const uint32_t kept = 1u << CAP_AUDIT_WRITE | 1u << CAP_KILL | 1u << CAP_NET_BIND_SERVICE;
    struct rlimit files = {1024, 1024};
    MUST(setrlimit(RLIMIT_NOFILE, &files));
    for (int cap = 0; cap <= 40; cap++)
        if (cap >= 32 || !(kept & 1u << cap)) MUST(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
    MUST(syscall(__NR_setgroups, 0, NULL));
    MUST(syscall(__NR_setresgid, 0, 0, 0));
    MUST(syscall(__NR_setresuid, 0, 0, 0));
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {{kept, kept, 0}, {0, 0, 0}};
    MUST(syscall(__NR_capset, &head, sets));
    MUST(prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0));
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    MUST(syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
}

static _Noreturn void container(const int *fds) {
    for (int i = 0; i < hierarchies; i++)
        if (!is_v2(i)) MUST(write(fds[i], "0", 1));
    MUST(unshare(CLONE_NEWCGROUP));
    MUST(setsid());
    syscall(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "floor");
    umask(0);
    loopback();
    build_root();
    MUST(sethostname("floor", 5));
    umask(022);
    give_up_rights();
    char *const argv[] = {(char *)"/bin/true", NULL}, *const envp[] = {(char *)"PATH=/bin", NULL};
    execve(argv[0], argv, envp);
    die("execve");
    __builtin_unreachable();
}

static void one(void) {
    int fds[64], pipes[2], pidfd = -1, unified = make_cgroups(fds);
    MUST(pipe2(pipes, O_CLOEXEC));
    struct clone_args args = {
        .flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_PIDFD | (unified >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = unified >= 0 ? (uint64_t)unified : 0,
    };
    long pid = syscall(__NR_clone3, &args, sizeof args);
    MUST(pid);
    if (pid == 0) container(fds);
    for (int i = 0; i < hierarchies; i++) close(fds[i]);
    close(pipes[1]);
    char byte;
    siginfo_t info = {0};
    MUST(read(pipes[0], &byte, 1));
    MUST(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
    if (info.si_code != CLD_EXITED || info.si_status != 0) die("the container failed");
    close(pipes[0]);
    close(pidfd);
    for (int i = 0; i < hierarchies; i++) MUST(rmdir(in_cgroup(i, "")));
}

int main(int argc, char **argv) {
    if (argc < 3) return fprintf(stderr, "usage: floor ROOT FILTER HIERARCHY...\n"), 120;
    root = argv[1];
    hierarchy = argv + 3;
    hierarchies = argc - 3 < 64 ? argc - 3 : 64;
    int fd = open(argv[2], O_RDONLY | O_CLOEXEC);
    long length = read(fd, program, sizeof program);
    if (length <= 0) die(argv[2]);
    filter.len = (unsigned short)(length / (long)sizeof *program);
    close(fd);
    prepare();
    for (char byte; read(0, &byte, 1) == 1;) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        one();
        clock_gettime(CLOCK_MONOTONIC, &to);
        dprintf(1, "%lld\n", (to.tv_sec - from.tv_sec) * 1000000000ll + to.tv_nsec - from.tv_nsec);
    }
    finish();
    return 0;
}
