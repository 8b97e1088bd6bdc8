// The monitor of a detached container: parent of its first process. Passes its output to a log and to attached
// clients, their input to it, runs one short command at each event, and leaves the exit record.
//
// The launcher executes it when the program runs (docs/monitor.md), with everything it needs at fixed descriptors.
// It holds no policy: when and what to run, where to log and how is in its configuration, which TypeScript has
// written. Nothing that a container or a client does makes it wait without also watching everything else.
#define _GNU_SOURCE
#define CAISSON_MEMSET
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "kernel.h"
#include "monitor.h"
#include "wire.h"
#include "log.h"

enum { CLIENTS = 16, KEYS = 8, PIECE = 4096, PATIENCE_MS = 10000, NEVER = -1 };
enum linux_flag { FROM_CLOSE_RANGE_CLOEXEC = 4, CLONE_WITH_PIDFD = 0x1000 }; // of headers that musl-gcc does not find
enum exit_code { EXIT_END = 0, EXIT_CONFIG = 120 };

// What `attach` sends first, with its descriptors 0, 1 and 2 as SCM_RIGHTS; descriptors that it has not are -1.
struct client {
    int32_t socket, fd[3];
    uint32_t done;    // bytes of the chunk that it has
    uint32_t matched; // of the keys that detach
    uint32_t keys, closes_input;
    uint8_t key[KEYS];
};

struct timer {
    int64_t at; // milliseconds of CLOCK_MONOTONIC, NEVER while none is due
    long child; // a pidfd, -1 while no command runs
};

static struct monitor_config config;
static char text[MONITOR_TEXT];
static char *vector[MONITOR_VECTOR];
static struct client client[CLIENTS];
static struct timer timer[MONITOR_TIMERS];
static struct log_stream stream[2];
static uint8_t chunk[LOG_CHUNK], input[PIECE];
static uint32_t chunk_used, chunk_stream, input_used, input_done;
static int output_open[2], input_open, ended;
static int64_t status_code, status_signal, ended_at;
static long record; // of the exit, with room on the disk

static _Noreturn void leave(long code) {
    CALL(__NR_exit_group, (uint64_t)code);
    __builtin_trap();
}

static int64_t now(void) {
    int64_t time[2] = {0, 0};
    CALL(__NR_clock_gettime, 1, ADDRESS(time)); // CLOCK_MONOTONIC
    return time[0] * 1000 + time[1] / 1000000;
}

static void close_fd(int32_t *fd) {
    if (*fd >= 0) CALL(__NR_close, (uint64_t)*fd);
    *fd = -1;
}

// ---- Clients -----------------------------------------------------------------------------------------------------

static void drop(struct client *c) {
    for (unsigned i = 0; i < 3; i++) close_fd(&c->fd[i]);
    close_fd(&c->socket);
}

