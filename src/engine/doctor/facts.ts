// What `caisson doctor` looks at: files of procfs and sysfs, programs, and the trials.
import { hierarchyOf } from '../../cgroups/layout.ts';
import type { Port } from '../../host/port.ts';
import type { Arch } from '../../linux/abi/index.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type CapabilityName, capabilityNames } from '../../linux/capabilities.ts';
import { subordinateRanges } from '../../linux/idmap.ts';
import { type MountEntry, parseMountinfo } from '../../linux/mountinfo.ts';
import { parseProcessStatus } from '../../linux/proc-status.ts';
import { hostLayout } from '../../runtime/cgroup.ts';
import { delegatedCgroup } from '../../runtime/prepare.ts';
import { checkStateRoot } from '../../runtime/state.ts';
import { type Trials, trials } from './trials.ts';

export interface CgroupCondition {
  /** undefined: none is mounted. */
  readonly mode: 'v1' | 'v2' | 'hybrid' | undefined;
  /** `io` is v1's blkio. */
  readonly controllers: ReadonlySet<Bytes>;
  /** Mounted read-only, as in most containers. */
  readonly readOnly: boolean;
  /** The cgroup below which an ordinary user may make others. */
  readonly delegated: Bytes | undefined;
  readonly swap: boolean;
}

export interface Subordinate {
  readonly user: Bytes;
  readonly uids: number;
  readonly gids: number;
  /** newuidmap(1) and newgidmap(1) are there. */
  readonly helpers: boolean;
}

/** Everything that the findings depend on. */
export interface DoctorFacts {
  readonly arch: Arch;
  readonly release: Bytes;
  readonly uid: number;
  /** CAP_SYS_ADMIN in the user namespace that caisson runs in. */
  readonly privileged: boolean;
  readonly initialUserNamespace: boolean;
  readonly capabilities: readonly CapabilityName[];
  readonly noNewPrivs: boolean;
  /** A seccomp filter lies upon caisson itself. */
  readonly filtered: boolean;
  /** /proc/sys/kernel/seccomp/actions_avail; undefined without filters. */
  readonly seccompActions: Bytes | undefined;
  /** Trimmed contents of sysctls, undefined where this kernel has none of that name. */
  readonly sysctls: ReadonlyMap<Bytes, Bytes>;
  /** Mount points below /proc. */
  readonly procMasks: readonly Bytes[];
  readonly lsms: readonly Bytes[];
  /** Names of handlers, or undefined when binfmt_misc is not mounted. */
  readonly handlers: readonly Bytes[] | undefined;
  readonly cgroups: CgroupCondition;
  readonly subordinate: Subordinate;
  readonly stateRoot: { readonly path: Bytes; readonly problem: string | undefined };
  readonly trials: Trials;
}

export const SYSCTLS = [
  'user/max_user_namespaces',
  'kernel/unprivileged_userns_clone',
  'kernel/apparmor_restrict_unprivileged_userns',
  'vm/memfd_noexec',
] as const;

/** Gathers them. It makes the state directory where there is none, as every run would. */
export async function doctorFacts(port: Port, stateRoot: Bytes): Promise<DoctorFacts> {
  const read = (path: Bytes) => tryRead(port, path) ?? '';
  const status = parseProcessStatus(read('/proc/self/status'));
  const capabilities = capabilityNames(status.capabilities.permitted);
  const privileged = capabilities.includes('CAP_SYS_ADMIN');
  const mounts = parseMountinfo(read('/proc/self/mountinfo'));
  return {
    arch: port.arch,
    release: read('/proc/sys/kernel/osrelease').trim(),
    uid: port.uid,
    privileged,
    initialUserNamespace: /^\s*0\s+0\s+4294967295\s*$/.test(read('/proc/self/uid_map')),
    capabilities,
    noNewPrivs: status.noNewPrivs,
    filtered: status.seccomp === 2,
    seccompActions: tryRead(port, '/proc/sys/kernel/seccomp/actions_avail')?.trim(),
    sysctls: sysctls(port),
    procMasks: mounts.map(({ mountPoint }) => mountPoint).filter((path) => path.startsWith('/proc/')),
    lsms: lsms(port),
    handlers: handlers(port),
    cgroups: cgroupCondition(port, mounts),
    subordinate: subordinate(port),
    stateRoot: { path: stateRoot, problem: stateRootProblem(port, stateRoot) },
    trials: await trials(port, privileged),
  };
}

function tryRead(port: Port, path: Bytes): Bytes | undefined {
  try {
    return port.readFile(path);
  } catch {
    return undefined;
  }
}

function sysctls(port: Port): Map<Bytes, Bytes> {
  const found = new Map<Bytes, Bytes>();
  for (const name of SYSCTLS) {
    const content = tryRead(port, `/proc/sys/${name}`);
    if (content !== undefined) found.set(name, content.trim());
  }
  return found;
}

/** securityfs is often not mounted; modules show themselves elsewhere too. */
function lsms(port: Port): Bytes[] {
  const list = tryRead(port, '/sys/kernel/security/lsm')?.trim();
  if (list !== undefined && list !== '') return list.split(',');
  const apparmor = tryRead(port, '/sys/module/apparmor/parameters/enabled')?.startsWith('Y')
    ? ['apparmor']
    : [];
  return port.stat('/sys/fs/selinux/enforce') === undefined ? apparmor : [...apparmor, 'selinux'];
}

function handlers(port: Port): Bytes[] | undefined {
  const directory = '/proc/sys/fs/binfmt_misc';
  if (port.stat(`${directory}/status`) === undefined) return undefined;
  return port.list(directory).filter((name) => name !== 'register' && name !== 'status');
}

function cgroupCondition(port: Port, mounts: readonly MountEntry[]): CgroupCondition {
  const layout = hostLayout(port, mounts);
  const names = layout.hierarchies
    .flatMap(({ controllers }) => controllers)
    .map((name) => (name === 'blkio' ? 'io' : name));
  const memory = hierarchyOf(layout.hierarchies, 'memory');
  const v1Swap =
    memory?.version === 1 && port.stat(`${memory.mountPoint}/memory.memsw.limit_in_bytes`) !== undefined;
  const points = new Set(layout.hierarchies.map(({ mountPoint }) => mountPoint));
  const shown = mounts.filter(
    ({ mountPoint, fsType }) => points.has(mountPoint) && fsType.startsWith('cgroup'),
  );
  return {
    mode: layout.hierarchies.length === 0 ? undefined : layout.mode,
    controllers: new Set(names),
    readOnly: shown.length > 0 && shown.every(({ options }) => options.includes('ro')),
    delegated: delegatedCgroup(port, layout, port.uid),
    swap: memory?.version === 2 || v1Swap,
  };
}

function subordinate(port: Port): Subordinate {
  const line = (tryRead(port, '/etc/passwd') ?? '')
    .split('\n')
    .find((entry) => entry.split(':')[2] === String(port.uid));
  const user = line?.split(':')[0] ?? String(port.uid);
  const total = (path: Bytes) =>
    subordinateRanges(tryRead(port, path) ?? '', user, port.uid).reduce((sum, { count }) => sum + count, 0);
  const helpers = port.findProgram('newuidmap') !== undefined && port.findProgram('newgidmap') !== undefined;
  return { user, uids: total('/etc/subuid'), gids: total('/etc/subgid'), helpers };
}

function stateRootProblem(port: Port, path: Bytes): string | undefined {
  try {
    port.makeDirectory(path);
    checkStateRoot(port, path);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
