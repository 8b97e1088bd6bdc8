// `info`: this machine, this caisson and its store, in the names of docker's API.

import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { parseCpuList } from '../../linux/cpulist.ts';
import { parseMountinfo } from '../../linux/mountinfo.ts';
import { hostLayout } from '../../runtime/cgroup.ts';
import type { JsonObject } from '../../spec/json.ts';
import { placesInUse } from './container-place.ts';
import { imagesOf, type Shop } from './shop.ts';

/** All values are known: what a host does not tell is empty or 0. */
export async function systemInfo(shop: Shop, version: string): Promise<JsonObject> {
  const { port, store } = shop;
  const running = placesInUse(port, store.root).length;
  const layout = hostLayout(port, parseMountinfo(port.readFile('/proc/self/mountinfo') ?? ''));
  const read = (path: Bytes) => (port.readFile(path) ?? '').trim();
  return {
    Containers: running,
    ContainersRunning: running,
    ContainersPaused: 0,
    ContainersStopped: 0,
    Images: (await imagesOf(shop)).length,
    Driver: 'overlay2',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: layout.mode === 'v2' ? '2' : '1',
    KernelVersion: read('/proc/sys/kernel/osrelease'),
    OperatingSystem: prettyName(port),
    OSType: 'linux',
    Architecture: port.arch,
    NCPU: parseCpuList(read('/sys/devices/system/cpu/online') || '0').length,
    MemTotal: memoryTotal(port),
    DockerRootDir: store.root,
    Name: read('/proc/sys/kernel/hostname'),
    ServerVersion: version,
    DefaultRuntime: 'caisson',
    SecurityOptions: securityOptions(port),
    IndexServerAddress: 'https://index.docker.io/v1/',
  };
}

function prettyName(port: Port): Bytes {
  const text = port.readFile('/etc/os-release') ?? port.readFile('/usr/lib/os-release') ?? '';
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? '';
}

/** Bytes. */
function memoryTotal(port: Port): number {
  const kilobytes = /^MemTotal:\s+([0-9]+) kB$/m.exec(port.readFile('/proc/meminfo') ?? '')?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

function securityOptions(port: Port): Bytes[] {
  const enabled = (port.readFile('/sys/module/apparmor/parameters/enabled') ?? '').startsWith('Y');
  return [
    ...(enabled ? ['name=apparmor'] : []),
    'name=seccomp,profile=builtin',
    ...(port.uid === 0 ? [] : ['name=rootless']),
    'name=cgroupns',
  ];
}