// A client that does not take 24 bytes is not waited for.
static void tell(struct client *c, uint32_t kind, uint32_t code, uint32_t signal) {
    struct frame frame = {WIRE_MAGIC_ANSWER, WIRE_ANSWER_DONE, kind, code, signal, 0};
    if (c->socket >= 0) CALL(__NR_sendto, (uint64_t)c->socket, ADDRESS(&frame), sizeof frame, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void admit(void) {
    int32_t socket = (int32_t)CALL(__NR_accept4, MONITOR_FD_ATTACH, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket < 0) return;
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (client[i].socket >= 0) continue;
        client[i] = (struct client){.socket = socket, .fd = {-1, -1, -1}, .done = chunk_used};
        return;
    }
    close_fd(&socket);
}

static void resize(const struct monitor_message *m) {
    uint16_t size[4] = {(uint16_t)m->a, (uint16_t)m->b, 0, 0};
    if (config.terminal) CALL(__NR_ioctl, MONITOR_FD_OUTPUT, TIOCSWINSZ, ADDRESS(size));
}

static void enlist(struct client *c, const struct monitor_message *m) {
    c->keys = m->a <= KEYS ? m->a : 0;
    c->closes_input = m->b;
    for (unsigned i = 0; i < c->keys; i++) c->key[i] = m->keys[i];
    c->done = chunk_used;
    tell(c, MONITOR_ATTACHED, 0, 0);
}

// One message of a client: it attaches, with its descriptors, or its terminal has another size.
static void hear(struct client *c) {
    struct monitor_message m = {0};
    struct iovec data = {&m, sizeof m};
    struct {
        struct cmsghdr head;
        int32_t fd[4];
    } rights = {0};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof rights};
    long got = CALL(__NR_recvmsg, (uint64_t)c->socket, ADDRESS(&message), MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got == -EAGAIN || got == -EINTR) return;
    unsigned count = 0;
    if (got > 0 && message.msg_controllen >= sizeof rights.head && rights.head.cmsg_type == SCM_RIGHTS)
        count = (unsigned)((rights.head.cmsg_len - sizeof rights.head) / 4);
    if (got != sizeof m || m.magic != MONITOR_MAGIC || count > 3) {
        for (unsigned i = 0; i < count && i < 4; i++) close_fd(&rights.fd[i]);
        return drop(c);
    }
    // Bit i of `c` says that descriptor i has been sent.
    for (unsigned i = 0, next = 0; i < 3 && next < count; i++)
        if (m.c >> i & 1) close_fd(&c->fd[i]), c->fd[i] = rights.fd[next++];
    if (m.kind == MONITOR_ATTACH) enlist(c, &m);
    if (m.kind == MONITOR_RESIZE) resize(&m);
}

// The keys that detach are looked for in what a client types; a part of them that leads to nothing is typed text.
static int detaches(struct client *c, const uint8_t *bytes, uint32_t length) {
    for (uint32_t i = 0; i < length && c->keys > 0; i++) {
        c->matched = bytes[i] == c->key[c->matched] ? c->matched + 1 : bytes[i] == c->key[0];
        if (c->matched == c->keys) return 1;
    }
    return 0;
}

static void take_input(struct client *c) {
    long got = CALL(__NR_read, (uint64_t)c->fd[0], ADDRESS(input), PIECE);
    if (got == -EAGAIN || got == -EINTR) return;
    if (got > 0 && detaches(c, input, (uint32_t)got)) return tell(c, MONITOR_DETACHED, 0, 0), drop(c);
    if (got > 0) return input_done = 0, input_used = (uint32_t)got, (void)0;
    close_fd(&c->fd[0]);
    if (!c->closes_input || config.terminal || !input_open) return;
    CALL(__NR_close, MONITOR_FD_INPUT);
    input_open = 0;
}

static void give_input(void) {
    long put = CALL(__NR_write, MONITOR_FD_INPUT, ADDRESS(input) + input_done, input_used - input_done);
    if (put == -EAGAIN || put == -EINTR) return;
    if (put > 0) input_done += (uint32_t)put;
    if (put <= 0 || input_done == input_used) input_done = input_used = 0;
}

// poll(2) has said that a pipe takes PIPE_BUF bytes without blocking. Who cannot be written to has gone.
static void give_output(struct client *c) {
    int32_t *fd = &c->fd[1 + chunk_stream];
    uint32_t length = chunk_used - c->done < PIECE ? chunk_used - c->done : PIECE;
    long put = CALL(__NR_write, (uint64_t)*fd, ADDRESS(chunk) + c->done, length);
    if (put == -EAGAIN || put == -EINTR) return;
    if (put > 0) c->done += (uint32_t)put;
    else close_fd(fd);
}

static int behind(const struct client *c) {
    return c->socket >= 0 && c->done < chunk_used && c->fd[1 + chunk_stream] >= 0;
}

static int anyone_behind(void) {
    for (unsigned i = 0; i < CLIENTS; i++)
        if (behind(&client[i])) return 1;
    return 0;
}

// ---- Output ------------------------------------------------------------------------------------------------------

