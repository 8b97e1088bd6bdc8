// The system call instruction, and a start without a C library, for x86-64 and arm64.
#ifndef CAISSON_KERNEL_H
#define CAISSON_KERNEL_H
#include <stdint.h>

#ifdef CAISSON_STUB
// Sanitizer and fuzz builds: every system call goes to the harness, none to the kernel; those of a plan to
// kernel(), the program's own to own_call().
long kernel(long nr, const uint64_t arg[6]);
long own_call(long nr, const uint64_t arg[6]);
#define CALL(nr, ...) own_call((nr), (const uint64_t[6]){__VA_ARGS__})
#elif defined(__x86_64__)
static inline long kernel(long nr, const uint64_t arg[6]) {
    register uint64_t r10 __asm__("r10") = arg[3];
    register uint64_t r8 __asm__("r8") = arg[4];
    register uint64_t r9 __asm__("r9") = arg[5];
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(nr), "D"(arg[0]), "S"(arg[1]), "d"(arg[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n hlt\n");
#elif defined(__aarch64__)
static inline long kernel(long nr, const uint64_t arg[6]) {
    register uint64_t x8 __asm__("x8") = (uint64_t)nr;
    register uint64_t x0 __asm__("x0") = arg[0];
    register uint64_t x1 __asm__("x1") = arg[1];
    register uint64_t x2 __asm__("x2") = arg[2];
    register uint64_t x3 __asm__("x3") = arg[3];
    register uint64_t x4 __asm__("x4") = arg[4];
    register uint64_t x5 __asm__("x5") = arg[5];
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return (long)x0;
}
__asm__(".globl _start\n_start: mov x29, #0\n mov x30, #0\n mov x0, sp\n bl begin\n brk #0\n");
#else
#error "caisson runs on x86-64 and arm64"
#endif

#ifndef CALL
#define CALL(nr, ...) kernel((nr), (const uint64_t[6]){__VA_ARGS__})
#endif
// gcc calls it for large initializers, with -ffreestanding too.
__attribute__((unused)) void *memset(void *to, int value, __SIZE_TYPE__ length);
#ifdef CAISSON_MEMSET
void *memset(void *to, int value, __SIZE_TYPE__ length) {
    for (__SIZE_TYPE__ i = 0; i < length; i++) ((uint8_t *)to)[i] = (uint8_t)value;
    return to;
}
#endif
#define ADDRESS(pointer) ((uint64_t)(uintptr_t)(pointer))
#endif
