// The peers' root: a Debian sid tree with runc, crun, podman, docker and the like, never installed on the host.
//
//   node scripts/peers.mjs                 make it if it is not there, print its path
//   node scripts/peers.mjs exec -- cmd...  run a command in it, in a private mount namespace
//   node scripts/peers.mjs versions        name and version of each peer
//
// The tree is read and written as root. Its mounts exist only in the namespace of the command that runs.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianMirror, installPackages } from './debian.mjs';
import { asProgram, cacheDirectory, hashOf, root, run, timed, withLock } from './stage.mjs';

const SUITE = 'sid';
const PEERS = 'runc crun podman buildah skopeo umoci docker.io docker-cli containerd criu bubblewrap'.split(
  ' ',
);
// What they need and Debian only recommends, and compilers of policies for the kernel's security modules.
const COMPANIONS = [
  'netavark aardvark-dns passt fuse-overlayfs uidmap catatonit conmon ca-certificates apparmor checkpolicy',
  'iproute2 nftables iptables strace busybox-static mount procps kmod docker-buildx containernetworking-plugins',
].flatMap((line) => line.split(' '));
const RECIPE = 2;

/** Where the peers' root is, or will be. */
export function peersRoot() {
  const hash = hashOf([SUITE, ...PEERS, ...COMPANIONS, String(RECIPE)]).slice(0, 12);
  return join(cacheDirectory(), `peers-${hash}`);
}

/** Makes the peers' root unless it is there; returns its path. */
export function makePeers() {
  const target = peersRoot();
  if (existsSync(target)) return target;
  if (process.getuid() !== 0) throw new Error('the peers run only as root');
  installPackages('test');
  return withLock(`${target}.lock`, () => {
    if (!existsSync(target)) timed(`peers' root ${target}`, () => build(target));
    return target;
  });
}

function build(target) {
  const fresh = `${target}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true, mode: 0o755 });
  const log = { stdio: ['ignore', 'ignore', 'inherit'] };
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  const options = ['--variant=minbase', `--keyring=${keyring}`, '--include=ca-certificates'];
  timed('debootstrap', () =>
    privately(['debootstrap', ...options, SUITE, fresh, debianMirror()], {
      stdio: ['ignore', 'ignore', 'inherit'],
    }),
  );
  // No service starts in the tree, whatever a package's script asks for.
  writeFileSync(join(fresh, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  writeFileSync(join(fresh, 'etc/apt/apt.conf.d/90caisson'), APT_CONFIGURATION);
  const install = `apt-get -q -y --no-install-recommends install ${[...PEERS, ...COMPANIONS].join(' ')} && apt-get clean`;
  timed('packages', () => execIn(fresh, ['sh', '-c', install], { ...log, build: true }));
  renameSync(fresh, target);
}

const APT_CONFIGURATION = `Acquire::Retries "3";
Acquire::Languages "none";
DPkg::Options { "--force-unsafe-io"; };
`;

function privately(command, options) {
  return run('unshare', ['--mount', '--propagation', 'private', '--', ...command], options);
}

// After pivot_root(8) the shell's own root is the new one, and the old one lies on top of it until it is
// detached. A chroot would not do: runc and crun call pivot_root themselves, which needs `/` to be a mount.
// crun refuses the hybrid layout (machine facts), so the v2 tree is taken out of this private view.
const ENTER = `set -e
new=$1 unified=$2 directory=$3; shift 3
binds=$1; shift
mount --bind "$new" "$new"
for each in proc sys dev; do mount --rbind "/$each" "$new/$each"; done
mount -t tmpfs -o mode=755 run "$new/run"
for each in $binds; do mkdir -p "$new$each"; mount --bind "$each" "$new$each"; done
mkdir -p "$new/etc"; if [ -e /etc/resolv.conf ]; then cat /etc/resolv.conf > "$new/etc/resolv.conf"; fi
if [ "$unified" = no ]; then umount -l "$new/sys/fs/cgroup/unified" 2>/dev/null || true; fi
cd "$new"
pivot_root . .
umount -l .
cd "$directory"
exec "$@"
`;

function execIn(tree, command, options = {}) {
  const { build: building = false, unified = false, binds = [], ...rest } = options;
  const shared = building ? [] : ['/tmp', root, cacheDirectory(), ...binds];
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    LANG: 'C.UTF-8',
    DEBIAN_FRONTEND: 'noninteractive',
    CAISSON_PEERS: tree,
    ...rest.env,
  };
  const where = building ? '/' : (rest.cwd ?? process.cwd());
  const inside = shared.some((path) => `${where}/`.startsWith(`${path}/`)) ? where : '/';
  const enter = ['sh', '-c', ENTER, 'sh', tree, unified ? 'yes' : 'no', inside, shared.join(' '), ...command];
  const run = spawnSync('unshare', ['--mount', '--propagation', 'private', '--', ...enter], {
    stdio: 'inherit',
    maxBuffer: 1 << 28,
    ...rest,
    env,
  });
  if (building && run.status !== 0) throw new Error(`${command.join(' ')} failed in ${tree}`);
  return run;
}

/**
 * Runs `command` in the peers' root and waits. /tmp, the repository and caisson's cache are the host's own.
 * @param {string[]} command
 * @param {{unified?: boolean, binds?: string[]} & import('node:child_process').SpawnSyncOptions} [options]
 *   `unified`: leave /sys/fs/cgroup/unified in place, which crun refuses; `binds`: further host directories.
 * @returns what spawnSync returns
 */
export function execInPeers(command, options = {}) {
  return execIn(makePeers(), command, options);
}

/** Name and version of each peer, as Debian counts them. */
export function peerVersions() {
  const format = '-f=${Package} ${Version}\\n';
  const result = execInPeers(['dpkg-query', '-W', format, ...PEERS], {
    stdio: 'pipe',
    encoding: 'utf8',
  });
  return Object.fromEntries(
    result.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ')),
  );
}

function main(args) {
  if (args[0] === 'exec') {
    const command = args.slice(args[1] === '--' ? 2 : 1);
    const result = execInPeers(command);
    process.exitCode = result.status ?? 1;
  } else if (args[0] === 'versions') {
    for (const [name, version] of Object.entries(peerVersions())) console.log(name, version);
  } else {
    console.log(makePeers());
  }
}

await asProgram(import.meta.url, main);
