// What no attack may change on the host: mounts, sysctls, devices, cgroups, the canary tree, caisson's own programs.
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';

/** Values that a container which reaches the host's procfs would change; those that change by themselves are left out. */
const SYSCTLS = [
  ...[
    'kernel/core_pattern',
    'kernel/core_uses_pid',
    'kernel/modprobe',
    'kernel/hotplug',
    'kernel/sysrq',
    'kernel/panic',
  ],
  ...[
    'kernel/hostname',
    'kernel/domainname',
    'kernel/shmmax',
    'kernel/msgmax',
    'kernel/unprivileged_bpf_disabled',
  ],
  ...[
    'fs/lease-break-time',
    'fs/file-max',
    'fs/suid_dumpable',
    'fs/protected_symlinks',
    'vm/overcommit_memory',
  ],
  ...[
    'vm/swappiness',
    'vm/memfd_noexec',
    'net/ipv4/ip_forward',
    'net/core/somaxconn',
    'dev/tty/legacy_tiocsti',
  ],
  ...['user/max_user_namespaces'],
].map((name) => `/proc/sys/${name}`);

/** The sysctl that attacks aim at: harmless, and unknown to everybody else on the machine. */
export const CANARY_SYSCTL = '/proc/sys/fs/lease-break-time';

/** One line for each thing, so that a difference tells what it is about. */
export type HostState = ReadonlyMap<string, string>;

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return 'unreadable';
  }
}

function names(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}

/** Type, owner, number, size and times of everything below a directory, and what is in its files. */
function tree(path: string, into: Map<string, string>, withContent: boolean): void {
  for (const name of names(path)) {
    const each = `${path}/${name}`;
    try {
      const { mode, uid, gid, rdev, size, ino, nlink } = lstatSync(each);
      const kind = mode & 0o170000;
      const more =
        kind === 0o120000 ? readlinkSync(each) : kind === 0o100000 && withContent ? read(each) : '';
      into.set(
        each,
        `${mode.toString(8)} ${uid}:${gid} ${rdev} ${withContent ? `${size} ${ino} ${nlink} ${more}` : ''}`,
      );
      if (kind === 0o040000) tree(each, into, withContent);
    } catch {
      // Gone meanwhile: not the canary's, which nobody else touches.
    }
  }
}

function program(path: string): string {
  const { ino, dev, size, mtimeMs, ctimeMs, mode } = lstatSync(path);
  return `${dev}:${ino} ${mode.toString(8)} ${size} ${mtimeMs} ${ctimeMs}`;
}

/** The hash of a program's bytes; slow for a large one. */
export function hashOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Directories of cgroups that have to do with caisson, and what decides what runs when a cgroup empties. */
function cgroups(into: Map<string, string>): void {
  const points = read('/proc/self/mountinfo')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '');
  for (const point of points) {
    for (const file of ['release_agent', 'notify_on_release', 'cgroup.subtree_control'])
      into.set(`${point}/${file}`, read(`${point}/${file}`));
    for (const name of names(point).filter((entry) => entry.includes('attack')))
      into.set(`${point}/${name}`, 'a cgroup');
    for (const name of names(`${point}/caisson`).filter((entry) => entry.includes(`-${process.pid}-`))) {
      into.set(`${point}/caisson/${name}`, 'a cgroup');
    }
  }
}

/** Looks at the host. `canary` is a directory, `programs` are files that nobody may write to. */
export function hostState(canary: string, programs: readonly string[]): HostState {
  const state = new Map<string, string>();
  const own = canary.slice(0, canary.lastIndexOf('/'));
  for (const line of read('/proc/self/mountinfo').trim().split('\n')) {
    // Other tests of this suite mount below directories of theirs.
    if (!line.includes('/caisson-kernel-') || line.includes(own)) state.set(`mount ${line}`, 'mounted');
  }
  for (const path of SYSCTLS) state.set(path, read(path));
  const devices = new Map<string, string>();
  tree('/dev', devices, false);
  for (const [path, line] of devices)
    if (!/^\/dev\/(?:pts|shm|fd|mqueue)\//.test(path)) state.set(path, line);
  cgroups(state);
  tree(canary, state, true);
  for (const path of programs) state.set(path, program(path));
  return state;
}

/** What is different now. */
export function changes(before: HostState, after: HostState): string[] {
  const found: string[] = [];
  for (const [what, was] of before) {
    const is = after.get(what);
    if (is !== was)
      found.push(is === undefined ? `gone: ${what}` : `changed: ${what}: ${was.trim()} -> ${is.trim()}`);
  }
  for (const what of after.keys()) if (!before.has(what)) found.push(`new: ${what}`);
  return found;
}

/** Writes back the sysctls that an attack on a broken build has changed. */
export function restoreSysctls(before: HostState): void {
  for (const path of SYSCTLS) {
    const was = before.get(path);
    if (was !== undefined && was !== 'unreadable' && read(path) !== was) writeFileSync(path, was);
  }
}
