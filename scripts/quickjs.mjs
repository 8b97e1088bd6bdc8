// The sources of QuickJS from Debian's signed source package, in the cache.
//
//   node scripts/quickjs.mjs    get them if they are not there, print their directory
//
// apt verifies the release file's signature and every checksum below it; its state is kept apart from the machine's.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianMirror } from './debian.mjs';
import { asProgram, cacheDirectory, hashOf, run, timed, withLock } from './stage.mjs';

const SUITE = 'trixie';
const VERSION = '2025.04.26';
const RECIPE = 1;
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Where QuickJS is, or will be. */
export function quickjsDirectory() {
  const hash = hashOf([SUITE, VERSION, String(RECIPE), process.arch]).slice(0, 12);
  return join(cacheDirectory(), `quickjs-${hash}`);
}

/** Gets QuickJS unless it is there; returns its directory. */
export function makeQuickjs() {
  const target = quickjsDirectory();
  if (existsSync(join(target, 'quickjs.c'))) return target;
  return withLock(`${target}.lock`, () => {
    if (!existsSync(join(target, 'quickjs.c'))) timed(`QuickJS ${VERSION}`, () => get(target));
    return target;
  });
}

function get(target) {
  const work = `${target}.new`;
  rmSync(work, { recursive: true, force: true });
  download(work);
  const sources = readdirSync(work);
  const dsc = sources.find((name) => name.startsWith(`quickjs_${VERSION}`) && name.endsWith('.dsc'));
  if (dsc === undefined) throw new Error(`no QuickJS ${VERSION} in Debian ${SUITE}: ${sources.join(' ')}`);
  // The checksums of its parts are in the .dsc, whose own is in the index that apt verified.
  run('dpkg-source', ['--no-check', '-x', dsc, 'source'], { cwd: work, stdio: 'ignore' });
  rmSync(target, { recursive: true, force: true });
  renameSync(join(work, 'source'), target);
  rmSync(work, { recursive: true, force: true });
}

function download(work) {
  for (const name of ['state/lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(work, 'apt', name), { recursive: true });
  }
  writeFileSync(
    join(work, 'apt/sources.list'),
    `deb-src [signed-by=${KEYRING}] ${debianMirror()} ${SUITE} main\n`,
  );
  writeFileSync(join(work, 'apt/status'), '');
  const configuration = join(work, 'apt/apt.conf');
  writeFileSync(
    configuration,
    Object.entries({
      'Dir::State': join(work, 'apt/state'),
      'Dir::State::status': join(work, 'apt/status'),
      'Dir::Cache': join(work, 'apt/cache'),
      'Dir::Etc::sourcelist': join(work, 'apt/sources.list'),
      'Dir::Etc::sourceparts': '/dev/null',
      'Acquire::Retries': '3',
      'Acquire::Languages': 'none',
      'APT::Sandbox::User': 'root',
      'APT::Get::AllowUnauthenticated': 'false',
      'Acquire::AllowInsecureRepositories': 'false',
    })
      .map(([name, value]) => `${name} "${value}";\n`)
      .join(''),
  );
  const env = { ...process.env, APT_CONFIG: configuration };
  const options = { cwd: work, env, stdio: ['ignore', 'ignore', 'inherit'] };
  run('apt-get', ['-q', 'update'], options);
  run('apt-get', ['-q', '--download-only', 'source', 'quickjs'], options);
}

await asProgram(import.meta.url, () => console.log(makeQuickjs()));