// Reads what there is of one stream; logs it, and keeps it until every client has it.
static void take_output(unsigned which) {
    long got = CALL(__NR_read, which ? MONITOR_FD_ERROR : MONITOR_FD_OUTPUT, ADDRESS(chunk), sizeof chunk);
    if (got == -EAGAIN || got == -EINTR) {
        if (ended) output_open[which] = 0;
        return;
    }
    chunk_used = got > 0 ? (uint32_t)got : 0;
    chunk_stream = which;
    for (unsigned i = 0; i < CLIENTS; i++) client[i].done = 0;
    if (got > 0) return log_write(&stream[which], chunk, chunk_used);
    // EIO: nobody has the terminal open now; a program may open it again.
    if (got == -EIO && !ended) return (void)(output_open[which] = 2);
    output_open[which] = 0;
    log_end(&stream[which]);
}

// ---- Events ------------------------------------------------------------------------------------------------------

static char **words(uint64_t index) { return &vector[index]; }

static _Noreturn void become(uint64_t command) {
    static const uint64_t none = 0;
    CALL(__NR_rt_sigprocmask, SIG_SETMASK, ADDRESS(&none), 0, sizeof none);
    CALL(__NR_execve, ADDRESS(words(command)[0]), ADDRESS(words(command)), ADDRESS(words(config.environment)));
    leave(127);
}

// A command of an event; its end comes by a pidfd.
static void run(struct timer *t, uint64_t command) {
    int32_t pidfd = -1;
    long pid = CALL(__NR_clone, CLONE_WITH_PIDFD | SIGCHLD, 0, ADDRESS(&pidfd), 0, 0);
    if (pid == 0) become(command);
    t->child = pid > 0 ? pidfd : -1;
    t->at = NEVER;
}

static void due(unsigned i) {
    if (config.timer[i].command == 0) return;
    run(&timer[i], config.timer[i].command);
    if (timer[i].child < 0) timer[i].at = now() + 1000; // no process could be had: once more
}

// The next time is counted from the end of the command; its exit code chooses the interval, 0 of none.
static void command_ended(unsigned i) {
    int32_t info[32] = {0};
    CALL(__NR_waitid, P_PIDFD, (uint64_t)timer[i].child, ADDRESS(info), WEXITED, 0);
    CALL(__NR_close, (uint64_t)timer[i].child);
    timer[i].child = -1;
    int64_t interval = info[6] == 0 ? config.timer[i].interval : config.timer[i].interval_after_failure;
    timer[i].at = interval > 0 ? now() + interval : NEVER;
}

static void container_ended(void) {
    int32_t info[32] = {0};
    long error = CALL(__NR_waitid, P_PIDFD, MONITOR_FD_PIDFD, ADDRESS(info), WEXITED | WNOHANG, 0);
    if (error == -EINTR || (error == 0 && info[4] == 0)) return;
    int exited = info[2] == CLD_EXITED;
    status_signal = exited ? 0 : info[6];
    status_code = exited ? info[6] : 128 + info[6];
    ended = 1;
    ended_at = now();
    for (unsigned i = 0; i < 2; i++)
        if (output_open[i] == 2) output_open[i] = 1;
}

// "RUN CODE SIGNAL SECONDS NANOSECONDS\n", durable before it has its name (docs/monitor.md).
static void write_record(void) {
    static uint8_t line[160];
    int64_t time[2] = {0, 0};
    CALL(__NR_clock_gettime, 0, ADDRESS(time)); // CLOCK_REALTIME
    const uint64_t field[5] = {config.run, (uint64_t)status_code, (uint64_t)status_signal, (uint64_t)time[0], (uint64_t)time[1]};
    uint32_t length = 0;
    for (unsigned i = 0; i < 5; i++) {
        length += log_decimal(line + length, field[i], 1);
        line[length++] = i < 4 ? ' ' : '\n';
    }
    CALL(__NR_pwrite64, (uint64_t)record, ADDRESS(line), length, 0);
    if (config.durable) CALL(__NR_fsync, (uint64_t)record);
    CALL(__NR_renameat2, MONITOR_FD_PLACE, ADDRESS("exit.new"), MONITOR_FD_PLACE, ADDRESS("exit"), 0);
    if (config.durable) CALL(__NR_fsync, MONITOR_FD_PLACE);
}

