// Debian packages that caisson needs, and the machine's own Debian mirror.

import { existsSync } from 'node:fs';
import { findProgram, outputOf, run, timed } from './stage.mjs';

/** What `npm start` needs: a C compiler for the launcher and the helpers that write rootless id maps. */
const RUN_PACKAGES = ['gcc', 'libc6-dev', 'musl-tools', 'uidmap'];

/** What the tests need beside that: observers, peers, other kernels, and what builds other programs. */
const TEST_PACKAGES = [
  ...[
    'strace',
    'busybox-static',
    'libcap2-bin',
    'util-linux',
    'git',
    'ca-certificates',
    'xz-utils',
    'procps',
  ],
  ...['bubblewrap', 'runc', 'crun'],
  ...['user-mode-linux', 'kmod'],
  ...['debootstrap', 'debian-archive-keyring', 'make', 'patch', 'dpkg-dev', 'gpgv', 'iproute2'],
];

/** Program by which a package is recognised where there is no dpkg; null: its absence shows elsewhere. */
const PROGRAM_OF = {
  gcc: 'gcc',
  uidmap: 'newuidmap',
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
  const stdio = ['ignore', 'ignore', 'inherit'];
  const install = () =>
    run('apt-get', [...options, '--no-install-recommends', 'install', ...packages], { env, stdio });
  try {
    if (existsSync('/var/lib/apt/lists')) return install();
  } catch {
    process.stderr.write('setup: apt-get install failed; reading the package lists again\n');
  }
  run('apt-get', [...options, 'update'], { env, stdio });
  return install();
}

/** Address of the Debian mirror that this machine's apt is set up with. */
export function debianMirror() {
  const targets =
    outputOf('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages']) ?? '';
  const mirror = targets.split('\n').find((uri) => /\/debian\/?$/.test(uri));
  if (mirror === undefined) throw new Error('apt is not set up with a Debian mirror: see sources.list(5)');
  return mirror;
}
