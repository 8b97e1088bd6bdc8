// The executable around QuickJS: system calls, spawn and byte strings for TypeScript, the loop of jobs, the image.
//
// It holds no policy: src/host/quickjs.ts and what it imports decide which call is made with which arguments. As it
// is linked, it loads a compiled module; an image of what it has then loaded becomes a segment of the executable
// (scripts/oci-executable.mjs), so that the next start goes on behind the loading.
//
// QuickJS is included, not linked, for byte strings: it has strings of 8 bits, but its interface hands out UTF-8.
#include "immortal.h"
#include "quickjs.c"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "arena.h"
#include "sha256.h"

#ifdef __aarch64__
#define ARCH "aarch64"
#else
#define ARCH "x86_64"
#endif
#define FUNCTION(name) static JSValue name(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)

static char **argument, **variable;
static uint8_t room[64 << 10];

// The bytes of a string whose characters are below 256, with a NUL behind; they live as long as the value does.
static const char *bytes_of(JSContext *ctx, JSValueConst value, size_t *length) {
    JSValue text = JS_DupValue(ctx, value);
    // The rope keeps what it is turned into.
    if (JS_VALUE_GET_TAG(text) == JS_TAG_STRING_ROPE) text = js_linearize_string_rope(ctx, text);
    int wide = JS_VALUE_GET_TAG(text) != JS_TAG_STRING || JS_VALUE_GET_STRING(text)->is_wide_char;
    if (wide && !JS_IsException(text)) JS_ThrowTypeError(ctx, "not a byte string");
    JS_FreeValue(ctx, text);
    if (wide) return 0;
    if (length) *length = JS_VALUE_GET_STRING(text)->len;
    return (const char *)JS_VALUE_GET_STRING(text)->u.str8;
}

// The memory of an ArrayBuffer or a typed array.
static uint8_t *memory_of(JSContext *ctx, JSValueConst value, size_t *length) {
    JSObject *object = JS_VALUE_GET_TAG(value) == JS_TAG_OBJECT ? JS_VALUE_GET_OBJ(value) : 0;
    if (!object || object->class_id < JS_CLASS_UINT8C_ARRAY || object->class_id > JS_CLASS_FLOAT64_ARRAY)
        return JS_GetArrayBuffer(ctx, length, value);
    *length = (size_t)object->u.array.count << typed_array_size_log2(object->class_id);
    return object->u.array.u.uint8_ptr;
}

// A number as it is, a string or a buffer as its address; 0 for undefined and null. -1 with an exception.
static int word_of(JSContext *ctx, JSValueConst value, int64_t *word) {
    size_t length;
    switch (JS_VALUE_GET_NORM_TAG(value)) {
    case JS_TAG_INT: return *word = JS_VALUE_GET_INT(value), 0;
    case JS_TAG_FLOAT64: return JS_ToInt64(ctx, word, value);
    case JS_TAG_UNDEFINED:
    case JS_TAG_NULL: return *word = 0, 0;
    case JS_TAG_OBJECT: *word = (int64_t)memory_of(ctx, value, &length); break;
    default: *word = (int64_t)bytes_of(ctx, value, 0);
    }
    return *word == 0 ? -1 : 0;
}

// syscall(number, ...up to six): the result, or the negative errno.
FUNCTION(call_kernel) {
    int64_t a[7] = {0};
    for (int i = 0; i < argc && i < 7; i++)
        if (word_of(ctx, argv[i], &a[i]) < 0) return JS_EXCEPTION;
    long result = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
    return JS_NewInt64(ctx, result == -1 ? -errno : result);
}

// string(buffer, start, end): those bytes as a string.
FUNCTION(make_string) {
    size_t length;
    int64_t start, end;
    uint8_t *memory = memory_of(ctx, argv[0], &length);
    if (!memory || JS_ToInt64(ctx, &start, argv[1]) || JS_ToInt64(ctx, &end, argv[2])) return JS_EXCEPTION;
    if (start < 0 || end < start || (uint64_t)end > length) return JS_ThrowRangeError(ctx, "outside the buffer");
    return js_new_string8_len(ctx, (char *)memory + start, (int)(end - start));
}

