// Plays mutated and random batches through launcher.c with every system call replaced by a stub.
//
//   fuzz CORPUS SEED FIRST COUNT     cases FIRST .. FIRST+COUNT-1 of SEED; prints how the cases ended
//   fuzz play FILE RESULT...         one channel's bytes; prints the calls of the plan, answers with RESULTs
//
// CORPUS is a list of {u32 length, bytes}. Build: gcc -fsanitize=address,undefined -DCAISSON_STUB.
// The arena outside of the current batch is poisoned for the address sanitizer, so that any byte read or
// written outside of the batch by the player is a report, although it is inside of the player's own array.
#ifndef LAUNCHER
#define LAUNCHER "../../launcher/launcher.c"
#endif
#include LAUNCHER
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else // coverage builds
#define ASAN_POISON_MEMORY_REGION(from, length) ((void)(from), (void)(length))
#define ASAN_UNPOISON_MEMORY_REGION(from, length) ((void)(from), (void)(length))
static void *__asan_region_is_poisoned(void *from, size_t length) { return (void)from, (void)length, NULL; }
#endif

enum { INPUT = 1 << 16, CALLS = 4096 };

static uint8_t input[INPUT];
static size_t input_length, input_at;
static uint8_t *batch_start; // the arena is poisoned below
static struct header head;   // of the batch that is being played
static const uint8_t *header_at;
static uint32_t answer_kind;
static uint64_t calls_of_batch, calls_of_case, frame_left;
static uint64_t ends[256], answers[5], total_calls, case_number;
static jmp_buf out_of_player;
static int listing, prelude;
static char **results;
static uint64_t state;

static uint64_t any(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dull;
}
static uint64_t below(uint64_t bound) { return bound == 0 ? 0 : (any() >> 11) % bound; }
static int once_in(uint64_t times) { return below(times) == 0; }

static _Noreturn void violated(const char *rule) {
    fprintf(stderr, "case %llu: %s\n", (unsigned long long)case_number, rule);
    abort();
}
static void claim(int holds, const char *rule) {
    if (!holds) violated(rule);
}
#if defined(__SANITIZE_ADDRESS__)
static void tell_case(void) { fprintf(stderr, "case %llu\n", (unsigned long long)case_number); }
#endif

static uint8_t *pointer(uint64_t address) { return (uint8_t *)(uintptr_t)address; }
static uint8_t *arena_end(void) { return arena + WIRE_ARENA; }
static int in_arena(const uint8_t *at) { return at >= arena && at < arena + sizeof arena; }

static void close_batch(void) {
    if (batch_start < arena_end()) ASAN_POISON_MEMORY_REGION(batch_start, (size_t)(arena_end() - batch_start));
    batch_start = arena_end();
    calls_of_batch = 0;
}

// The only reads into the arena are those of a batch's body, and they end exactly at the guard page.
static void open_batch(uint8_t *to, uint64_t length) {
    claim(to + length == arena_end(), "a batch does not end at the guard page");
    if (to >= batch_start) return;
    batch_start = to;
    memcpy(&head, header_at, sizeof head);
    ASAN_UNPOISON_MEMORY_REGION(batch_start, length);
}

static long read_channel(uint8_t *to, uint64_t length) {
    if (in_arena(to)) open_batch(to, length);
    else if (length == sizeof head) header_at = to;
    if (input_at == input_length && length > 0) return 0;
    if (!listing && once_in(16)) return once_in(2) ? -EINTR : -EAGAIN;
    uint64_t count = input_length - input_at < length ? input_length - input_at : length;
    if (!listing && once_in(8)) count = 1 + below(count);
    memcpy(to, input + input_at, count);
    input_at += count;
    return (long)count;
}

static void judge_frame(const struct frame *frame) {
    claim(frame->magic == WIRE_MAGIC_ANSWER, "an answer without its magic");
    claim(frame->kind >= WIRE_ANSWER_DONE && frame->kind <= WIRE_ANSWER_REFUSED, "an unknown kind of answer");
    claim(frame->length <= (uint64_t)(arena_end() - (const uint8_t *)(frame + 1)), "an answer longer than the data");
    if (frame->kind == WIRE_ANSWER_REFUSED) claim(calls_of_batch == 0, "calls of a refused batch were executed");
    if (frame->kind == WIRE_ANSWER_FAILED) claim(frame->error > 0 && frame->error < 4096, "failed without an errno");
    answers[frame->kind]++;
    if (!listing) return;
    static const char *const names[] = {"", "done", "paused", "failed", "refused"};
    printf("%s %u %u %u %u\n", names[frame->kind], frame->index, frame->error, frame->name, frame->length);
}

