// Bundles tests of the core into one module for QuickJS; runs under Bun, whose bundler it uses.
//
//   bun scripts/quickjs-bundle.mjs OUTPUT FILE...

import { join } from 'node:path';

const root = join(import.meta.dir, '..');
const [output, ...files] = process.argv.slice(2);
const standIns = {
  'node:test': 'node-test.ts',
  'node:assert/strict': 'node-assert.ts',
  'node:assert': 'node-assert.ts',
  'node:fs': 'node-fs.ts',
  'node:path': 'node-path.ts',
  'node:url': 'node-path.ts',
};

// One file after the other, so that one that cannot be loaded takes no other with it.
const entry = `
import { runFile } from 'node:test';
import { utf8ToBytes } from ${JSON.stringify(join(root, 'src/linux/bytes.ts'))};
import { runAsProgram } from ${JSON.stringify(join(root, 'src/host/quickjs.ts'))};
import { after } from ${JSON.stringify(join(root, 'src/host/quickjs-loop.ts'))};
// What fast-check looks for.
globalThis.setTimeout = (handler, milliseconds) => after(milliseconds ?? 0, handler);
globalThis.clearTimeout = (cancel) => cancel?.();
const results = [];
runAsProgram(async (port) => {
${files.map((file) => `results.push(...await runFile(${JSON.stringify(file)}, () => import(${JSON.stringify(join(root, file))})));`).join('\n')}
for (const result of [...results, { kind: 'end' }]) port.write(1, utf8ToBytes(JSON.stringify(result) + '\\n'));
return 0;
});
`;

/** @type {import('bun').BunPlugin} */
const plugin = {
  name: 'stand-ins for Node',
  setup(build) {
    build.onResolve({ filter: /^tests-of-the-core$/ }, () => ({ path: 'entry', namespace: 'entry' }));
    build.onLoad({ filter: /.*/, namespace: 'entry' }, () => ({ contents: entry, loader: 'ts' }));
    build.onResolve({ filter: /^(node:|bun)/ }, ({ path, importer }) => {
      const file = standIns[path];
      if (file !== undefined) return { path: join(root, 'test/quickjs', file) };
      return { path: `${importer} imports ${path}, which QuickJS has not`, namespace: 'absent' };
    });
    build.onLoad({ filter: /.*/, namespace: 'absent' }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(path)}); module.exports = {};`,
      loader: 'js',
    }));
  },
};

const built = await Bun.build({
  entrypoints: ['tests-of-the-core'],
  target: 'browser',
  format: 'esm',
  // There is no `process`, and the engine loads the bundle without a URL.
  define: {
    'process.env.UPDATE_GOLDEN': 'undefined',
    'import.meta.url': JSON.stringify(`file://${join(root, 'build/quickjs/tests.mjs')}`),
  },
  plugins: [plugin],
  throw: false,
});
if (!built.success) {
  for (const log of built.logs) console.error(String(log));
  process.exit(1);
}
await Bun.write(output, built.outputs[0]);
