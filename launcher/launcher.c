// The player: reads batches of system call records from its channel, plays them one by one, answers.
//
// It holds no policy: which call, in which order and with which arguments is decided in TypeScript
// (docs/plan.md has the format). A plan is as powerful as its caller, and comes only through a private
// descriptor; decoding one is memory-safe for any bytes. Never install this setuid or with file capabilities.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include "kernel.h"
#include "wire.h"

// <linux/memfd.h> and <linux/close_range.h>, which musl-gcc does not find.
enum linux_flag { MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2, CLOSE_RANGE_CLOEXEC = 4, MFD_EXEC = 16 };
enum exit_code { EXIT_END = 0, EXIT_CHANNEL = 120, EXIT_MEMFD = 121, EXIT_USAGE = 122 };
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define PAGE 65536 // the largest page size of arm64

struct batch {
    struct header head;
    struct record *record;
    uint8_t *data;
};

// A batch lies at the end, and the page behind it is made inaccessible: a wrong length of a call ends in
// EFAULT exactly behind the data.
static uint8_t arena[WIRE_ARENA + PAGE] __attribute__((aligned(PAGE)));
static uint64_t channel_in = 3, channel_out = 3;

static _Noreturn void leave(enum exit_code code) {
    CALL(__NR_exit_group, code);
    __builtin_trap(); // a filter that denies even this
}

static void await(uint64_t fd, uint32_t events) {
    uint64_t pollfd = (fd & 0xffffffff) | (uint64_t)events << 32;
    CALL(__NR_ppoll, ADDRESS(&pollfd), 1, 0, 0, 0);
}

// Reads exactly `length` bytes; the end of the channel is the end of the launcher, `between` if none came.
static void receive(void *to, uint64_t length, enum exit_code between) {
    for (uint64_t done = 0; done < length;) {
        long got = CALL(__NR_read, channel_in, ADDRESS(to) + done, length - done);
        if (got == 0) leave(done == 0 ? between : EXIT_CHANNEL);
        if (got < 0 && got != -EINTR && got != -EAGAIN) leave(EXIT_CHANNEL);
        if (got == -EAGAIN) await(channel_in, POLLIN);
        if (got > 0) done += (uint64_t)got;
    }
}

static void transmit(const void *from, uint64_t length) {
    for (uint64_t done = 0; done < length;) {
        long put = CALL(__NR_write, channel_out, ADDRESS(from) + done, length - done);
        if (put < 0 && put != -EINTR && put != -EAGAIN) leave(EXIT_CHANNEL);
        if (put == -EAGAIN) await(channel_out, POLLOUT);
        if (put > 0) done += (uint64_t)put;
    }
}

// The frame goes into the room in front of the data, so that one write sends both.
static void answer(struct batch *b, uint32_t kind, uint32_t index, uint32_t error, uint32_t name) {
    struct frame *frame = (struct frame *)(b->data - sizeof(struct frame));
    *frame = (struct frame){WIRE_MAGIC_ANSWER, kind, index, error, name, b->head.reply};
    transmit(frame, sizeof *frame + b->head.reply);
}

static uint64_t load(const uint8_t *from, unsigned width) {
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++) value |= (uint64_t)from[i] << (8 * i);
    return value;
}

static void store(uint8_t *to, uint64_t value, unsigned width) {
    for (unsigned i = 0; i < width; i++) to[i] = (uint8_t)(value >> (8 * i));
}

static int inside(const struct batch *b, uint64_t offset, uint64_t length) {
    return length <= b->head.data && offset <= b->head.data - length;
}

static unsigned kind_of(const struct record *r, unsigned i) { return (r->kinds >> (2 * i)) & 3; }

static int valid_pseudo(const struct batch *b, const struct record *r) {
    int plain = kind_of(r, 1) == WIRE_KIND_IMM && kind_of(r, 2) == WIRE_KIND_IMM;
    if (r->nr == WIRE_OP_FORK) return r->arg[2] < b->head.records && kind_of(r, 2) == WIRE_KIND_IMM;
    if (r->nr == WIRE_OP_CHECK) return r->arg[1] <= WIRE_CHECK_GE && kind_of(r, 1) == WIRE_KIND_IMM;
    if (r->nr == WIRE_OP_DEC) return r->arg[2] >= 21 && inside(b, r->arg[1], r->arg[2]) && plain;
    return r->nr == WIRE_OP_PAUSE || r->nr == WIRE_OP_END;
}

