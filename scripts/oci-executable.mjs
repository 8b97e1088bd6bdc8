// dist/caisson-oci and dist/caisson: our TypeScript inside QuickJS, static executables that start with everything loaded.
//
//   node scripts/oci-executable.mjs    makes them (set-up does)
//
// The engine is QuickJS with quickjs/engine.c. It loads the bundled TypeScript once, here, and writes its arena; the
// arena becomes a segment of the executable, and the kernel maps it at each start.

import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeQuickjs, quickjsDirectory } from './quickjs.mjs';
import { asProgram, bunPath, filesBelow, root, run, stage } from './stage.mjs';

export const ENGINE = 'build/quickjs/engine';
const COMPILER = 'build/quickjs/compile';
const BUNDLE = ['--target=browser', '--format=esm', '--minify-syntax', '--minify-whitespace'];

/** engine.c includes quickjs.c. */
const PARTS = ['cutils', 'dtoa', 'libregexp', 'libunicode'];
/** Where the arena begins: far from the program, whose addresses an image must not move. */
const ARENA = 0x10000000n;
const COMPILE = [
  ...['-O2', '-std=gnu11', '-fwrapv', '-funsigned-char', '-D_GNU_SOURCE', '-DCONFIG_VERSION="2025-04-26"'],
  ...['-ffunction-sections', '-fdata-sections', '-fno-asynchronous-unwind-tables', '-fno-pie'],
  // Jumps that are not aligned: 4 % of the size, and no slower (measured).
  ...['functions', 'jumps', 'loops', 'labels'].map((what) => `-falign-${what}=1`),
  // Copies of functions and of loops: 2 % of the size, and no quicker (measured).
  ...['-fno-inline-functions', '-fno-tree-vectorize'],
];
const WARNINGS = ['-Wall', '-Wextra', '-Werror', '-Wno-unused-parameter'];
// Pointers into the program are part of the image: it cannot be moved.
const LINK = [
  ...['-static', '-no-pie', '-s', '-Wl,--gc-sections', '-Wl,--build-id=none', '-Wl,-z,noexecstack'],
  ...['-Wl,-z,relro', '-Wl,-z,now', `-Wl,--section-start=.arena=0x${ARENA.toString(16)}`],
];

/**
 * What engine.c changes in quickjs.c. Counts of what is in an image are not written (quickjs/immortal.h), so that its
 * pages stay shared; two operations that make up a tenth of a start take their usual way first. Each text is there
 * exactly once.
 */
const CHANGES = [
  // Names: those of an image are as constant as QuickJS's own.
  ['static inline BOOL __JS_AtomIsConst(', 'static int32_t constant_atoms = JS_ATOM_END;\n\n$&'],
  ['return (int32_t)v < JS_ATOM_END;', 'return (int32_t)v < constant_atoms;'],
  ['                str->header.ref_count--;\n', '                (void)uncounted(str);\n'],
  // Variables of modules, which every closure over them counts.
  [
    'cur_var_refs[cv->var_idx];\n                var_ref->header.ref_count++;',
    'counted(cur_var_refs[cv->var_idx]);',
  ],
  ['if (--var_ref->header.ref_count == 0) {', 'if (uncounted(var_ref)) {'],
  // Shapes of objects.
  ['    sh->header.ref_count++;\n    return sh;', '    return counted(sh);'],
  ['if (unlikely(--sh->header.ref_count <= 0)) {', 'if (unlikely(uncounted(sh))) {'],
  // A field of an object literal: nearly always a new property of a plain object.
  [
    'ret = JS_DefinePropertyValue(ctx, sp[-2], atom, sp[-1],\n                                             JS_PROP_C_W_E | JS_PROP_THROW);\n                sp--;\n                if (unlikely(ret < 0))\n                    goto exception;\n            }\n            BREAK;\n\n        CASE(OP_set_name):',
    'ret = JS_DefineField(ctx, sp[-2], atom, sp[-1]);\n                sp--;\n                if (unlikely(ret < 0))\n                    goto exception;\n            }\n            BREAK;\n\n        CASE(OP_set_name):',
  ],
  [
    'static JSValue JS_CallInternal(JSContext *caller_ctx, ',
    `static int JS_DefineField(JSContext *ctx, JSValueConst object, JSAtom name, JSValue value)
{
    JSObject *p = JS_VALUE_GET_OBJ(object);
    if (JS_VALUE_GET_TAG(object) != JS_TAG_OBJECT || p->class_id != JS_CLASS_OBJECT || !p->extensible ||
        find_own_property1(p, name))
        return JS_DefinePropertyValue(ctx, object, name, value, JS_PROP_C_W_E | JS_PROP_THROW);
    JSProperty *added = add_property(ctx, p, name, JS_PROP_C_W_E);
    if (!added) return JS_FreeValue(ctx, value), -1;
    added->u.value = value;
    return TRUE;
}

$&`,
  ],
  // Strings are compared with literals, which are one and the same or of another length.
  [
    'res = (js_string_compare(ctx, JS_VALUE_GET_STRING(op1),\n                                         JS_VALUE_GET_STRING(op2)) == 0);',
    'res = js_string_same(ctx, JS_VALUE_GET_STRING(op1), JS_VALUE_GET_STRING(op2));',
  ],
  [
    'static BOOL js_strict_eq2(JSContext *ctx, JSValue op1, JSValue op2,\n                          JSStrictEqModeEnum eq_mode)\n{',
    `static BOOL js_string_same(JSContext *ctx, const JSString *a, const JSString *b)
{
    return a == b || (a->len == b->len && js_string_compare(ctx, a, b) == 0);
}

$&`,
  ],
];

