// Bundles a program for QuickJS, whose modules are all evaluated when its executable is built; runs under Bun.
//
//   bun scripts/quick-bundle.mjs ENTRY OUTPUT
//
// The modules of a host are exchanged for those of QuickJS. What needs Node in any way is left out: an `import()` of it
// hands the command line over to the whole program (src/host/quickjs-hand-over.ts). A static import of it is an error.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const root = join(import.meta.dir, '..');
const [entry, output] = process.argv.slice(2);

/** Modules of a host, and those that do the same on QuickJS. */
const HOSTS = new Map(
  [
    ['node-disk', 'quickjs-disk'],
    ['hash', 'quickjs-hash'],
    ['tty', 'quickjs-tty'],
  ].map((pair) => pair.map((name) => join(root, `src/host/${name}.ts`))),
);

/** Packages that run in any engine. */
const PORTABLE = ['smol-toml'];

/** What only Node and Bun have beside their modules; `process` is also what a configuration calls its process. */
const GLOBALS =
  /(?<![.\w])(?:Buffer|setTimeout|setImmediate|TextDecoder|TextEncoder|performance|fetch|Bun)\b(?=[.(])|(?<![.\w])process\.(?:versions|argv|execPath|std(?:in|out|err)|platform|kill|exit)\b/;

const transpiler = new Bun.Transpiler({ loader: 'ts' });
const scanned = new Map();

/** What a module imports: files and other specifiers, at once or later. */
function importsOf(file) {
  let found = scanned.get(file);
  if (found === undefined) {
    const source = readFileSync(file, 'utf8');
    found = transpiler.scanImports(source).map(({ path, kind }) => ({
      later: kind === 'dynamic-import',
      target: path.startsWith('.') ? exchanged(join(dirname(file), path)) : path,
    }));
    const used = GLOBALS.exec(transpiler.transformSync(source))?.[0];
    if (used !== undefined) found.push({ later: false, target: `the global ${used}` });
    scanned.set(file, found);
  }
  return found;
}

function exchanged(file) {
  return HOSTS.get(file) ?? file;
}

const isModule = (target) => target.startsWith('/');

const isForeign = (target) => !isModule(target) && !PORTABLE.includes(target);

/** Why a module cannot be evaluated without Node: the way to what it has not; undefined where it can. */
function needsNode(file, seen = new Set()) {
  if (seen.has(file)) return undefined;
  seen.add(file);
  for (const { later, target } of importsOf(file)) {
    // A package that is loaded late is handed over then; of Node's own modules it would be in the midst of work.
    if (isForeign(target) && !(later && !target.startsWith('node:')))
      return `${relative(root, file)} -> ${target}`;
    if (later || !isModule(target)) continue;
    const way = needsNode(target, seen);
    if (way !== undefined) return `${relative(root, file)} -> ${way}`;
  }
  return undefined;
}

/** All that is loaded later and can be: part of the image, so that loading it costs nothing. */
function loadedLater(start) {
  const [known, targets] = [new Set([start]), new Set()];
  for (const file of known) {
    for (const { later, target } of importsOf(file)) {
      if (!isModule(target)) continue;
      if (later && needsNode(target) !== undefined) continue;
      if (later) targets.add(target);
      known.add(target);
    }
  }
  return [...targets];
}

const start = join(root, entry);
if (!existsSync(start)) throw new Error(`there is no ${entry}`);
const way = needsNode(start);
if (way !== undefined) throw new Error(`${entry} cannot run on QuickJS: ${way}`);
const handOver = JSON.stringify(join(root, 'src/host/quickjs-hand-over.ts'));
const image = [...loadedLater(start), start].map((file) => `import ${JSON.stringify(file)};`).join('\n');

/** @type {import('bun').BunPlugin} */
const plugin = {
  name: 'the host is QuickJS',
  setup(build) {
    build.onResolve({ filter: /^image$/ }, () => ({ path: 'image', namespace: 'image' }));
    build.onLoad({ filter: /.*/, namespace: 'image' }, () => ({ contents: image, loader: 'ts' }));
    build.onResolve({ filter: /^\./ }, ({ path, importer, kind }) => {
      if (!importer.startsWith(`${root}/src/`)) return undefined;
      const target = exchanged(join(dirname(importer), path));
      if (kind === 'dynamic-import' && needsNode(target) !== undefined)
        return { path: relative(root, target), namespace: 'whole' };
      return { path: target };
    });
    build.onResolve({ filter: /^[^./]/ }, ({ path, kind, importer }) => {
      const late = kind === 'dynamic-import' && importer.startsWith(`${root}/src/`);
      return late && isForeign(path) ? { path, namespace: 'whole' } : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: 'whole' }, ({ path }) => ({
      contents: `import { handOver } from ${handOver};\nhandOver(${JSON.stringify(path)});`,
      loader: 'js',
    }));
  },
};

const built = await Bun.build({
  entrypoints: ['image'],
  target: 'browser',
  format: 'esm',
  minify: { syntax: true, whitespace: true },
  plugins: [plugin],
  throw: false,
});
if (!built.success) {
  for (const log of built.logs) console.error(String(log));
  process.exit(1);
}
await Bun.write(output, built.outputs[0]);
