// Gathers what the docker front end must know about the host (src/frontends/docker/facts.ts), through the port.
import { hierarchyOf } from '../cgroups/layout.ts';
import type { DeviceFact, FrontendFacts, IdMaps } from '../frontends/docker/facts.ts';
import { neededDevices, neededFiles } from '../frontends/docker/needs.ts';
import type { RunFlags } from '../frontends/docker/run-flags.ts';
import { neededSecrets } from '../frontends/docker/secrets.ts';
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { parseCpuList } from '../linux/cpulist.ts';
import { subordinateRanges } from '../linux/idmap.ts';
import { parseMountinfo } from '../linux/mountinfo.ts';
import { hostLayout } from '../runtime/cgroup.ts';
import { gatherFacts, selinuxEnabled } from '../runtime/facts.ts';
import { readGivenFile } from '../runtime/given-file.ts';
import { delegatedCgroup } from '../runtime/prepare.ts';

/** The parts of FrontendFacts that do not depend on the root of a container. */
export type HostPart = Omit<FrontendFacts, 'rootfs' | 'stateDirectory' | 'users'>;

const HEX = '0123456789abcdef';

/** A container id: 64 hexadecimal digits. */
function newId(port: Port): Bytes {
  return [...port.random(32)].map((byte) => `${HEX[byte >> 4]}${HEX[byte & 15]}`).join('');
}

/** Reads them; throws CaissonError EUNSUPPORTED on a kernel below 5.15. The id is a new one. */
export function hostPart(port: Port, flags: RunFlags): HostPart {
  const facts = gatherFacts(port, { ociVersion: '1.3.0' });
  const read = (path: Bytes) => port.readFile(path) ?? '';
  const rootless = !facts.privileged;
  const maps = idMaps(port, rootless);
  return {
    id: newId(port),
    cwd: port.cwd,
    environment: port.environment,
    arch: port.arch,
    kernel: facts.kernel,
    uid: facts.uid,
    gid: facts.gid,
    rootless,
    ...(maps === undefined ? {} : { idMaps: maps }),
    cgroups: cgroupFacts(port, rootless),
    lastCapability: facts.lastCapability,
    cpuCount: parseCpuList(read('/sys/devices/system/cpu/possible').trim() || '0').length,
    apparmor: read('/sys/module/apparmor/parameters/enabled').startsWith('Y'),
    hostname: read('/proc/sys/kernel/hostname').trim(),
    resolvConf: read('/etc/resolv.conf'),
    hosts: read('/etc/hosts'),
    files: filesOf(port, flags),
    secrets: secretsOf(port, flags, port.cwd),
    devices: devicesOf(port, flags),
    ...selinux(port),
  };
}

/** The labels of container-selinux; the two categories keep containers from each other's files. */
function selinux(port: Port): Pick<FrontendFacts, 'selinux'> {
  if (!selinuxEnabled(port)) return {};
  const numbers = [...new Set(port.random(2))].sort((a, b) => a - b);
  const level = `s0:${numbers.map((number) => `c${number}`).join(',')}`;
  return {
    selinux: {
      processLabel: `system_u:system_r:container_t:${level}`,
      mountLabel: `system_u:object_r:container_file_t:${level}`,
    },
  };
}

function filesOf(port: Port, flags: RunFlags): Map<Bytes, Bytes> {
  const files = new Map<Bytes, Bytes>();
  for (const path of neededFiles(flags)) {
    const content = readGivenFile(port, path.startsWith('/') ? path : `${port.cwd}/${path}`);
    if (content !== undefined) files.set(path, content);
  }
  return files;
}

/** Contents of secrets by the texts of their flags; relative paths are of `cwd`. Throws CaissonError EUSAGE. */
export function secretsOf(
  port: Port,
  flags: Pick<RunFlags, 'secret'>,
  cwd: Bytes,
  read: (path: Bytes) => Bytes | undefined = (path) => readGivenFile(port, path),
): Map<Bytes, Bytes> {
  const secrets = new Map<Bytes, Bytes>();
  for (const [text, source] of neededSecrets(flags)) {
    const content =
      'file' in source
        ? read(source.file.startsWith('/') ? source.file : `${cwd}/${source.file}`)
        : variableOf(port, source.variable);
    if (content !== undefined) secrets.set(text, content);
  }
  return secrets;
}

