// The memory of the engine: one arena at a fixed address, which is the image of a program that has been loaded.
// Size classes with free lists above a bump pointer; the word before a block is the size of both.
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // <asm-generic/mman-common.h>, Linux 5.14
#endif

#define ARENA_SIZE 0x1000000u // 16 MiB of address space; what goes beyond is mapped
enum { WORD = 8, SMALL = 512, CHUNK = 1 << 20, CLASSES = 256, AHEAD = 128 << 10 };

struct arena {
    uint64_t loaded; // in an image, and from the start on
    JSRuntime *runtime;
    JSContext *context;
    JSValue program;
    uint8_t *top, *end, *hole, *hole_end;
    uint8_t *filled;  // up to here the kernel has given pages
    int32_t atoms;    // names of the image
    uint64_t *free[CLASSES];
};

// In a segment of its own, so that an image of it can be made part of the executable.
__asm__(".pushsection .arena,\"aw\",%nobits\n.balign 4096\narena_start: .skip 0x1000000\n.popsection");
extern uint8_t arena_start[ARENA_SIZE];
#define ARENA ((struct arena *)arena_start)

// The size of a class: multiples of 16 up to 512, then four steps to its double. An image is packed: multiples of 8.
static inline size_t rounded(size_t size) {
    size_t step = !ARENA->loaded ? 8 : size > SMALL ? (size_t)1 << (61 - __builtin_clzl(size - 1)) : 16;
    return (size + step - 1) & ~(step - 1);
}

// The largest class that fits into a block.
static inline unsigned class_of(size_t size) {
    if (size <= SMALL) return (unsigned)(size / (ARENA->loaded ? 16 : 8));
    unsigned log = 63 - (unsigned)__builtin_clzl(size);
    return 64 + (log - 9) * 4 + (size >> (log - 2) & 3);
}

static size_t usable(const void *block) { return ((const uint64_t *)block)[-1] - WORD; }

// Pages by the dozen: a fault for each costs three times as much. Before Linux 5.14 (EINVAL) each is a fault.
static void fill(uint8_t *from, uint8_t *to) {
    uint8_t *page = (uint8_t *)(((uintptr_t)from + 4095) & ~(uintptr_t)4095);
    if (to < page + AHEAD) to = page + AHEAD;
    ARENA->filled = to < ARENA->end ? to : ARENA->end;
    madvise(page, (size_t)(ARENA->filled - page), MADV_POPULATE_WRITE);
}

static uint64_t *fresh(size_t total) {
    struct arena *a = ARENA;
    uint8_t **top = a->hole + total <= a->hole_end ? &a->hole : &a->top;
    if (top == &a->top && a->top + total > a->end) {
        size_t size = total > CHUNK ? (total + 4095) & ~(size_t)4095 : CHUNK;
        uint8_t *chunk = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (!a->loaded || chunk == MAP_FAILED) return 0;
        a->top = a->filled = chunk;
        a->end = chunk + size;
    }
    if (a->loaded && top == &a->top && a->top + total > a->filled) fill(a->filled, a->top + total);
    uint64_t *header = (uint64_t *)*top;
    *top += total;
    *header = total;
    return header + 1;
}

static void *take(JSMallocState *s, size_t size) {
    size_t total = rounded(size + WORD);
    uint64_t **list = &ARENA->free[class_of(total)], *block = *list;
    // Blocks of a packed image are of any size between their class and the next.
    if (block && (ARENA->loaded || usable(block) + WORD >= total)) *list = *(uint64_t **)block;
    else block = fresh(total < 16 ? 16 : total);
    if (block) s->malloc_size += usable(block);
    return block;
}

static void give(JSMallocState *s, void *block) {
    if (!block) return;
    size_t size = usable(block) + WORD;
    uint64_t **list = &ARENA->free[class_of(size)];
    s->malloc_size -= usable(block);
    if (!ARENA->loaded && size > (size_t)(ARENA->hole_end - ARENA->hole) + SMALL) {
        // What a growing table leaves behind is filled, so that an image has no holes.
        ARENA->hole = (uint8_t *)block - WORD;
        ARENA->hole_end = ARENA->hole + size;
        return;
    }
    *(uint64_t **)block = *list;
    *list = block;
}

static void *resize(JSMallocState *s, void *block, size_t size) {
    size_t had = block ? usable(block) : 0;
    if (block && size && size <= had && rounded(size + WORD) > had / 2) return block;
    void *moved = size ? take(s, size) : 0;
    if (moved && block) memcpy(moved, block, had < size ? had : size);
    if (moved || !size) give(s, block);
    return moved;
}

static const JSMallocFunctions arena_functions = {take, give, resize, usable};

static void clear_arena(void) {
    ARENA->top = arena_start + sizeof(struct arena);
    ARENA->end = arena_start + ARENA_SIZE;
}