// ---- The loop ----------------------------------------------------------------------------------------------------

static struct pollfd watched[4 + MONITOR_TIMERS + 3 * CLIENTS];
static unsigned watching;

static unsigned watch(long fd, short events) {
    watched[watching] = (struct pollfd){(int)fd, events, 0};
    return watching++;
}

static int seen(unsigned at) { return watched[at].revents != 0; }

static int64_t patience(void) {
    int64_t least = ended ? ended_at + PATIENCE_MS : NEVER;
    for (unsigned i = 0; i < MONITOR_TIMERS; i++)
        if (timer[i].at != NEVER && (least == NEVER || timer[i].at < least)) least = timer[i].at;
    for (unsigned i = 0; i < 2; i++) // a terminal that nobody has open is looked at from time to time
        if (output_open[i] == 2 && (least == NEVER || now() + 100 < least)) least = now() + 100;
    return least;
}

static void pause_until(int64_t at) {
    int64_t left = at == NEVER ? 0 : at - now(), time[2];
    if (left < 0) left = 0;
    time[0] = left / 1000;
    time[1] = left % 1000 * 1000000;
    if (CALL(__NR_ppoll, ADDRESS(watched), watching, at == NEVER ? 0 : ADDRESS(time), 0, 8) < 0)
        for (unsigned i = 0; i < watching; i++) watched[i].revents = 0;
}

static void serve_clients(const unsigned *socket, const unsigned *in, const unsigned *out) {
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct client *c = &client[i];
        if (out[i] && seen(out[i]) && behind(c)) give_output(c);
        if (in[i] && seen(in[i]) && c->fd[0] >= 0 && input_used == 0) take_input(c);
        if (socket[i] && seen(socket[i]) && c->socket >= 0) hear(c);
    }
}

static void turn(void) {
    unsigned socket[CLIENTS] = {0}, in[CLIENTS] = {0}, out[CLIENTS] = {0}, read[2] = {0, 0}, child[MONITOR_TIMERS] = {0};
    watching = 0;
    unsigned listen = watch(MONITOR_FD_ATTACH, POLLIN);
    unsigned pidfd = ended ? 0 : watch(MONITOR_FD_PIDFD, POLLIN);
    int busy = anyone_behind();
    for (unsigned i = 0; i < 2; i++)
        if (output_open[i] == 1 && !busy) read[i] = watch(i ? MONITOR_FD_ERROR : MONITOR_FD_OUTPUT, ended ? POLLIN | POLLOUT : POLLIN);
    unsigned give = input_used > 0 && input_open ? watch(MONITOR_FD_INPUT, POLLOUT) : 0;
    for (unsigned i = 0; i < MONITOR_TIMERS; i++)
        if (timer[i].child >= 0) child[i] = watch(timer[i].child, POLLIN);
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (client[i].socket < 0) continue;
        socket[i] = watch(client[i].socket, POLLIN);
        if (client[i].fd[0] >= 0 && input_used == 0 && input_open) in[i] = watch(client[i].fd[0], POLLIN);
        if (behind(&client[i])) out[i] = watch(client[i].fd[1 + chunk_stream], POLLOUT);
    }
    // What is left of a container that has ended is read without waiting for more.
    pause_until(ended && !busy ? 0 : patience());
    if (seen(listen)) admit();
    serve_clients(socket, in, out);
    if (give && seen(give)) give_input();
    for (unsigned i = 0; i < 2; i++) {
        if (read[i] && (seen(read[i]) || ended) && !anyone_behind()) take_output(i);
        if (output_open[i] == 2) output_open[i] = 1;
    }
    for (unsigned i = 0; i < MONITOR_TIMERS; i++) {
        if (child[i] && seen(child[i])) command_ended(i);
        if (!ended && timer[i].at != NEVER && timer[i].at <= now()) due(i);
    }
    if (pidfd && seen(pidfd)) container_ended();
}