// copy(buffer, offset, string): writes the bytes of the string.
FUNCTION(copy_string) {
    size_t room, length;
    int64_t offset;
    uint8_t *memory = memory_of(ctx, argv[0], &room);
    const char *bytes = memory ? bytes_of(ctx, argv[2], &length) : 0;
    if (!bytes || JS_ToInt64(ctx, &offset, argv[1])) return JS_EXCEPTION;
    if (offset < 0 || (uint64_t)offset > room || length > room - (uint64_t)offset)
        return JS_ThrowRangeError(ctx, "outside the buffer");
    memcpy(memory + offset, bytes, length);
    return JS_UNDEFINED;
}

// words(0): the arguments; words(1): the environment; words(2): the name that it was called by, and the arguments.
FUNCTION(list_words) {
    int which = JS_VALUE_GET_INT(argv[0]);
    char **words = which == 1 ? variable : argument - (which == 2);
    JSValue list = JS_NewArray(ctx);
    for (uint32_t i = 0; words[i]; i++)
        JS_SetPropertyUint32(ctx, list, i, js_new_string8_len(ctx, words[i], (int)strlen(words[i])));
    return list;
}

// The strings of an array with a null pointer behind, in memory of the caller's to free.
static char **strings_of(JSContext *ctx, JSValueConst array) {
    int64_t count;
    char **list = js_get_length64(ctx, &count, array) ? 0 : js_mallocz(ctx, (size_t)(count + 1) * sizeof *list);
    for (int64_t i = 0; list && i < count; i++) {
        JSValue item = JS_GetPropertyInt64(ctx, array, i);
        list[i] = (char *)bytes_of(ctx, item, 0);
        JS_FreeValue(ctx, item); // the array keeps it
        if (!list[i]) return js_free(ctx, list), (char **)0;
    }
    return list;
}

// In the child, which has its parent's memory: descriptors become 0..count-1, then another program. An errno.
static int become(const char *path, int file, char **argv, char **envp, const char *directory, int *fd, int count) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0);
    // First out of the way of the numbers that are given.
    if (!path && (file = fcntl(file, F_DUPFD_CLOEXEC, count)) < 0) return errno;
    for (int i = 0; i < count; i++)
        if (fd[i] >= 0 && (fd[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, count)) < 0) return errno;
    for (int i = 0; i < count; i++)
        if (fd[i] < 0 ? close(i) < 0 && errno != EBADF : dup2(fd[i], i) < 0) return errno;
    if (directory && chdir(directory) < 0) return errno;
    // Whatever else the caller has open is not this program's (before Linux 5.11 its own descriptors alone are not).
    syscall(SYS_close_range, count, ~0u, 4); // CLOSE_RANGE_CLOEXEC of <linux/close_range.h>, which musl has not
    if (path) execve(path, argv, envp);
    else syscall(SYS_execveat, file, "", argv, envp, AT_EMPTY_PATH);
    return errno;
}

// spawn(path or descriptor, argv, envp, descriptors, directory or null): the process id, or the negative errno.
FUNCTION(spawn) {
    int file = JS_VALUE_GET_TAG(argv[0]) == JS_TAG_INT ? JS_VALUE_GET_INT(argv[0]) : -1, fd[1024];
    int64_t path, directory, count;
    if (word_of(ctx, argv[0], &path) || word_of(ctx, argv[4], &directory) || js_get_length64(ctx, &count, argv[3]))
        return JS_EXCEPTION;
    if (count > (int64_t)countof(fd)) return JS_NewInt32(ctx, -EMFILE);
    for (int64_t i = 0; i < count; i++)
        if (JS_ToInt32Free(ctx, &fd[i], JS_GetPropertyInt64(ctx, argv[3], i))) return JS_EXCEPTION;
    char **words = strings_of(ctx, argv[1]), **variables = words ? strings_of(ctx, argv[2]) : 0;
    volatile int failure = 0;
    pid_t pid = variables ? vfork() : -1;
    if (pid == 0) {
        const char *program = file < 0 ? (const char *)path : 0;
        failure = become(program, file, words, variables, (const char *)directory, fd, (int)count);
        _exit(127);
    }
    int error = pid < 0 ? errno : failure;
    if (pid > 0 && error) syscall(SYS_wait4, pid, 0, 0, 0);
    js_free(ctx, words);
    js_free(ctx, variables);
    return variables ? JS_NewInt32(ctx, error ? -error : pid) : JS_EXCEPTION;
}

