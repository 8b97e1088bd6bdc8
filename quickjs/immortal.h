// Counting references without writing to an image: what is in one lives for ever.
//
// A page of an image that is written becomes a copy, and that costs more than 1 us; a start without this copies 130
// pages more. What an image holds has a count that no program reaches, so that whatever counts by itself does no harm.
#define JS_DupValue counting_dup
#define JS_FreeValue counting_free
#define JS_FreeValueRT counting_free_rt
#include "quickjs.h"
#undef JS_DupValue
#undef JS_FreeValue
#undef JS_FreeValueRT

enum { IMMORTAL = 1 << 28 };

// The count of a value, 0 where there is none to be changed.
static inline int *count_of(JSValueConst v) {
    int *count = JS_VALUE_HAS_REF_COUNT(v) ? &((JSRefCountHeader *)JS_VALUE_GET_PTR(v))->ref_count : 0;
    return count && *count < IMMORTAL ? count : 0;
}

// The same for variables and shapes, which are no values; scripts/oci-executable.mjs puts them into quickjs.c.
#define counted(p) ((p)->header.ref_count < IMMORTAL ? (void)++(p)->header.ref_count : (void)0, (p))
#define uncounted(p) ((p)->header.ref_count < IMMORTAL && --(p)->header.ref_count == 0)

static inline JSValue JS_DupValue(JSContext *ctx, JSValueConst v) {
    int *count = count_of(v);
    if (count) ++*count;
    return v;
}

static inline void JS_FreeValueRT(JSRuntime *rt, JSValue v) {
    int *count = count_of(v);
    if (count && --*count <= 0) __JS_FreeValueRT(rt, v);
}

static inline void JS_FreeValue(JSContext *ctx, JSValue v) {
    int *count = count_of(v);
    if (count && --*count <= 0) __JS_FreeValue(ctx, v);
}