static long write_channel(uint8_t *from, uint64_t length) {
    claim(from >= batch_start && from + length <= arena_end(), "an answer from outside of the batch");
    claim(__asan_region_is_poisoned(from, length) == NULL, "an answer from poisoned memory");
    if (!listing && once_in(16)) return once_in(2) ? -EINTR : -EAGAIN;
    const struct frame *frame = (const struct frame *)from;
    if (frame_left == 0) {
        judge_frame(frame);
        answer_kind = frame->kind;
        frame_left = sizeof *frame + frame->length;
        claim(length == frame_left, "an answer in two writes");
    }
    uint64_t count = !listing && once_in(8) ? 1 + below(length) : length;
    frame_left -= count;
    if (frame_left == 0 && answer_kind != WIRE_ANSWER_PAUSED) close_batch();
    return (long)count;
}

static long own_prelude(long nr, const uint64_t arg[6]) {
    if (nr == __NR_openat) return prelude == 1 ? -ENOENT : 5;
    if (nr == __NR_fcntl && arg[1] == F_GET_SEALS) return prelude == 0 ? SEALS : prelude == 2 ? -EINVAL : F_SEAL_SEAL;
    if (nr == __NR_fcntl) return prelude == 5 ? -EPERM : 0;
    if (nr == __NR_memfd_create) {
        if (prelude == 3) return -ENOSYS;
        return prelude == 2 && (arg[1] & MFD_EXEC) ? -EINVAL : 6;
    }
    if (nr == __NR_sendfile) return prelude == 4 ? -EIO : once_in(2) ? 4096 : 0;
    if (nr == __NR_execveat) return -ENOEXEC;
    if (nr == __NR_close || nr == __NR_close_range) return 0;
    violated("the player made a call that it should not make");
}

long own_call(long nr, const uint64_t arg[6]) {
    if (nr == __NR_exit_group) longjmp(out_of_player, 1 + (int)arg[0]);
    if (nr == __NR_read) {
        claim(arg[0] == channel_in, "read from another descriptor");
        return read_channel(pointer(arg[1]), arg[2]);
    }
    if (nr == __NR_write) {
        claim(arg[0] == channel_out, "written to another descriptor");
        return write_channel(pointer(arg[1]), arg[2]);
    }
    if (nr == __NR_ppoll) return 1;
    if (nr == __NR_clock_gettime) {
        store(pointer(arg[1]), case_number, 8);
        store(pointer(arg[1]) + 8, 999999999, 8);
        return 0;
    }
    if (nr == __NR_mprotect) {
        claim(pointer(arg[0]) == arena_end() && arg[1] == PAGE && arg[2] == 0, "not the guard page");
        ASAN_POISON_MEMORY_REGION(arena, sizeof arena);
        batch_start = arena_end();
        return 0;
    }
    return own_prelude(nr, arg);
}

static void list_call(long nr, const uint64_t arg[6]) {
    printf("call %ld", nr);
    for (unsigned i = 0; i < 6; i++) {
        const uint8_t *at = pointer(arg[i]);
        const uint8_t *data = arena_end() - head.data;
        if (at >= data && at <= arena_end() && in_arena(at)) printf(" data+%ld", (long)(at - data));
        else printf(" %llu", (unsigned long long)arg[i]);
    }
    printf("\n");
}

// What a kernel would do to memory that an argument points to: fill it, at most up to the guard page.
static void scribble(uint8_t *at) {
    uint64_t count = below((uint64_t)(arena_end() - at) + 1);
    if (count > 64) count = 64;
    for (uint64_t i = 0; i < count; i++) at[i] = (uint8_t)any();
}

long kernel(long nr, const uint64_t arg[6]) {
    claim(nr >= 0 && nr < 0xffff0000, "a pseudo-operation reached the kernel");
    calls_of_batch++;
    total_calls++;
    if (listing) {
        list_call(nr, arg);
        return *results == NULL ? 0 : strtol(*results++, NULL, 0);
    }
    if (++calls_of_case > CALLS) longjmp(out_of_player, 256);
    if (once_in(4)) {
        // Where a plan means its data, an argument is at most the end of it. (A number that looks like an
        // address of the arena by chance is not to be expected.)
        uint8_t *at = pointer(arg[below(6)]);
        if (at >= arena_end() - head.data && at < arena_end()) scribble(at);
    }
    static const long common[] = {0, 0, 1, 3, -EINTR, -EAGAIN, -ENOENT, -EEXIST, -4095, -4096, INT64_MAX, INT64_MIN};
    return once_in(8) ? (long)any() : common[below(sizeof common / sizeof *common)];
}

