// The memory of the engine: one arena at a fixed address, which is the image of a program that has been loaded.
//
// Size classes with free lists above a bump pointer; a block has its size in the word before it. Large blocks are
// mapped by themselves, save in an image. Nothing is ever given back but those: a command lives for milliseconds.
#ifndef CAISSON_ARENA_H
#define CAISSON_ARENA_H
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA_SIZE 0x1000000u // 16 MiB of address space; what goes beyond is mapped
#define ARENA_MAGIC 0x61736f4e31474d49u
enum { WORD = 8, UNIT = 16, SMALL = 512, LARGE = 256 << 10, CHUNK = 1 << 20, CLASSES = 72, MAPPED = 1 };

struct arena {
    uint64_t magic; // set in an image
    JSRuntime *runtime;
    JSContext *context;
    JSValue program;
    uint8_t *top, *end;
    uint64_t *free[CLASSES];
    JSClassID classes; // the one variable of QuickJS's own
};

// In a segment of its own, so that an image of it can be made part of the executable.
__asm__(".pushsection .arena, \"aw\", %nobits\n.balign 4096\n.globl arena_start\narena_start:\n.skip 0x1000000\n.popsection");
extern uint8_t arena_start[ARENA_SIZE];
#define ARENA ((struct arena *)arena_start)

static inline size_t rounded(size_t size) {
    size_t total = size + WORD;
    if (total <= SMALL) return (total + UNIT - 1) & ~(size_t)(UNIT - 1);
    size_t step = (size_t)1 << (63 - __builtin_clzl(total - 1) - 2); // four steps between powers of two
    return (total + step - 1) & ~(step - 1);
}

static inline unsigned class_of(size_t total) {
    if (total <= SMALL) return (unsigned)(total / UNIT);
    unsigned log = 63 - (unsigned)__builtin_clzl(total - 1);
    return 33 + (log - 9) * 4 + (unsigned)((total - 1) >> (log - 2) & 3);
}

static inline uint64_t *header_of(const void *block) { return (uint64_t *)block - 1; }

static size_t usable(const void *block) {
    uint64_t size = *header_of(block);
    return size & MAPPED ? size - MAPPED - UNIT : size - WORD;
}

static void *map(void *old, size_t old_size, size_t size) {
    void *at = old ? mremap(old, old_size, size, MREMAP_MAYMOVE)
                   : mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? 0 : at;
}

static void *mapped(void *old, size_t size) {
    size_t total = (size + UNIT + 4095) & ~(size_t)4095;
    uint8_t *base = map(old ? (uint8_t *)old - UNIT : 0, old ? *header_of(old) - MAPPED : 0, total);
    if (!base) return 0;
    *(uint64_t *)(base + WORD) = total | MAPPED;
    return base + UNIT;
}

static void *fresh(size_t total) {
    struct arena *a = ARENA;
    if (a->top + total > a->end) {
        if (!a->magic) return 0; // an image that is being made
        size_t chunk = total > CHUNK ? total : CHUNK;
        uint8_t *base = map(0, 0, chunk);
        if (!base) return 0;
        a->top = base;
        a->end = base + chunk;
    }
    uint64_t *header = (uint64_t *)a->top;
    a->top += total;
    *header = total;
    return header + 1;
}

static void *take(JSMallocState *s, size_t size) {
    void *block;
    if (size > LARGE && ARENA->magic) {
        block = mapped(0, size);
    } else {
        size_t total = rounded(size);
        unsigned class = class_of(total);
        uint64_t *first = class < CLASSES ? ARENA->free[class] : 0;
        if (first) ARENA->free[class] = *(uint64_t **)first;
        block = first ? first : fresh(total);
    }
    if (!block) return 0;
    s->malloc_count++;
    s->malloc_size += usable(block);
    return block;
}

static void give(JSMallocState *s, void *block) {
    if (!block) return;
    uint64_t size = *header_of(block);
    s->malloc_count--;
    s->malloc_size -= usable(block);
    if (size & MAPPED) {
        munmap((uint8_t *)block - UNIT, size - MAPPED);
    } else if (class_of(size) < CLASSES) {
        *(uint64_t **)block = ARENA->free[class_of(size)];
        ARENA->free[class_of(size)] = block;
    }
}

static void *resize(JSMallocState *s, void *block, size_t size) {
    if (!block) return size ? take(s, size) : 0;
    if (size == 0) return give(s, block), (void *)0;
    size_t had = usable(block);
    if (*header_of(block) & MAPPED && size > LARGE) {
        block = mapped(block, size);
        if (block) s->malloc_size += usable(block) - had;
        return block;
    }
    if (size <= had && rounded(size) > (had + WORD) / 2) return block;
    void *moved = take(s, size);
    if (!moved) return 0;
    memcpy(moved, block, had < size ? had : size);
    give(s, block);
    return moved;
}

static const JSMallocFunctions arena_functions = {take, give, resize, usable};

// Empties the arena, for a new runtime.
static void clear_arena(void) {
    if (ARENA->top) memset(arena_start, 0, (size_t)(ARENA->top - arena_start));
    ARENA->top = arena_start + ((sizeof(struct arena) + UNIT - 1) & ~(size_t)(UNIT - 1)) + WORD;
    ARENA->end = arena_start + ARENA_SIZE;
}
#endif
