// An agent of SCMP_ACT_NOTIFY: prints what it is told, and answers every call that it is asked about with one errno.
//
//   agent SOCKET ERRNO     answers
//   agent SOCKET close     accepts, and closes the connection without reading it
//
// config-linux.md, The Container Process State; seccomp_unotify(2).
#define _GNU_SOURCE
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int receive(int connection) {
    char text[65536];
    char control[CMSG_SPACE(4 * sizeof(int))];
    struct iovec data = {text, sizeof text - 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t length = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    if (length <= 0) return -1;
    text[length] = 0;
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    int count = first == NULL ? 0 : (int)((first->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    char more;
    int closed = read(connection, &more, 1) == 0;
    printf("state %d %d %s\n", count, closed, text);
    fflush(stdout);
    int listener = -1;
    if (count > 0) memcpy(&listener, CMSG_DATA(first), sizeof listener);
    return listener;
}

static void answer(int listener, int error) {
    for (;;) {
        struct seccomp_notif asked;
        memset(&asked, 0, sizeof asked);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) {
            if (errno == EINTR) continue;
            printf("end\n");
            fflush(stdout);
            return;
        }
        struct seccomp_notif_resp response = {.id = asked.id, .error = -error};
        printf("notified %d %d\n", asked.data.nr, (int)asked.pid);
        fflush(stdout);
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
    }
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    signal(SIGCHLD, SIG_IGN);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server, (struct sockaddr *)&address, sizeof address) != 0 || listen(server, 16) != 0) return 1;
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        int connection = accept(server, NULL, NULL);
        if (connection < 0) continue;
        if (strcmp(argv[2], "close") == 0) {
            close(connection);
            continue;
        }
        pid_t parent = getpid();
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent) return 0;
            int listener = receive(connection);
            close(connection);
            if (listener >= 0) answer(listener, atoi(argv[2]));
            return 0;
        }
        close(connection);
    }
}