static _Noreturn void end(void) {
    log_end(&stream[0]);
    log_end(&stream[1]);
    write_record();
    for (unsigned i = 0; i < CLIENTS; i++) {
        tell(&client[i], MONITOR_ENDED, (uint32_t)status_code, (uint32_t)status_signal);
        drop(&client[i]);
    }
    if (config.exit_command == 0) leave(EXIT_END);
    CALL(__NR_close, MONITOR_FD_ATTACH);
    watching = 0;
    pause_until(now() + (int64_t)config.exit_delay);
    become(config.exit_command);
}

static void read_config(void) {
    if (CALL(__NR_read, MONITOR_FD_CONFIG, ADDRESS(&config), sizeof config) != sizeof config) leave(EXIT_CONFIG);
    uint64_t length = config.text_length;
    if (config.magic != MONITOR_MAGIC || config.key_count > KEYS || length == 0 || length > MONITOR_TEXT) leave(EXIT_CONFIG);
    if (CALL(__NR_read, MONITOR_FD_CONFIG, ADDRESS(text), length) != (long)length || text[length - 1] != 0) leave(EXIT_CONFIG);
    CALL(__NR_close, MONITOR_FD_CONFIG);
    // Words end with NUL; an empty word ends a list.
    unsigned entries = 1;
    for (uint64_t at = 0; at < length && entries < MONITOR_VECTOR - 1; at++) {
        vector[entries++] = text[at] == 0 ? 0 : &text[at];
        while (text[at] != 0) at++;
    }
    const uint64_t list[5] = {config.exit_command, config.environment, config.log_name,
                              (uint64_t)config.timer[0].command, (uint64_t)config.timer[1].command};
    for (unsigned i = 0; i < 5; i++)
        if (list[i] >= entries) leave(EXIT_CONFIG);
}

// A log may fill the disk meanwhile: the room for the exit record is taken now.
static void open_record(void) {
    record = CALL(__NR_openat, MONITOR_FD_PLACE, ADDRESS("exit.new"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CALL(__NR_fallocate, (uint64_t)record, 0, 0, PIECE);
}

_Noreturn __attribute__((used)) void begin(uint64_t *stack) {
    (void)stack;
    CALL(__NR_close_range, 3, UINT32_MAX, FROM_CLOSE_RANGE_CLOEXEC);
    read_config();
    open_record();
    for (unsigned i = 0; i < CLIENTS; i++) client[i] = (struct client){.socket = -1, .fd = {-1, -1, -1}};
    if (config.attached & 1) { // the command that has started the container waits at the channel
        client[0] = (struct client){.socket = MONITOR_FD_CLIENT, .fd = {-1, -1, -1}, .closes_input = 1, .keys = (uint32_t)config.key_count};
        for (unsigned i = 0; i < KEYS; i++) client[0].key[i] = (uint8_t)(config.keys >> 8 * i);
        tell(&client[0], MONITOR_ATTACHED, 0, 0);
        for (int32_t i = 0; i < 3; i++)
            if (config.attached >> (i + 1) & 1) client[0].fd[i] = (int32_t)MONITOR_FD_CLIENT + 1 + i;
    }
    for (unsigned i = 0; i < 2; i++) stream[i].name = i ? "stderr" : "stdout";
    log_open(&config, MONITOR_FD_PLACE, words((uint32_t)config.log_name)[0]);
    output_open[0] = 1;
    output_open[1] = !config.terminal;
    input_open = config.input;
    for (unsigned i = 0; i < MONITOR_TIMERS; i++)
        timer[i] = (struct timer){config.timer[i].first > 0 ? now() + config.timer[i].first : NEVER, -1};
    while (!ended || output_open[0] || output_open[1] || anyone_behind()) {
        if (ended && now() > ended_at + PATIENCE_MS) break;
        turn();
    }
    end();
}
