// The parts of the test suite: what each runs, under what, and how many seconds it may take.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { node24Path } from './setup.mjs';
import { bunPath, filesBelow, findProgram, root } from './stage.mjs';

/** Folders of src/ that run in any ES2023 engine. */
export const CORE = [
  'linux',
  'spec',
  'seccomp',
  'cgroups',
  'plan',
  'snapshot',
  'runtime',
  'frontends',
  'oci',
];

const PROPERTY = /\.property\.test\.js$/;

/** Folders of test/ that hold tests for parts of their own below, or no tests of their own. */
const SPECIAL = ['node24', 'quickjs', 'properties', 'library', 'registry'];

/** Seconds for folders of test/ that are not expected to be done in a minute. */
const BUDGETS = {
  'engine-view': 90,
  package: 90,
  peers: 90,
  launcher: 120,
  golden: 30,
  images: 90,
  engine: 120,
  'engine-files': 120,
  layers: 120,
  'image-peers': 90,
  kernel: 300,
  oci: 180,
  attack: 300,
  fault: 240,
  differential: 120,
  dropin: 240,
  mutation: 240,
  conformance: 150,
  uml: 270,
  store: 90,
  build: 90,
  debian: 90,
  applications: 120,
  volumes: 120,
};

/** Folders whose tests neither change the machine nor measure it, so that two files may run at once. */
const PURE = ['golden', 'scripts', 'cli', 'dropin', 'images', 'build', 'volumes'];

/** Folders whose tests run a second time as an ordinary user, and what that part is called. */
const AS_USER = { kernel: 'rootless', engine: 'engine-rootless' };

/** Folders whose tests build images from Debian packages. */
const WITH_DEBIAN = ['debian', 'applications'];

/** Folders whose tests run other engines; as an ordinary user they skip themselves. */
const WITH_PEERS = ['image-peers', 'layers', 'peers', 'differential', 'dropin', 'uml'];

/**
 * A part of the suite. `files` are compiled tests (or sources, for Bun), relative to the repository.
 * @typedef {{name: string, budget: number, engine: 'check' | 'node' | 'bun' | 'quickjs', program?: string,
 *   files: string[], concurrency?: number, env?: Record<string, string>, missing?: string,
 *   needs?: ('quickjs' | 'peers' | 'debian' | 'applications')[]}} Part
 */

/** All parts in the order in which they run. @returns {Part[]} */
export function allParts() {
  const unit = filesBelow('build/src', /\.test\.js$/).filter((file) => !PROPERTY.test(file));
  const library = filesBelow('build/test/library', /\.test\.js$/);
  const core = unit.filter((file) => CORE.includes(file.split('/')[2]));
  const golden = filesBelow('build/test/golden', /\.test\.js$/);
  const properties = [
    ...filesBelow('build/src', PROPERTY),
    ...filesBelow('build/test/properties', /\.test\.js$/),
  ];
  const node24 = node24Path();
  return [
    { name: 'check', budget: 60, engine: 'check', files: [] },
    { name: 'unit', budget: 60, engine: 'node', files: unit, concurrency: 2 },
    { name: 'properties', budget: 120, engine: 'node', files: properties, concurrency: 2, env: seeded() },
    {
      name: 'quickjs',
      budget: 90,
      engine: 'quickjs',
      files: [...core, ...golden].map(sourceOf),
      needs: ['quickjs'],
    },
    {
      name: 'node24',
      budget: 60,
      engine: 'node',
      program: node24 ?? '',
      files: unit,
      concurrency: 2,
      ...without(node24),
    },
    { name: 'bun', budget: 60, engine: 'bun', program: bunPath(), files: unit.map(sourceOf) },
    { name: 'library', budget: 90, engine: 'node', files: library },
    {
      name: 'library-node24',
      budget: 60,
      engine: 'node',
      program: node24 ?? '',
      files: library,
      ...without(node24),
    },
    { name: 'library-bun', budget: 60, engine: 'bun', program: bunPath(), files: library.map(sourceOf) },
    ...registryParts(node24),
    ...folderParts(),
  ];
}

/** The registry client uses sockets, HTTP and TLS of the runtime: each of them is tested. */
function registryParts(node24) {
  const files = filesBelow('build/test/registry', /\.test\.js$/);
  const part = { budget: 90, files, concurrency: 2 };
  return [
    { ...part, name: 'registry', engine: 'node' },
    { ...part, name: 'registry-node24', engine: 'node', program: node24 ?? '', ...without(node24) },
    { ...part, name: 'registry-bun', engine: 'bun', program: bunPath(), files: files.map(sourceOf) },
  ];
}

/** Daily rounds draw the same cases each time; the long one draws new ones. */
function seeded() {
  if (process.env.CAISSON_LONG === '1') return {};
  return { NODE_OPTIONS: `--import=${pathToFileURL(join(root, 'scripts/fixed-seed.mjs'))}` };
}

function without(node24) {
  return node24 === null ? { missing: `no Node 24 package for ${process.arch}` } : {};
}

function sourceOf(file) {
  return file.replace(/^build\//, '').replace(/\.js$/, '.ts');
}

/** Trees of Debian are made by root alone. */
function canBootstrap() {
  return process.getuid() === 0 && findProgram('debootstrap') !== null;
}

// Every folder of test/ is a part; some run a second time as an ordinary user.
function folderParts() {
  const base = join(root, 'build/test');
  const found = existsSync(base) ? readdirSync(base) : [];
  const expected = Object.keys(BUDGETS);
  const peers = canBootstrap() ? WITH_PEERS : [];
  const others = found.filter((name) => !expected.includes(name) && !SPECIAL.includes(name)).sort();
  return [...others, ...expected].flatMap((name) => {
    const files = filesBelow(`build/test/${name}`, /\.test\.js$/);
    const part = {
      name,
      budget: BUDGETS[name] ?? 60,
      engine: 'node',
      files,
      concurrency: PURE.includes(name) ? 2 : 1,
      needs: [
        ...(peers.includes(name) ? ['peers'] : []),
        ...(name === 'quickjs-run' ? ['quickjs'] : []),
        ...(WITH_DEBIAN.includes(name) && canBootstrap() ? [name] : []),
      ],
    };
    const asUser = AS_USER[name];
    if (asUser === undefined) return [part];
    return [part, { ...part, name: asUser, env: { CAISSON_TEST_USER: 'caisson-test' } }];
  });
}