static void run_case(void) {
    static uint64_t stack[8];
    char *arguments[] = {"launcher", "3", "4"};
    uint64_t count = listing ? 1 : 1 + below(3);
    stack[0] = count;
    for (uint64_t i = 0; i < count; i++) stack[1 + i] = ADDRESS(arguments[i]);
    for (uint64_t i = count + 1; i < 8; i++) stack[i] = 0;
    if (!listing && once_in(512)) stack[2] = ADDRESS(once_in(2) ? "" : once_in(2) ? "3x" : "9999999");
    prelude = !listing && once_in(256) ? 1 + (int)below(6) : 0;
    channel_in = channel_out = 3;
    input_at = calls_of_case = frame_left = 0;
    int code = setjmp(out_of_player);
    if (code == 0) begin(stack);
    close_batch();
    ends[(code - 1) & 255]++;
    if (listing) printf("exit %d\n", code - 1);
}

// Mutations

static uint8_t **corpus;
static uint32_t *corpus_length;
static size_t corpus_count;

static void append(const void *bytes, size_t length) {
    if (length > INPUT - input_length) length = INPUT - input_length;
    memcpy(input + input_length, bytes, length);
    input_length += length;
}

static uint64_t interesting(void) {
    static const uint64_t some[] = {0, 1, 4, 7, 8, 20, 21, 22, 64, 0xff, 0x100, 0xffff, 0x10000, 0x10001, 0x7fffffff,
                                    0x80000000, 0xfffffff8, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
                                    0x8000000000000000, 0xfffffffffffffff8, UINT64_MAX, WIRE_ARENA, WIRE_OP_FORK,
                                    WIRE_OP_CHECK, WIRE_OP_DEC, WIRE_OP_PAUSE, WIRE_OP_END, WIRE_OP_FORK - 1,
                                    WIRE_OP_END + 1};
    uint64_t value = once_in(2) && head.data > 0 ? head.data : some[below(sizeof some / sizeof *some)];
    return value + below(3) - below(3) * 4;
}

// Writes a number over a field: the headers' are 4 bytes wide, the records' 2, 4 and 8.
static void mutate_field(void) {
    static const unsigned widths[] = {1, 2, 4, 8};
    unsigned width = widths[below(4)];
    if (input_length < 128) return;
    uint64_t room = once_in(2) ? input_length : once_in(2) ? 32 : 512;
    if (room > input_length) room = input_length;
    uint64_t at = below(room - 8) / width * width;
    store(input + at, once_in(4) ? any() : interesting(), width);
}

static void mutate_bytes(void) {
    if (input_length == 0) return;
    uint64_t at = below(input_length);
    switch (below(4)) {
    case 0: input[at] ^= (uint8_t)(1u << below(8)); break;
    case 1: input[at] = (uint8_t)any(); break;
    case 2: input_length = at; break;
    default: {
        uint64_t from = below(input_length), count = below(96);
        if (count > input_length - from) count = input_length - from;
        if (count > input_length - at) count = input_length - at;
        memmove(input + at, input + from, count);
    }
    }
}

