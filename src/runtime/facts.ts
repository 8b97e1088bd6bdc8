// Gathers the facts about the host that a plan is compiled from (src/plan/facts.ts), through the port.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { ALL_IDS } from '../linux/idmap.ts';
import { parseMountinfo } from '../linux/mountinfo.ts';
import { statusField } from '../linux/proc-status.ts';
import { DEFAULT_DEVICES } from '../plan/compile/devices.ts';
import { groupOf } from '../plan/compile/resctrl.ts';
import type { HostFacts, HostFile } from '../plan/facts.ts';
import { CaissonError } from '../spec/error.ts';
import type { Spec } from '../spec/runtime-spec.ts';

const CAP_SYS_ADMIN = 21;

/** The oldest kernel that caisson runs on; what it needs of it is in docs (openat2 5.6, mount_setattr 5.12). */
const FLOOR: readonly [number, number] = [5, 15];

function read(port: Port, path: Bytes): Bytes {
  return port.readFile(path) ?? '';
}

/** `6.18.44-fc` as [6, 18]. Throws CaissonError EUNSUPPORTED for kernels below the floor. */
export function kernelVersion(release: Bytes): readonly [number, number] {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  if (major < FLOOR[0] || (major === FLOOR[0] && minor < FLOOR[1])) {
    throw new CaissonError(`caisson needs Linux ${FLOOR.join('.')} or newer, this is ${release.trim()}`, {
      code: 'EUNSUPPORTED',
    });
  }
  return [major, minor];
}

/** `CapPrm:\t000001ffffffffff` as [low, high]. */
function capabilityPair(status: Bytes, key: Bytes): readonly [number, number] {
  const hex = (statusField(status, key) ?? '0').padStart(16, '0');
  return [Number.parseInt(hex.slice(8), 16), Number.parseInt(hex.slice(0, 8), 16)];
}

/** Paths of the host whose kind the plan depends on. */
function pathsOf(spec: Spec): Set<Bytes> {
  const paths = new Set<Bytes>(['/dev/null', '/proc/kcore']);
  for (const { source } of spec.mounts ?? []) if (source?.startsWith('/')) paths.add(source);
  for (const path of spec.linux?.maskedPaths ?? []) paths.add(path);
  for (const path of spec.linux?.readonlyPaths ?? []) paths.add(path);
  if (spec.linux?.namespaces?.some(({ type }) => type === 'user')) {
    for (const { path } of [...DEFAULT_DEVICES, ...(spec.linux.devices ?? [])]) paths.add(path);
  }
  return paths;
}

/** `ownFiles` will exist by the time of the start. Throws CaissonError EUNSUPPORTED on kernels below 5.15. */
export function gatherFacts(
  port: Port,
  spec: Spec,
  { ownFiles = [], id = '' }: { readonly ownFiles?: readonly Bytes[]; readonly id?: Bytes } = {},
): HostFacts {
  refuseTimeNamespace(port, spec);
  let files: ReadonlyMap<Bytes, HostFile> | undefined;
  return {
    ...processFacts(port, spec, id),
    /** Looked at when the child's part is compiled, while the launcher plays the beginning. */
    get files() {
      files ??= hostFiles(port, spec, ownFiles);
      return files;
    },
  };
}

function hostFiles(port: Port, spec: Spec, ownFiles: readonly Bytes[]): ReadonlyMap<Bytes, HostFile> {
  const files = new Map<Bytes, HostFile>();
  for (const path of pathsOf(spec)) {
    const stat = port.stat(path);
    if (stat !== undefined) files.set(path, { type: stat.type, rdev: stat.rdev });
  }
  for (const path of ownFiles) files.set(path, { type: 'file', rdev: 0 });
  return files;
}

/** The facts that a process depends on, without files of the host. Throws as gatherFacts. */
export function processFacts(port: Port, spec: Spec, id: Bytes = ''): HostFacts {
  const status = read(port, '/proc/self/status');
  const permitted = capabilityPair(status, 'CapPrm');
  return {
    arch: port.arch,
    kernel: kernelVersion(read(port, '/proc/sys/kernel/osrelease')),
    uid: port.uid,
    gid: port.gid,
    privileged: ((permitted[0] >>> CAP_SYS_ADMIN) & 1) === 1,
    initialUserNamespace: read(port, '/proc/self/uid_map') === ALL_IDS,
    permitted,
    lastCapability: Number.parseInt(read(port, '/proc/sys/kernel/cap_last_cap'), 10) || 40,
    apparmor:
      wanted(spec, 'apparmorProfile') &&
      read(port, '/sys/module/apparmor/parameters/enabled').startsWith('Y'),
    ignoredSignals: ignoredSignals(status),
    selinux: wantsSelinux(spec) && selinuxEnabled(port),
    ...resctrlOf(port, spec, id),
    files: new Map(),
  };
}

/** Nothing of resctrl is looked at unless the configuration asks for it. */
function resctrlOf(port: Port, { linux }: Spec, id: Bytes): Pick<HostFacts, 'resctrl'> {
  if (linux?.intelRdt === undefined) return {};
  const [mount] = parseMountinfo(read(port, '/proc/self/mountinfo'), 'resctrl');
  if (mount === undefined) return {};
  const { mountPoint } = mount;
  const schemata = port.readFile(`${groupOf(linux.intelRdt, id, mountPoint)}/schemata`);
  return { resctrl: schemata === undefined ? { mountPoint } : { mountPoint, schemata } };
}

/** Kernels may be built without them (CONFIG_TIME_NS), and before 5.6 none has them: unshare(2) says only EINVAL. */
function refuseTimeNamespace(port: Port, spec: Spec): void {
  const index = spec.linux?.namespaces?.findIndex(({ type }) => type === 'time') ?? -1;
  if (index < 0 || port.stat('/proc/self/ns/time') !== undefined) return;
  throw new CaissonError('this kernel has no time namespaces', {
    code: 'EUNSUPPORTED',
    provenance: [`/linux/namespaces/${index}`],
  });
}

/** SigIgn of /proc/PID/status: bit 0 is signal 1. */
function ignoredSignals(status: Bytes): number[] {
  const [low, high] = capabilityPair(status, 'SigIgn');
  const signals = Array.from({ length: 64 }, (_, index) => index + 1);
  return signals.filter((number) => (((number > 32 ? high : low) >>> ((number - 1) & 31)) & 1) === 1);
}

function wantsSelinux(spec: Spec): boolean {
  return wanted(spec, 'selinuxLabel') || (spec.linux?.mountLabel ?? '') !== '';
}

/** Whether a policy is loaded: before that every process is `kernel`, and labels of any kind say nothing. */
export function selinuxEnabled(port: Port): boolean {
  if (port.stat('/sys/fs/selinux/enforce') === undefined) return false;
  return read(port, '/proc/self/attr/current').replace(/\0$/, '') !== 'kernel';
}

function wanted(spec: Spec, field: 'apparmorProfile' | 'selinuxLabel'): boolean {
  return (spec.process?.[field] ?? '') !== '';
}