// execute(path, argv, envp): becomes another program; the negative errno where it cannot.
FUNCTION(execute) {
    const char *path = bytes_of(ctx, argv[0], 0);
    char **words = path ? strings_of(ctx, argv[1]) : 0, **variables = words ? strings_of(ctx, argv[2]) : 0;
    if (!variables) return JS_EXCEPTION;
    execve(path, words, variables);
    return JS_NewInt32(ctx, -errno);
}

// blocks(state, bytes, count): so many blocks of 64 bytes into a running SHA-256.
FUNCTION(hash_blocks) {
    size_t room, length;
    int64_t count;
    uint8_t *state = memory_of(ctx, argv[0], &room), *bytes = state ? memory_of(ctx, argv[1], &length) : 0;
    if (!bytes || JS_ToInt64(ctx, &count, argv[2])) return JS_EXCEPTION;
    if (room != 32 || count < 0 || (uint64_t)count > length / 64) return JS_ThrowRangeError(ctx, "outside the buffer");
    for (; count > 0; count--, bytes += 64) sha256_block((uint32_t *)state, bytes);
    return JS_UNDEFINED;
}

static _Noreturn void fail(JSContext *ctx, const char *what) {
    JSValue error = ctx ? JS_GetException(ctx) : JS_UNDEFINED;
    const char *text = ctx ? JS_ToCString(ctx, error) : 0;
    const char *stack = JS_IsObject(error) ? JS_ToCString(ctx, JS_GetPropertyStr(ctx, error, "stack")) : 0;
    dprintf(2, "caisson: %s: %s\n%s", what, text ? text : strerror(errno), stack ? stack : "");
    _exit(1);
}

// A file as a byte string.
static JSValue content_of(JSContext *ctx, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    char *bytes = size <= 0 ? MAP_FAILED : mmap(0, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) fail(0, path);
    return js_new_string8_len(ctx, bytes, (int)size);
}

// Evaluates a module that quickjs/compile.c has compiled. There is no compiler here: the linker leaves it out.
static void load(const char *module, char **programs) {
    static const JSCFunctionListEntry functions[] = {
        JS_CFUNC_DEF("syscall", 7, call_kernel), JS_CFUNC_DEF("string", 3, make_string),
        JS_CFUNC_DEF("copy", 3, copy_string),    JS_CFUNC_DEF("words", 1, list_words),
        JS_CFUNC_DEF("spawn", 5, spawn),         JS_CFUNC_DEF("execute", 3, execute),
        JS_CFUNC_DEF("blocks", 3, hash_blocks),  JS_PROP_STRING_DEF("arch", ARCH, 0),
    };
    clear_arena();
    JSRuntime *rt = ARENA->runtime = JS_NewRuntime2(&arena_functions, 0);
    JS_SetGCThreshold(rt, (size_t)-1);
    JSContext *ctx = ARENA->context = JS_NewContextRaw(rt);
    JS_AddIntrinsicBaseObjects(ctx);
    JS_AddIntrinsicDate(ctx);
    JS_AddIntrinsicRegExp(ctx);
    JS_AddIntrinsicJSON(ctx);
    JS_AddIntrinsicMapSet(ctx);
    JS_AddIntrinsicTypedArrays(ctx);
    JS_AddIntrinsicPromise(ctx);
    JSValue native = JS_NewObject(ctx);
    JS_SetPropertyFunctionList(ctx, native, functions, countof(functions));
    JSValue carried = JS_NewArray(ctx);
    for (uint32_t i = 0; programs[i]; i++)
        JS_SetPropertyUint32(ctx, carried, i, content_of(ctx, programs[i]));
    JS_SetPropertyStr(ctx, native, "programs", carried);
    JS_SetPropertyStr(ctx, native, "room", JS_NewArrayBuffer(ctx, room, sizeof room, 0, 0, FALSE));
    JS_SetPropertyStr(ctx, ctx->global_obj, "native", native);
    JSValue code = content_of(ctx, module);
    size_t size = JS_VALUE_GET_STRING(code)->len;
    JSValue function = JS_ReadObject(ctx, JS_VALUE_GET_STRING(code)->u.str8, size, JS_READ_OBJ_BYTECODE);
    JS_FreeValue(ctx, code);
    if (JS_IsException(function) || JS_ResolveModule(ctx, function) < 0) fail(ctx, module);
    JSValue done = JS_EvalFunction(ctx, function);
    for (JSContext *job; JS_ExecutePendingJob(rt, &job) > 0;) {}
    if (JS_PromiseState(ctx, done) == JS_PROMISE_REJECTED) JS_Throw(ctx, JS_PromiseResult(ctx, done));
    if (JS_PromiseState(ctx, done) != JS_PROMISE_FULFILLED) fail(ctx, module);
    JS_FreeValue(ctx, done);
    ARENA->program = JS_GetPropertyStr(ctx, ctx->global_obj, "program");
    JS_RunGC(rt);
    // Free blocks stay unused: their classes were those of an image, and to touch them costs more than fresh memory.
    memset(ARENA->free, 0, sizeof ARENA->free);
    ARENA->hole = ARENA->hole_end = 0;
    ARENA->filled = ARENA->top;
    ARENA->loaded = 1;
}

