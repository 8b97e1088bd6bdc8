// Boots user-mode-linux on this machine's own files and runs a shell script in it: a kernel with cgroup v2 and LSMs.
//
//   node scripts/uml.mjs [--security apparmor|selinux] [--memory 1024M] [--timeout SECONDS] -- 'shell script'
//   node scripts/uml.mjs --json < options.json       for test/uml/harness.ts
//
// The virtual machine is root on the host's files by hostfs: what its script writes outside /tmp and /run stays.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asProgram, findProgram, root } from './stage.mjs';

/** What the kernel is told so that a security module is the active one. */
const SECURITY = {
  none: [],
  apparmor: ['security=apparmor', 'apparmor=1'],
  selinux: ['security=selinux', 'selinux=1', 'enforcing=0'],
};

/** Why no virtual machine can be booted here, or null. */
export function umlMissing() {
  if (findProgram('linux.uml') === null) return 'the package user-mode-linux is not installed';
  return process.getuid() === 0 ? null : 'user-mode-linux must be root to be root on the files of the host';
}

// PID 1 of the virtual machine. The script's own end is told through files, as the console is the kernel's.
// /tmp is a tmpfs there; $CAISSON_UML stays a folder of the host, for what the script has to hand out.
const INIT = `#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
cd "$CAISSON_UML"
exec >setup.log 2>&1 </dev/null
set -x
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t securityfs securityfs /sys/kernel/security
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/checkout && mount --bind "$CAISSON_ROOT" /run/checkout
mount -t tmpfs -o mode=1777 tmpfs /tmp
# A checkout below /tmp stays where it is.
[ -d "$CAISSON_ROOT" ] || { mkdir -p "$CAISSON_ROOT" && mount --bind /run/checkout "$CAISSON_ROOT"; }
umount /run/checkout && cd "$CAISSON_UML"
mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o mode=600,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ln -sfn /proc/self/fd /dev/fd
[ -e /dev/ptmx ] || ln -s pts/ptmx /dev/ptmx
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for controller in cpu memory pids io cpuset hugetlb; do
  grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers &&
    echo "+$controller" > /sys/fs/cgroup/cgroup.subtree_control
done
if [ -d /sys/fs/selinux ]; then mount -t selinuxfs selinuxfs /sys/fs/selinux; fi
ip link set lo up
hostname caisson-uml
mkdir -p /run/kernel/lib && ln -s /usr/lib/uml/modules /run/kernel/lib/modules
for module in $(cat modules); do modprobe -d /run/kernel "$module"; done
set +x
. ./environment
sh ./script >output 2>&1
echo $? >status
sync
echo o >/proc/sysrq-trigger
sleep 10
`;

/**
 * Boots, runs `script` by sh(1) and shuts down.
 * @param {{script: string, security?: 'none' | 'apparmor' | 'selinux', memory?: string, timeout?: number,
 *   modules?: string[], env?: Record<string, string>}} options  `timeout` in seconds, 60 unless told
 * @returns {Promise<{status: number | null, output: string, log: string, seconds: number, timedOut: boolean}>}
 *   `status` is null when the script did not end; `log` has the set-up's trace and the kernel's console
 */
export async function runInUml(options) {
  const missing = umlMissing();
  if (missing !== null) throw new Error(missing);
  mkdirSync(join(root, 'build'), { recursive: true });
  const directory = mkdtempSync(join(root, 'build', 'uml-'));
  try {
    writeFileSync(join(directory, 'init'), INIT, { mode: 0o755 });
    writeFileSync(join(directory, 'script'), options.script);
    writeFileSync(join(directory, 'modules'), (options.modules ?? []).join('\n'));
    const exports = Object.entries(options.env ?? {}).map(
      ([name, value]) => `export ${name}=${quote(value)}\n`,
    );
    writeFileSync(join(directory, 'environment'), exports.join(''));
    const start = performance.now();
    const { console: said, timedOut } = await boot(directory, options);
    const read = (name) =>
      existsSync(join(directory, name)) ? readFileSync(join(directory, name), 'utf8') : '';
    const status = read('status').trim();
    return {
      status: status === '' ? null : Number(status),
      output: read('output'),
      log: `${read('setup.log')}${said}`,
      seconds: (performance.now() - start) / 1000,
      timedOut,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function quote(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function boot(directory, { security = 'none', memory = '1024M', timeout = 60 }) {
  const args = [
    ...[`mem=${memory}`, `uml_dir=${directory}/`, 'con=null', 'con0=null,fd:1', 'quiet', 'panic=1'],
    ...['rootfstype=hostfs', 'rootflags=/', 'rw', `init=${directory}/init`, ...SECURITY[security]],
    ...['cgroup_no_v1=all', 'random.trust_cpu=on'],
    // A word NAME=value that the kernel does not know becomes init's environment.
    `CAISSON_UML=${directory}`,
    `CAISSON_ROOT=${root}`,
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(findProgram('linux.uml'), args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    let timedOut = false;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        said = (said + chunk).slice(-100_000);
      });
    }
    const timer = setTimeout(() => {
      timedOut = true;
      process.kill(-child.pid, 'SIGKILL');
    }, timeout * 1000);
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(timer);
      resolve({ console: said, timedOut });
    });
  });
}

function optionsFrom(args) {
  const options = { script: '' };
  for (let i = 0; i < args.length; i += 2) {
    if (args[i] === '--') {
      options.script = args.slice(i + 1).join(' ');
      break;
    }
    const value = args[i + 1];
    if (args[i] === '--security') options.security = value;
    else if (args[i] === '--memory') options.memory = value;
    else if (args[i] === '--timeout') options.timeout = Number(value);
    else if (args[i] === '--modules') options.modules = value.split(',');
    else throw new Error(`unknown option ${args[i]}`);
  }
  return options;
}

async function main(args) {
  if (args[0] === '--json') {
    console.log(JSON.stringify(await runInUml(JSON.parse(readFileSync(0, 'utf8')))));
    return;
  }
  const result = await runInUml(optionsFrom(args));
  process.stdout.write(result.output);
  process.stderr.write(
    `${result.timedOut ? 'timed out' : `exit ${result.status}`}, ${result.seconds.toFixed(1)} s\n`,
  );
  if (result.status === null) process.stderr.write(result.log);
  process.exitCode = result.status ?? 1;
}

await asProgram(import.meta.url, main);
