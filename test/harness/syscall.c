// Makes one system call and prints what it returned, a negative errno when it failed: `syscall NUMBER ARGUMENT...`.
//
// An argument is a number, `s:text` for a pointer to text, or `b:SIZE` for a buffer that is printed in hexadecimal.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long value_of(const char *text, unsigned char **buffer, size_t *size) {
    if (strncmp(text, "s:", 2) == 0) return (long)(text + 2);
    if (strncmp(text, "b:", 2) != 0) return (long)strtoull(text, NULL, 0);
    *size = strtoul(text + 2, NULL, 0);
    *buffer = calloc(1, *size + 1);
    return (long)*buffer;
}

int main(int argc, char **argv) {
    long arguments[7] = {0};
    unsigned char *buffer = NULL;
    size_t size = 0;
    for (int i = 1; i < argc && i < 8; i++) arguments[i - 1] = value_of(argv[i], &buffer, &size);
    long result = syscall(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5], arguments[6]);
    printf("%ld", result == -1 ? -(long)errno : result);
    if (buffer != NULL) {
        printf(" ");
        for (size_t i = 0; i < size; i++) printf("%02x", buffer[i]);
    }
    printf("\n");
    return 0;
}
