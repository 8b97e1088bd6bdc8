// Debian packages that caisson needs, and the machine's own Debian mirror.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { findProgram, outputOf, run, timed } from './stage.mjs';

/** What `npm start` needs: C compilers, the helpers that write rootless id maps, and what unpacks QuickJS. */
const RUN_PACKAGES = [
  ...['gcc', 'libc6-dev', 'uidmap'],
  ...['musl-tools', 'dpkg-dev', 'debian-archive-keyring', 'gpgv', 'xz-utils'],
];

/** What the tests need beside that: observers, peers, other kernels, and what builds other programs. */
const TEST_PACKAGES = [
  ...[
    'strace',
    'busybox-static',
    'libcap2-bin',
    'util-linux',
    'git',
    'ca-certificates',
    'procps',
    'bzip2',
    'zstd',
  ],
  ...['bubblewrap', 'runc', 'crun'],
  ...['user-mode-linux', 'kmod'],
  ...['gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross', 'linux-libc-dev-armhf-cross'],
  ...['debootstrap', 'make', 'patch', 'iproute2'],
  ...['docker-registry', 'openssl'],
];

/** Who runs the rootless tests. */
const TEST_USER = 'caisson-test';
const HOME_OF_TEST_USER = '/var/lib/caisson-test';

/** Program by which a package is recognised where there is no dpkg; null: its absence shows elsewhere. */
const PROGRAM_OF = {
  gcc: 'gcc',
  uidmap: 'newuidmap',
  'musl-tools': 'musl-gcc',
  strace: 'strace',
  bubblewrap: 'bwrap',
  runc: 'runc',
  crun: 'crun',
};

/** Names of the packages of group `run` or `test`. */
export function packagesOf(group) {
  return group === 'run' ? RUN_PACKAGES : [...RUN_PACKAGES, ...TEST_PACKAGES];
}

/** Installs the missing packages of a group, or says what a person has to install. */
export function installPackages(group) {
  const missing = missingPackages(packagesOf(group));
  if (missing.length === 0) return;
  if (findProgram('apt-get') === null || process.getuid?.() !== 0) {
    process.stderr.write(`setup: not installed: ${missing.join(' ')}\n`);
    process.stderr.write(
      `setup: as root on Debian or Ubuntu: apt-get install ${missing.join(' ')}; going on without\n`,
    );
    return;
  }
  timed(`Debian packages: ${missing.join(' ')}`, () => aptInstall(missing));
}

function missingPackages(packages) {
  if (findProgram('dpkg-query') === null) {
    return packages.filter(
      (name) => PROGRAM_OF[name] !== undefined && findProgram(PROGRAM_OF[name]) === null,
    );
  }
  // dpkg-query fails when one name is unknown, and still prints the others.
  const format = '-f=${Package} ${db:Status-Status}\\n';
  const listed =
    outputOf('sh', ['-c', 'dpkg-query -W "$@" 2>/dev/null; true', 'sh', format, ...packages]) ?? '';
  const installed = new Set(listed.split('\n').map((line) => line.replace(/ installed$/, '')));
  return packages.filter((name) => !installed.has(name));
}

function aptInstall(packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = ['-q', '-y', '-o', 'Acquire::Retries=3', '-o', 'DPkg::Lock::Timeout=300'];
  const apt = (...args) => {
    const command = ['apt-get', ...options, '--no-install-recommends', ...args];
    return spawnSync(command[0], command.slice(1), { env, encoding: 'utf8', maxBuffer: 1 << 28 });
  };
  // The lists may be stale or empty; reading them takes longer than trying without.
  let result = apt('install', ...packages);
  if (result.status === 0) return;
  if (apt('update').status !== 0) process.stderr.write('setup: apt-get update failed\n');
  result = apt('install', ...packages);
  if (result.status === 0) return;
  // One that this release does not have must not keep the others away.
  for (const name of packages) {
    const one = apt('install', name);
    if (one.status !== 0)
      process.stderr.write(`setup: ${name} could not be installed: ${lastLine(one.stderr)}\n`);
  }
}

function lastLine(text) {
  return text.trim().split('\n').at(-1) ?? '';
}

/**
 * Makes the ordinary user of the rootless tests, with a range of subordinate ids, as root; null when it cannot.
 * @returns {string | null} the user's name
 */
export function makeTestUser() {
  if (process.getuid() !== 0 || findProgram('useradd') === null) return null;
  const exists = outputOf('id', ['-u', TEST_USER]) !== null;
  if (!exists) {
    run('useradd', ['--system', '--user-group', '--create-home', '--home-dir', HOME_OF_TEST_USER, TEST_USER]);
  }
  for (const [file, option] of [
    ['/etc/subuid', '--add-subuids'],
    ['/etc/subgid', '--add-subgids'],
  ]) {
    const ranges = existsSync(file) ? readFileSync(file, 'utf8') : '';
    if (!ranges.includes(`${TEST_USER}:`)) run('usermod', [option, '700000-765535', TEST_USER]);
  }
  return TEST_USER;
}

/** Address of the Debian mirror that this machine's apt is set up with. */
export function debianMirror() {
  const targets =
    outputOf('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages']) ?? '';
  const mirror = targets.split('\n').find((uri) => /\/debian\/?$/.test(uri));
  if (mirror === undefined) throw new Error('apt is not set up with a Debian mirror: see sources.list(5)');
  return mirror;
}