function variableOf({ environment }: Port, name: Bytes): Bytes | undefined {
  return environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

function devicesOf(port: Port, flags: RunFlags): Map<Bytes, DeviceFact[]> {
  const found = new Map<Bytes, DeviceFact[]>();
  for (const path of neededDevices(flags)) found.set(path, devicesBelow(port, path, 0));
  return found;
}

/** Directories of /dev are shallow; a loop of links ends here. */
const DEPTH = 8;

function devicesBelow(port: Port, path: Bytes, depth: number): DeviceFact[] {
  const stat = port.stat(path);
  if (stat?.type === 'directory' && depth < DEPTH) {
    // Terminals of the host are no devices of a container (docker leaves them out too).
    const names = port.list(path).filter((name) => !['pts', 'shm', 'mqueue', 'fd', 'console'].includes(name));
    return names.flatMap((name) => devicesBelow(port, `${path}/${name}`, depth + 1));
  }
  if (stat?.type !== 'character' && stat?.type !== 'block') return [];
  const { rdev, mode, uid, gid } = stat;
  const type = stat.type === 'character' ? 'c' : 'b';
  const major = (rdev >>> 8) & 0xfff;
  const minor = (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
  return [{ path, type, major, minor, mode: mode & 0o777, uid, gid }];
}

function cgroupFacts(port: Port, rootless: boolean): FrontendFacts['cgroups'] {
  const layout = hostLayout(port, parseMountinfo(port.readFile('/proc/self/mountinfo') ?? ''));
  const delegated = rootless ? delegatedCgroup(port, layout, port.uid) : undefined;
  if (rootless && delegated === undefined) {
    return { version: layout.mode, controllers: new Set(), available: false, swap: false };
  }
  const controllers = new Set<string>();
  for (const hierarchy of layout.hierarchies) {
    for (const name of hierarchy.controllers) controllers.add(name === 'blkio' ? 'io' : name);
  }
  if (layout.mode === 'v2' && !rootless) controllers.add('devices');
  const memory = hierarchyOf(layout.hierarchies, 'memory');
  const swapFile = memory?.version === 1 ? `${memory.mountPoint}/memory.memsw.limit_in_bytes` : undefined;
  const swap = swapFile === undefined ? layout.mode === 'v2' : port.stat(swapFile) !== undefined;
  return { version: layout.mode, controllers, available: true, swap };
}

/** A user's default map: themselves as root, and their subordinate ids after that (subuid(5)). */
function idMaps(port: Port, rootless: boolean): IdMaps | undefined {
  const name = userName(port);
  const uids = subordinateRanges(port.readFile('/etc/subuid') ?? '', name, port.uid);
  const gids = subordinateRanges(port.readFile('/etc/subgid') ?? '', name, port.uid);
  const helpers = port.findProgram('newuidmap') !== undefined && port.findProgram('newgidmap') !== undefined;
  const ranges = uids.length > 0 && gids.length > 0 && (helpers || !rootless);
  if (!rootless)
    return ranges ? { uidMappings: lines(uids, 0), gidMappings: lines(gids, 0), setgroups: true } : undefined;
  const own = (hostID: number) => ({ containerID: 0, hostID, size: 1 });
  return {
    uidMappings: [own(port.uid), ...(ranges ? lines(uids, 1) : [])],
    gidMappings: [own(port.gid), ...(ranges ? lines(gids, 1) : [])],
    setgroups: ranges,
  };
}

function lines(ranges: readonly { readonly start: number; readonly count: number }[], first: number) {
  let containerID = first;
  return ranges.map(({ start, count }) => {
    const line = { containerID, hostID: start, size: count };
    containerID += count;
    return line;
  });
}

function userName(port: Port): Bytes {
  const line = (port.readFile('/etc/passwd') ?? '')
    .split('\n')
    .find((entry) => entry.split(':')[2] === String(port.uid));
  return line?.split(':')[0] ?? String(port.uid);
}