// The arena by whole pages. Objects, functions, shapes and atoms in it are counted no more.
static _Noreturn void write_image(const char *path) {
    JSRuntime *rt = ARENA->runtime;
    struct list_head *link;
    list_for_each(link, &rt->gc_obj_list) list_entry(link, JSGCObjectHeader, link)->ref_count += IMMORTAL;
    for (int i = 0; i < rt->atom_size; i++)
        if (!atom_is_free(rt->atom_array[i])) rt->atom_array[i]->header.ref_count += IMMORTAL, ARENA->atoms = i + 1;
    // What a start sets anew would differ from one build to the next.
    rt->stack_top = rt->stack_limit = ARENA->context->random_state = 0;
    size_t size = ((size_t)(ARENA->top - arena_start) + 4095) & ~(size_t)4095;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, arena_start, size) != (ssize_t)size) fail(0, path);
    _exit(0);
}

static void call(JSContext *ctx, const char *method) {
    JSAtom name = JS_NewAtom(ctx, method);
    JSValue result = JS_Invoke(ctx, ARENA->program, name, 0, 0);
    if (JS_IsException(result)) fail(ctx, method);
    JS_FreeAtom(ctx, name);
}

// With an image: PROGRAM ARGUMENTS. Without one: engine [--image OUTPUT] MODULE CARRIED... [-- ARGUMENTS].
int main(int argc, char **argv, char **envp) {
    char **from = argv + 1, *image = 0;
    if (!ARENA->loaded) {
        if (argc > 2 && strcmp(argv[1], "--image") == 0) image = argv[2], from += 2;
        if (argv + argc - from < 1) return dprintf(2, "engine [--image OUTPUT] MODULE CARRIED... [-- ARGUMENTS]\n"), 1;
        char **carried = from + 1, **end = carried;
        while (*end && strcmp(*end, "--") != 0) end++;
        const char *module = *from;
        from = *end ? end + 1 : end;
        *end = 0;
        load(module, carried);
    }
    if (image) write_image(image);
    argument = from;
    variable = envp;
    JSRuntime *rt = ARENA->runtime;
    JSContext *ctx = ARENA->context;
    if (ARENA->atoms) constant_atoms = ARENA->atoms;
    JS_UpdateStackTop(rt);
    JS_SetGCThreshold(rt, rt->malloc_state.malloc_size + (4u << 20));
    js_random_init(ctx);
    for (call(ctx, "start");; call(ctx, "wait")) {
        int ran;
        do ran = JS_ExecutePendingJob(rt, &ctx);
        while (ran > 0);
        if (ran < 0) fail(ctx, "a job");
        ctx = ARENA->context;
    }
}