// A batch whose lengths are right and whose records are numbers near the limits.
static void random_batch(void) {
    static const uint32_t numbers[] = {0, 1, 2, 435, WIRE_OP_FORK, WIRE_OP_CHECK, WIRE_OP_DEC, WIRE_OP_PAUSE, WIRE_OP_END};
    static uint8_t batch[INPUT / 4];
    struct header *h = (struct header *)batch;
    *h = (struct header){WIRE_MAGIC_BATCH, (uint32_t)below(12), (uint32_t)below(4), (uint32_t)below(48) * 8, 0, WIRE_NONE, 0, 0};
    h->reply = (uint32_t)below(h->data + 1);
    if (once_in(4)) h->trace = (uint32_t)below(once_in(4) ? h->data : h->data / 4);
    uint64_t most = h->data > 24 ? h->data - 23u : h->data; // in range for a number; at times one looks behind it
    head = *h;
    size_t at = sizeof *h;
    for (uint32_t i = 0; i < h->records; i++, at += sizeof(struct record)) {
        struct record *r = (struct record *)(batch + at);
        *r = (struct record){once_in(8) ? (uint32_t)any() : numbers[below(9)], (uint16_t)(any() & 0xfff),
                             (uint16_t)below(4), once_in(2) ? WIRE_NONE : (uint32_t)below(once_in(16) ? h->data + 1 : most), {0}, {0}};
        for (unsigned k = 0; k < 4; k++) r->tolerate[k] = (uint8_t)below(20);
        for (unsigned k = 0; k < 6; k++) r->arg[k] = once_in(64) ? interesting() : below(once_in(32) ? h->data + 1u : most);
        if (r->nr >= WIRE_OP_FORK - 1 && !once_in(8)) r->kinds &= 0xfc3; // what DEC, FORK and CHECK want
        if (once_in(16)) r->arg[below(6)] = 0 - below(32); // negative, and what overflows when added to
        if (r->nr == WIRE_OP_DEC && !once_in(8)) {
            r->arg[2] = 20 + below(4);
            if (once_in(2)) r->arg[0] = UINT64_MAX;
            if (once_in(2)) r->arg[1] = h->data - r->arg[2];
        }
        if (r->nr == WIRE_OP_FORK && !once_in(4)) r->arg[2] = below(h->records);
        if (r->nr == WIRE_OP_CHECK && !once_in(4)) r->arg[1] = below(3);
    }
    for (uint32_t i = 0; i < h->relocs; i++, at += 4) store(batch + at, below(once_in(16) ? h->data : most), 4);
    at = (at + 7) & ~(size_t)7;
    size_t data = at + sizeof(struct frame);
    for (size_t end = data + h->data; at < end; at++) batch[at] = at % 8 == 0 && once_in(4) ? (uint8_t)below(24) : 0;
    append(batch, at);
}

static void make_case(uint64_t seed, uint64_t number) {
    case_number = number;
    state = (seed + 1) * 0x9e3779b97f4a7c15ull ^ (number + 1) * 0xd1342543de82ef95ull;
    for (unsigned i = 0; i < 4; i++) any();
    input_length = 0;
    unsigned kind = (unsigned)below(10);
    for (uint64_t batches = 1 + below(3); batches > 0; batches--) {
        if (kind < 6) {
            size_t one = below(corpus_count);
            append(corpus[one], corpus_length[one]);
            if (input_length >= sizeof head) memcpy(&head, input, sizeof head);
        } else if (kind < 9) {
            random_batch();
            if (once_in(4)) append(&(struct header){.magic = WIRE_MAGIC_CONTINUE}, sizeof head);
        } else {
            for (uint64_t length = below(512); length > 0; length--) append(&(uint8_t){(uint8_t)any()}, 1);
        }
    }
    if (kind == 9 && once_in(2)) store(input, WIRE_MAGIC_BATCH, 4);
    if (kind < 9)
        for (uint64_t times = below(6); times > 0; times--) once_in(3) ? mutate_bytes() : mutate_field();
}

static void *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) exit(2);
    static uint8_t bytes[1 << 22];
    *length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return bytes;
}

static void read_corpus(const char *path) {
    size_t length;
    uint8_t *bytes = read_file(path, &length);
    corpus = calloc(length / 4 + 1, sizeof *corpus);
    corpus_length = calloc(length / 4 + 1, sizeof *corpus_length);
    for (size_t at = 0; at + 4 <= length; corpus_count++) {
        corpus_length[corpus_count] = (uint32_t)load(bytes + at, 4);
        corpus[corpus_count] = bytes + at + 4;
        at += 4 + corpus_length[corpus_count];
    }
}

int main(int count, char **arguments) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_set_death_callback(tell_case);
#endif
    if (count >= 3 && strcmp(arguments[1], "play") == 0) {
        listing = 1;
        results = arguments + 3;
        uint8_t *bytes = read_file(arguments[2], &input_length);
        memcpy(input, bytes, input_length < INPUT ? input_length : INPUT);
        run_case();
        return 0;
    }
    if (count != 5) return 2;
    read_corpus(arguments[1]);
    uint64_t seed = strtoull(arguments[2], NULL, 0), first = strtoull(arguments[3], NULL, 0);
    uint64_t last = first + strtoull(arguments[4], NULL, 0);
    for (uint64_t number = first; number < last; number++) {
        make_case(seed, number);
        run_case();
    }
    printf("{\"calls\":%llu,\"done\":%llu,\"paused\":%llu,\"failed\":%llu,\"refused\":%llu",
           (unsigned long long)total_calls, (unsigned long long)answers[1], (unsigned long long)answers[2],
           (unsigned long long)answers[3], (unsigned long long)answers[4]);
    for (unsigned i = 0; i < 256; i++)
        if (ends[i] > 0) printf(",\"exit %u\":%llu", i, (unsigned long long)ends[i]);
    printf("}\n");
    return 0;
}