static int valid_record(const struct batch *b, const struct record *r) {
    static const uint8_t width[4] = {[WIRE_KIND_LOAD32] = 4, [WIRE_KIND_LOAD64] = 8};
    if (r->kinds >> 12 || r->flags & ~(WIRE_FLAG_RETRY | WIRE_FLAG_DEST32)) return 0;
    for (unsigned i = 0; i < 6; i++) {
        unsigned kind = kind_of(r, i);
        if (kind != WIRE_KIND_IMM && !inside(b, r->arg[i], width[kind])) return 0;
    }
    if (r->dest != WIRE_NONE && !inside(b, r->dest, r->flags & WIRE_FLAG_DEST32 ? 4 : 8)) return 0;
    return r->nr < 0xffff0000u || valid_pseudo(b, r);
}

// Adds the address of the data to every offset that a relocation names (argv, iovec, sock_fprog).
static int relocate(struct batch *b, const uint8_t *relocs) {
    for (uint32_t i = 0; i < b->head.relocs; i++) {
        uint64_t at = load(relocs + 4 * (uint64_t)i, 4);
        if (!inside(b, at, 8) || load(b->data + at, 8) > b->head.data) return 0;
        store(b->data + at, load(b->data + at, 8) + ADDRESS(b->data), 8);
    }
    return 1;
}

static void receive_batch(struct batch *b) {
    struct header *h = &b->head;
    receive(h, sizeof *h, EXIT_END);
    if (h->magic != WIRE_MAGIC_BATCH) leave(EXIT_CHANNEL);
    uint64_t records = (uint64_t)h->records * sizeof(struct record);
    uint64_t relocs = ((uint64_t)h->relocs * 4 + 7) & ~7ull;
    uint64_t total = records + relocs + sizeof(struct frame) + h->data;
    if (total > WIRE_ARENA || total % 8 != 0) leave(EXIT_CHANNEL);
    b->record = (struct record *)(arena + WIRE_ARENA - total);
    b->data = arena + WIRE_ARENA - h->data;
    receive(b->record, total, EXIT_CHANNEL);
}

// 0 when every offset in the batch is inside its data, else 1 + the index of the first bad record.
static uint32_t refuse(struct batch *b) {
    struct header *h = &b->head;
    int traceable = h->trace == WIRE_NONE || inside(b, h->trace, 8ull * h->records);
    if (h->reply > h->data || !traceable || h->reserved0 != 0 || h->reserved1 != 0) {
        h->reply = 0;
        return 1;
    }
    for (uint32_t i = 0; i < h->records; i++)
        if (!valid_record(b, &b->record[i])) return i + 1;
    return relocate(b, (uint8_t *)(b->record + h->records)) ? 0 : h->records + 1;
}

// The errno of a check that does not hold, else 0.
static uint32_t check(const uint64_t a[6]) {
    uint64_t left = a[0] & a[3];
    int holds = a[1] == WIRE_CHECK_EQ ? left == a[2] : a[1] == WIRE_CHECK_NE ? left != a[2] : left >= a[2];
    return holds ? 0 : a[4] - 1 < 4095 ? (uint32_t)a[4] : EINVAL;
}

static unsigned decimal(uint8_t *to, uint64_t value) {
    unsigned length = 1;
    for (uint64_t rest = value / 10; rest > 0; rest /= 10) length++;
    to[length] = 0;
    for (unsigned i = length; i > 0; value /= 10) to[--i] = (uint8_t)('0' + value % 10);
    return length;
}

static int tolerated(const struct record *r, uint32_t error) {
    for (unsigned i = 0; i < sizeof r->tolerate; i++)
        if (r->tolerate[i] == error) return 1;
    return error == 0;
}

// Returns an errno or 0.
static uint32_t play_record(struct batch *b, uint32_t index, long *result) {
    const struct record *r = &b->record[index];
    uint64_t a[6];
    for (unsigned i = 0; i < 6; i++) {
        unsigned kind = kind_of(r, i);
        a[i] = kind == WIRE_KIND_IMM   ? r->arg[i]
               : kind == WIRE_KIND_PTR ? ADDRESS(b->data) + r->arg[i]
                                       : load(b->data + r->arg[i], kind == WIRE_KIND_LOAD32 ? 4 : 8);
    }
    if (r->nr == WIRE_OP_CHECK) return *result = (long)a[0], check(a);
    if (r->nr == WIRE_OP_DEC) return *result = decimal(b->data + a[1], a[0]), 0;
    if (r->nr == WIRE_OP_PAUSE) {
        struct header go;
        answer(b, WIRE_ANSWER_PAUSED, index, 0, (uint32_t)a[0]);
        receive(&go, sizeof go, EXIT_END);
        if (go.magic != WIRE_MAGIC_CONTINUE) leave(EXIT_CHANNEL);
        return *result = 0;
    }
    unsigned retries = r->flags & WIRE_FLAG_RETRY ? WIRE_RETRIES : 0;
    do *result = kernel(r->nr == WIRE_OP_FORK ? __NR_clone3 : (long)r->nr, a);
    while ((*result == -EINTR || *result == -EAGAIN) && retries-- > 0);
    return *result < 0 && *result > -4096 ? (uint32_t)-*result : 0;
}

