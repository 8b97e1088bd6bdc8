// Keeps the direction of imports between the rooms of src/, and Node's modules out of the core.
//
//   node scripts/check-imports.mjs [DIRECTORY]    prints each wrong import and fails; DIRECTORY holds src/

import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filesBelow, root } from './stage.mjs';

const BELOW_ENGINE =
  'linux spec seccomp cgroups plan frontends runtime snapshot image distribution build host'.split(' ');

/** Which rooms each room may import. */
const MAY_IMPORT = {
  linux: [],
  spec: ['linux'],
  seccomp: ['linux', 'spec'],
  cgroups: ['linux', 'spec', 'plan'],
  plan: ['linux', 'spec', 'seccomp', 'cgroups'],
  frontends: ['linux', 'spec', 'seccomp', 'plan'],
  // Of host only the port, which is types.
  runtime: [
    'linux',
    'spec',
    'seccomp',
    'cgroups',
    'plan',
    'snapshot',
    'host/port.ts',
    'image/passwd-lookup.ts',
  ],
  snapshot: ['linux', 'spec', 'plan', 'host/port.ts'],
  // Of host the port, the disk and its hashes, of runtime the conversation with a launcher.
  image: [
    ...['linux', 'spec', 'plan', 'snapshot'],
    ...['host/port.ts', 'host/disk.ts', 'host/hash.ts', 'runtime/player.ts'],
  ],
  // Of host only the port.
  distribution: ['linux', 'spec', 'host/port.ts'],
  build: [
    ...['linux', 'spec', 'seccomp', 'cgroups', 'plan', 'frontends', 'runtime', 'snapshot', 'image'],
    ...['distribution', 'host/port.ts', 'host/disk.ts'],
  ],
  // The entry of the executable on QuickJS is a host's.
  host: ['linux', 'spec', 'plan', 'oci'],
  // runc's command line, for any engine.
  oci: ['linux', 'spec', 'seccomp', 'cgroups', 'plan', 'frontends', 'runtime', 'snapshot', 'host/port.ts'],
  engine: [...BELOW_ENGINE, 'oci'],
  cli: [...BELOW_ENGINE, 'engine', 'oci'],
  library: [...BELOW_ENGINE, 'engine'],
  // The entry of the executable on QuickJS.
  'caisson-oci.ts': ['host', 'oci'],
  // The entry of the command line on QuickJS.
  'caisson.ts': ['host', 'oci', 'cli'],
  // The library's public face.
  'index.ts': [...BELOW_ENGINE, 'engine', 'library'],
};

/** Rooms that run in any ES2023 engine: no module but our own. */
const CORE = ['linux', 'spec', 'seccomp', 'cgroups', 'plan', 'snapshot', 'frontends', 'runtime', 'oci'];

/** What a test in the core may import beside: test/quickjs stands in for the first two. */
const CORE_TEST_MODULES = ['node:test', 'node:assert/strict', 'fast-check'];

/** Places that may touch the host's files by path (rule 1 of the design: nothing inside a root ever is). */
const FILE_SYSTEM_OWNERS = /^src\/(host|cli\/completion)/;

/** The C programs, which the compiled executable carries. */
const EMBEDDED = /^build\/(?:launcher|init|monitor)(?:\.base64)?$/;

const IMPORT = /\b(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g;

const TYPES = /\b(?:import|export)\s+type\b[^'"`;]*?\bfrom\s*['"][^'"]+['"]/g;

/** Lines `file: what is wrong` for all sources below `base`/src. */
export function checkImports(base) {
  const files = filesBelow('src', /\.ts$/, base);
  const imports = new Map(files.map((file) => [file, importsOf(readFileSync(join(base, file), 'utf8'))]));
  const wrong = [...imports].flatMap(([file, found]) =>
    found.flatMap((specifier) => problemOf(file, specifier) ?? []).map((problem) => `${file}: ${problem}`),
  );
  const values = new Map(
    files.map((file) => [file, importsOf(readFileSync(join(base, file), 'utf8'), TYPES)]),
  );
  return [...wrong, ...cycles(values)];
}

function importsOf(text, without = /$^/g) {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '').replace(without, '');
  return [...code.matchAll(IMPORT)].map(([, named, bare]) => named ?? bare);
}

function problemOf(file, specifier) {
  const room = file.split('/')[1];
  const isTest = /\.test(?:ing)?\.ts$/.test(file);
  if (!specifier.startsWith('.')) return problemOfModule(file, room, isTest, specifier);
  const target = normalize(join(dirname(file), specifier));
  const [top, into] = target.split('/');
  if (top !== 'src') return isTest || EMBEDDED.test(target) ? null : `imports ${target}, outside src`;
  if (into === room) return null;
  if (!(room in MAY_IMPORT)) return `${room} is not a room of scripts/check-imports.mjs`;
  const allowed = MAY_IMPORT[room].some((each) => `${target}/`.startsWith(`src/${each}/`));
  return allowed
    ? null
    : `${room} may not import ${target} (only ${MAY_IMPORT[room].join(', ') || 'nothing'})`;
}

function problemOfModule(file, room, isTest, specifier) {
  if (CORE.includes(room)) {
    if (isTest && CORE_TEST_MODULES.includes(specifier)) return null;
    return `${room} is core and may not import ${specifier}`;
  }
  const touchesFiles = /^(node:)?fs(\/promises)?$/.test(specifier);
  if (!touchesFiles || isTest || FILE_SYSTEM_OWNERS.test(file)) return null;
  return `only src/host may import ${specifier}`;
}

// Types may refer to each other in a circle; what is evaluated may not.
function cycles(imports) {
  const state = new Map();
  const found = [];
  const visit = (file, path) => {
    if (state.get(file) === 'open')
      found.push(`cycle: ${[...path.slice(path.indexOf(file)), file].join(' -> ')}`);
    if (state.has(file)) return;
    state.set(file, 'open');
    for (const specifier of imports.get(file) ?? []) {
      const target = specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : '';
      if (imports.has(target)) visit(target, [...path, file]);
    }
    state.set(file, 'done');
  };
  for (const file of imports.keys()) visit(file, []);
  return found;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const wrong = checkImports(process.argv[2] ?? root);
  for (const line of wrong) console.log(line);
  process.exitCode = wrong.length > 0 ? 1 : 0;
}
