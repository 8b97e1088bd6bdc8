// Compiles a module for the engine, at build time: compile INPUT OUTPUT [strip].
//
// A program of its own, so that the executable has no compiler and no eval.
#include "quickjs.h"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    static char text[32 << 20];
    size_t size;
    FILE *input = argc > 2 ? fopen(argv[1], "r") : 0, *output = input ? fopen(argv[2], "w") : 0;
    if (!output) return perror("compile INPUT OUTPUT [strip]"), 1;
    size_t length = fread(text, 1, sizeof text - 1, input);
    JSRuntime *rt = JS_NewRuntime();
    JSContext *ctx = JS_NewContext(rt);
    JS_SetStripInfo(rt, argc > 3 ? JS_STRIP_DEBUG : JS_STRIP_SOURCE);
    JSValue module = JS_Eval(ctx, text, length, argv[1], JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    uint8_t *code = JS_IsException(module) ? 0 : JS_WriteObject(ctx, &size, module, JS_WRITE_OBJ_BYTECODE);
    if (!code) return fprintf(stderr, "%s: %s\n", argv[1], JS_ToCString(ctx, JS_GetException(ctx))), 1;
    return fwrite(code, 1, size, output) == size && fclose(output) == 0 ? 0 : 1;
}