static void stamp(struct batch *b, uint32_t index) {
    int64_t now[2] = {0, 0};
    CALL(__NR_clock_gettime, 1, ADDRESS(now), 0); // CLOCK_MONOTONIC
    store(b->data + b->head.trace + 8 * (uint64_t)index, (uint64_t)now[0] * 1000000000u + (uint64_t)now[1], 8);
}

static void play(struct batch *b) {
    for (uint32_t i = 0; i < b->head.records;) {
        const struct record *r = &b->record[i];
        if (r->nr == WIRE_OP_END) break;
        long result;
        uint32_t error = play_record(b, i, &result);
        if (b->head.trace != WIRE_NONE) stamp(b, i);
        if (error != 0) result = -(long)error;
        if (!tolerated(r, error)) return answer(b, WIRE_ANSWER_FAILED, i, error, 0);
        if (r->dest != WIRE_NONE)
            store(b->data + r->dest, (uint64_t)result, r->flags & WIRE_FLAG_DEST32 ? 4 : 8);
        i = r->nr == WIRE_OP_FORK && result == 0 ? (uint32_t)r->arg[2] : i + 1;
    }
    answer(b, WIRE_ANSWER_DONE, b->head.records, 0, 0);
}

// Runs this program again from a private, sealed memory file, unless it is one already (CVE-2019-5736:
// a container overwrites /proc/PID/exe; CVE-2022-0847: page-cache writes reach even read-only views).
static void seal_self(char **argv, char **envp) {
    long self = CALL(__NR_openat, (uint64_t)AT_FDCWD, ADDRESS("/proc/self/exe"), O_RDONLY | O_CLOEXEC, 0);
    if (self < 0) leave(EXIT_MEMFD);
    long seals = CALL(__NR_fcntl, (uint64_t)self, F_GET_SEALS, 0);
    if (seals >= 0 && (seals & SEALS) == SEALS) return (void)CALL(__NR_close, (uint64_t)self);
    uint32_t flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    long memory = CALL(__NR_memfd_create, ADDRESS("caisson-launcher"), flags | MFD_EXEC);
    if (memory == -EINVAL) memory = CALL(__NR_memfd_create, ADDRESS("caisson-launcher"), flags); // before 6.3
    if (memory < 0) leave(EXIT_MEMFD);
    long copied = 1;
    while (copied > 0) copied = CALL(__NR_sendfile, (uint64_t)memory, (uint64_t)self, 0, 1 << 20);
    if (copied < 0 || CALL(__NR_fcntl, (uint64_t)memory, F_ADD_SEALS, SEALS) < 0) leave(EXIT_MEMFD);
    CALL(__NR_execveat, (uint64_t)memory, ADDRESS(""), ADDRESS(argv), ADDRESS(envp), AT_EMPTY_PATH);
    leave(EXIT_MEMFD);
}

static uint64_t number(const char *text) {
    uint64_t value = 0;
    if (*text == 0) leave(EXIT_USAGE);
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9' || value > 0xffff) leave(EXIT_USAGE);
        value = value * 10 + (uint64_t)(*text - '0');
    }
    return value;
}

// The stack at start is argc, argv, NULL, envp, NULL: arguments are the channel's descriptors, in and out.
_Noreturn __attribute__((used)) void begin(uint64_t *stack) {
    char **argv = (char **)(stack + 1);
    if (stack[0] > 1) channel_in = channel_out = number(argv[1]);
    if (stack[0] > 2) channel_out = number(argv[2]);
    seal_self(argv, argv + stack[0] + 1);
    CALL(__NR_close_range, 3, UINT32_MAX, CLOSE_RANGE_CLOEXEC); // what a program inherits, a plan lists
    CALL(__NR_mprotect, ADDRESS(arena + WIRE_ARENA), PAGE, 0);
    for (struct batch b;;) {
        receive_batch(&b);
        uint32_t bad = refuse(&b);
        if (bad > 0) answer(&b, WIRE_ANSWER_REFUSED, bad - 1, EINVAL, 0);
        if (bad == 0) play(&b);
    }
}