/** @param {string} source the text of quickjs.c */
export function withChanges(source) {
  return CHANGES.reduce((text, [from, to]) => {
    if (text.split(from).length !== 2) throw new Error(`quickjs.c has not once: ${from}`);
    return text.replace(from, to);
  }, source);
}

/** The engine without a program, and what compiles a module for it: for the executable and for tests. */
export function makeEngine() {
  makeQuickjs();
  const quickjs = quickjsDirectory();
  const directory = join(root, 'build/quickjs');
  const sources = filesBelow('quickjs', /\.[ch]$/);
  mkdirSync(directory, { recursive: true });
  stage({
    name: 'quickjs-engine',
    inputs: [
      ...[...COMPILE, ...WARNINGS, ...LINK, ...CHANGES.flat(), quickjs],
      ...sources.map((file) => ({ file })),
    ],
    outputs: [ENGINE, COMPILER],
    action: () => {
      const compile = (name, source, flags) => {
        const object = join(directory, `${name}.o`);
        const include = ['-isystem', directory, '-isystem', quickjs];
        run('musl-gcc', [...COMPILE, ...flags, ...include, '-c', '-o', object, source]);
        return object;
      };
      const changed = withChanges(readFileSync(join(quickjs, 'quickjs.c'), 'utf8'));
      writeFileSync(join(directory, 'quickjs.c'), changed);
      const parts = PARTS.map((name) => compile(name, join(quickjs, `${name}.c`), ['-w']));
      // The functions of the engine alone, without its main, are what the compiler needs.
      const whole = compile('engine', 'quickjs/engine.c', WARNINGS);
      const library = compile('library', join(quickjs, 'quickjs.c'), ['-w', '-O0']);
      const compiler = compile('compile', 'quickjs/compile.c', WARNINGS);
      run('musl-gcc', [...LINK, '-o', ENGINE, whole, ...parts, '-lm']);
      run('musl-gcc', ['-static', '-s', '-o', COMPILER, compiler, library, ...parts, '-lm']);
    },
  });
}

/**
 * Compiles a module that the engine can load.
 * @param {string} script @param {string} output
 * @param {boolean} strip  without lines and names of variables, which stack traces would show
 */
export function compileModule(script, output, strip) {
  run(join(root, COMPILER), [script, output, ...(strip ? ['strip'] : [])]);
}

/** The OCI runtime: its commands and nothing else, for its size. */
export const OCI_RUNTIME = {
  name: 'caisson-oci',
  carried: ['build/launcher', 'build/init'],
  bundle: (output) => ['build', 'src/caisson-oci.ts', ...BUNDLE, `--outfile=${output}`],
};

/** The commands that people wait for; what it has not it hands over to dist/caisson-bun. */
export const QUICK = {
  name: 'caisson',
  carried: ['build/launcher', 'build/init', 'build/monitor'],
  bundle: (output) => ['scripts/quick-bundle.mjs', 'src/caisson.ts', output],
};

/**
 * An executable, from the Bun that bundles and the C programs that were compiled.
 * @param {string} bun @param {typeof QUICK} program
 */
export function makeQuickjsExecutable(bun, { name, carried, bundle }) {
  makeEngine();
  const sources = filesBelow('src', /\.(ts|json)$/).filter((file) => !/\.test\.ts$/.test(file));
  const [script, executable] = [`build/quickjs/${name}.mjs`, `dist/${name}`];
  const args = bundle(script);
  stage({
    name: `dist-${name}`,
    inputs: [
      ...args,
      ...[ENGINE, ...carried, ...sources, 'scripts/oci-executable.mjs', 'scripts/quick-bundle.mjs'].map(
        (file) => ({ file }),
      ),
    ],
    outputs: [executable],
    action: () => {
      run(bun, args, { stdio: ['ignore', 'ignore', 'inherit'] });
      const [module, image] = [`${script}.module`, `${script}.image`];
      compileModule(script, module, true);
      run(join(root, ENGINE), ['--image', image, module, ...carried], { env: {} });
      mkdirSync(join(root, 'dist'), { recursive: true });
      const temporary = join(root, `${executable}.new`);
      writeFileSync(temporary, withImage(readFileSync(join(root, ENGINE)), readFileSync(join(root, image))));
      chmodSync(temporary, 0o755);
      renameSync(temporary, join(root, executable));
    },
  });
}

const PT_LOAD = 1;
const PAGE = 4096;

/**
 * The engine with the image as the content of its segment `.arena` (elf(5): e_phoff at 32, e_phentsize at 54, e_phnum
 * at 56; of a program header p_type at 0, p_offset at 8, p_vaddr at 16, p_filesz at 32).
 */
export function withImage(engine, image) {
  const start = Math.ceil(engine.length / PAGE) * PAGE;
  const output = Buffer.concat([engine, Buffer.alloc(start - engine.length), image]);
  const [first, size, count] = [
    Number(engine.readBigUInt64LE(32)),
    engine.readUInt16LE(54),
    engine.readUInt16LE(56),
  ];
  const headers = Array.from({ length: count }, (_, index) => first + index * size);
  const header = headers.find(
    (at) => engine.readUInt32LE(at) === PT_LOAD && engine.readBigUInt64LE(at + 16) === ARENA,
  );
  if (header === undefined) throw new Error(`${ENGINE} has no segment at 0x${ARENA.toString(16)}`);
  output.writeBigUInt64LE(BigInt(start), header + 8);
  output.writeBigUInt64LE(BigInt(image.length), header + 32);
  return output;
}

await asProgram(import.meta.url, () => {
  for (const program of [OCI_RUNTIME, QUICK]) makeQuickjsExecutable(bunPath(), program);
});
