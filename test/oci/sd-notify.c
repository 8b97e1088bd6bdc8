// Both ends of sd_notify(3): a service manager that prints what it is told, and a service that tells it.
//
//   sd-notify listen SOCKET COUNT     prints COUNT messages, a line each, and `fd` after those that bring a descriptor
//   sd-notify tell TEXT...            sends each text to $NOTIFY_SOCKET
//
// SOCKET may be a path, or begin with @ (unix(7), abstract sockets).
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static socklen_t fill(struct sockaddr_un *to, const char *name) {
    memset(to, 0, sizeof *to);
    to->sun_family = AF_UNIX;
    strncpy(to->sun_path, name, sizeof to->sun_path - 1);
    if (name[0] == '@') to->sun_path[0] = 0;
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + (name[0] != '@'));
}

static int listen_to(const char *name, int count) {
    struct sockaddr_un at;
    socklen_t length = fill(&at, name);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (bind(fd, (struct sockaddr *)&at, length) < 0) return perror("bind"), 1;
    printf("listening\n");
    fflush(stdout);
    for (int i = 0; i < count; i++) {
        char text[4097], control[CMSG_SPACE(sizeof(int))];
        struct iovec data = {text, sizeof text - 1};
        struct msghdr message = {
            .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        ssize_t got = recvmsg(fd, &message, 0);
        if (got < 0) return perror("recvmsg"), 1;
        text[got] = 0;
        text[strcspn(text, "\n")] = 0;
        struct cmsghdr *first = CMSG_FIRSTHDR(&message);
        printf("%s%s\n", text, first == NULL ? "" : " fd");
        fflush(stdout);
        if (first != NULL) close(*(int *)CMSG_DATA(first));
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "listen") == 0) return listen_to(argv[2], atoi(argv[3]));
    const char *name = getenv("NOTIFY_SOCKET");
    if (name == NULL) return fprintf(stderr, "no NOTIFY_SOCKET\n"), 1;
    struct sockaddr_un to;
    socklen_t length = fill(&to, name);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    for (int i = 2; i < argc; i++)
        if (sendto(fd, argv[i], strlen(argv[i]), 0, (struct sockaddr *)&to, length) < 0) return perror("sendto"), 1;
    return 0;
}
