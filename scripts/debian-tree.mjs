// A tar archive of a Debian with packages, by debootstrap from this machine's mirror, for images of real size in tests.
//
//   node scripts/debian-tree.mjs [PACKAGE...]    make it if it is not there, print its path
//
// It is kept in the cache by a hash of its recipe, and made as root only. Nothing of it is installed or runs on the host:
// debootstrap's chroot is in a mount namespace of its own.

import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianMirror, installPackages } from './debian.mjs';
import { asProgram, cacheDirectory, hashOf, run, timed, withLock } from './stage.mjs';

const SUITE = 'bookworm';
const RECIPE = 1;

/** What apt could fetch again, and what every container has anew. */
const LEFT_OUT = ['./dev/*', './proc/*', './sys/*', './tmp/*', './var/cache/apt/*', './var/lib/apt/lists/*'];

/** Where the archive is, or will be. */
export function debianTar(packages) {
  const hash = hashOf([SUITE, ...[...packages].sort(), ...LEFT_OUT, String(RECIPE)]).slice(0, 12);
  return join(cacheDirectory(), `debian-${hash}.tar.gz`);
}

/** Makes the archive unless it is there; returns its path. */
export function makeDebian(packages = []) {
  const target = debianTar(packages);
  if (existsSync(target)) return target;
  if (process.getuid() !== 0) throw new Error('debootstrap needs root');
  installPackages('test');
  return withLock(`${target}.lock`, () => {
    if (!existsSync(target)) timed(`Debian ${SUITE} ${packages.join(' ')}`, () => build(target, packages));
    return target;
  });
}

function build(target, packages) {
  const tree = `${target}.new`;
  const quiet = { stdio: ['ignore', 'ignore', 'inherit'] };
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree, { recursive: true, mode: 0o755 });
  try {
    const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
    const include = packages.length === 0 ? [] : [`--include=${packages.join(',')}`];
    const debootstrap = ['debootstrap', '--variant=minbase', `--keyring=${keyring}`, ...include];
    const privately = ['--mount', '--propagation', 'private', '--'];
    run('unshare', [...privately, ...debootstrap, SUITE, tree, debianMirror()], quiet);
    // As in the images of others: no service starts by itself, and nobody waits for the disk.
    writeFileSync(join(tree, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    writeFileSync(join(tree, 'etc/dpkg/dpkg.cfg.d/container'), 'force-unsafe-io\n');
    const excluded = LEFT_OUT.map((pattern) => `--exclude=${pattern}`);
    const names = ['--numeric-owner', '--sort=name', '--xattrs', '--xattrs-include=*'];
    const packed = `${tree}.tar.gz`;
    run('tar', ['-c', '-f', packed, '-I', 'gzip -1', ...names, ...excluded, '-C', tree, '.'], quiet);
    renameSync(packed, target);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

await asProgram(import.meta.url, async (packages) => {
  process.stdout.write(`${makeDebian(packages)}\n`);
});
