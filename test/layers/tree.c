// Prints everything about the files of a directory, one line each: for comparing what different programs unpack.
//
//   tree DIRECTORY           path type mode owner size|device links mtime target|hash xattr=hex...
//   tree --set FILE NAME HEX sets an extended attribute (lsetxattr(2))
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static void escaped(const char *text) {
    for (; *text; text++)
        if (*text > ' ' && *text < 127 && *text != '\\') putchar(*text);
        else printf("\\%03o", (unsigned char)*text);
}

static uint64_t hash_of(const char *path) {
    uint64_t hash = 1469598103934665603u;
    static unsigned char buffer[65536];
    int fd = open(path, O_RDONLY | O_NOFOLLOW);
    for (ssize_t got; fd >= 0 && (got = read(fd, buffer, sizeof buffer)) > 0;)
        for (ssize_t i = 0; i < got; i++) hash = (hash ^ buffer[i]) * 1099511628211u;
    if (fd >= 0) close(fd);
    return hash;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void attributes(const char *path) {
    static char names[65536], value[65536];
    ssize_t length = llistxattr(path, names, sizeof names);
    char *sorted[256];
    size_t count = 0;
    for (ssize_t at = 0; at < length && count < 256; at += (ssize_t)strlen(names + at) + 1) sorted[count++] = names + at;
    qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; i < count; i++) {
        ssize_t size = lgetxattr(path, sorted[i], value, sizeof value);
        printf(" %s=", sorted[i]);
        for (ssize_t j = 0; j < size; j++) printf("%02x", (unsigned char)value[j]);
    }
}

static void print(const char *path, const char *shown) {
    struct stat s;
    static char target[4097];
    memset(target, 0, sizeof target);
    if (lstat(path, &s) != 0) return;
    const char *types = "?pc?d?b?-?l?s???";
    escaped(shown);
    printf(" %c %04o %u:%u ", types[(s.st_mode >> 12) & 15], s.st_mode & 07777, s.st_uid, s.st_gid);
    if (S_ISCHR(s.st_mode) || S_ISBLK(s.st_mode)) printf("%u,%u", major(s.st_rdev), minor(s.st_rdev));
    else printf("%lld", S_ISREG(s.st_mode) ? (long long)s.st_size : 0LL);
    printf(" %lu %lld.%09ld ", S_ISDIR(s.st_mode) ? 1 : (unsigned long)s.st_nlink, (long long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
    if (S_ISLNK(s.st_mode) && readlink(path, target, sizeof target - 1) >= 0) escaped(target);
    if (S_ISREG(s.st_mode)) printf("%016llx", (unsigned long long)hash_of(path));
    attributes(path);
    putchar('\n');
    if (!S_ISDIR(s.st_mode)) return;
    struct dirent **names;
    int count = scandir(path, &names, NULL, NULL);
    char **sorted = calloc((size_t)(count > 0 ? count : 1), sizeof *sorted);
    for (int i = 0; i < count; i++) sorted[i] = names[i]->d_name;
    if (count > 0) qsort(sorted, (size_t)count, sizeof *sorted, by_name);
    for (int i = 0; i < count; i++) {
        if (strcmp(sorted[i], ".") == 0 || strcmp(sorted[i], "..") == 0) continue;
        char *below = NULL, *name = NULL;
        if (asprintf(&below, "%s/%s", path, sorted[i]) < 0 || asprintf(&name, "%s/%s", shown, sorted[i]) < 0) abort();
        print(below, name);
        free(below);
        free(name);
    }
}

static int set(const char *file, const char *name, const char *hex) {
    unsigned char value[4096];
    size_t length = strlen(hex) / 2;
    for (size_t i = 0; i < length && i < sizeof value; i++) sscanf(hex + 2 * i, "%2hhx", &value[i]);
    return lsetxattr(file, name, value, length, 0);
}

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[1], "--set") == 0) return set(argv[2], argv[3], argv[4]) == 0 ? 0 : 1;
    if (argc == 2) print(argv[1], ".");
    return argc == 2 ? 0 : 2;
}
