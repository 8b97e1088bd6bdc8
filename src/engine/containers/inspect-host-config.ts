// `HostConfig` of `inspect`: every flag of a container under docker's names (moby, api/types/container/hostconfig.go).
import { parseDevice } from '../../frontends/docker/devices.ts';
import type { RunFlags } from '../../frontends/docker/run-flags.ts';
import { parseUlimit } from '../../frontends/docker/ulimits.ts';
import { parseBillionths, parseInteger, parseSize } from '../../frontends/number.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { JsonValue } from '../../spec/json.ts';
import type { Spec } from '../../spec/runtime-spec.ts';
import type { ContainerFile } from './container-file.ts';
import { networkOf } from './summary.ts';

/** docker's default of /dev/shm, 64 MiB. */
const SHM_SIZE = 67_108_864;

/** `spec` is the configuration of the run, where it runs. */
export function hostConfigOf(file: ContainerFile, spec: Spec | undefined): JsonValue {
  const { flags, log, restart, autoRemove } = file;
  return {
    Binds: listOf(flags.volume),
    ContainerIDFile: flags.cidfile ?? '',
    LogConfig: { Type: log.driver, Config: log.options },
    NetworkMode: networkOf(flags.network),
    PortBindings: {},
    RestartPolicy: { Name: restart.name, MaximumRetryCount: restart.maximum },
    AutoRemove: autoRemove,
    VolumeDriver: '',
    VolumesFrom: null,
    ConsoleSize: [0, 0],
    CapAdd: listOf(flags.capAdd?.map(capability)),
    CapDrop: listOf(flags.capDrop?.map(capability)),
    ...namespacesOf(flags),
    Dns: flags.dns ?? [],
    DnsOptions: flags.dnsOption ?? [],
    DnsSearch: flags.dnsSearch ?? [],
    ExtraHosts: listOf(flags.addHost),
    GroupAdd: listOf(flags.groupAdd),
    Cgroup: '',
    Links: null,
    OomScoreAdj: whole(flags.oomScoreAdj),
    Privileged: flags.privileged === true,
    PublishAllPorts: false,
    ReadonlyRootfs: flags.readOnly === true,
    SecurityOpt: listOf(flags.securityOpt),
    ...(flags.tmpfs === undefined ? {} : { Tmpfs: Object.fromEntries(flags.tmpfs.map(tmpfs)) }),
    ShmSize: flags.shmSize === undefined ? SHM_SIZE : size(flags.shmSize),
    ...mapped('Sysctls', flags.sysctl),
    ...mapped('Annotations', flags.annotation),
    Runtime: 'caisson',
    Isolation: '',
    ...resourcesOf(flags),
    ...(flags.init === undefined ? {} : { Init: flags.init }),
    MaskedPaths: spec?.linux?.maskedPaths ?? [],
    ReadonlyPaths: spec?.linux?.readonlyPaths ?? [],
  };
}

/** `private` is docker's word for a namespace of its own, an empty text what holds without a flag. */
function namespacesOf(flags: RunFlags): Record<Bytes, JsonValue> {
  return {
    CgroupnsMode: flags.cgroupns ?? 'private',
    IpcMode: flags.ipc ?? 'private',
    PidMode: flags.pid ?? '',
    UTSMode: flags.uts ?? '',
    UsernsMode: flags.userns ?? '',
  };
}

function resourcesOf(flags: RunFlags): Record<Bytes, JsonValue> {
  return {
    CpuShares: whole(flags.cpuShares ?? flags.cpuUnits),
    Memory: size(flags.memory),
    NanoCpus: Number(flags.cpus === undefined ? 0 : (parseBillionths(flags.cpus) ?? 0)),
    CgroupParent: flags.cgroupParent ?? '',
    BlkioWeight: whole(flags.blkioWeight),
    BlkioWeightDevice: (flags.blkioWeightDevice ?? []).map((text) => device(text, 'Weight', whole)),
    BlkioDeviceReadBps: (flags.deviceReadBps ?? []).map((text) => device(text, 'Rate', size)),
    BlkioDeviceWriteBps: (flags.deviceWriteBps ?? []).map((text) => device(text, 'Rate', size)),
    BlkioDeviceReadIOps: (flags.deviceReadIops ?? []).map((text) => device(text, 'Rate', whole)),
    BlkioDeviceWriteIOps: (flags.deviceWriteIops ?? []).map((text) => device(text, 'Rate', whole)),
    CpuPeriod: whole(flags.cpuPeriod),
    CpuQuota: whole(flags.cpuQuota),
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: flags.cpusetCpus ?? '',
    CpusetMems: flags.cpusetMems ?? '',
    Devices: (flags.device ?? []).flatMap(deviceMapping),
    DeviceCgroupRules: listOf(flags.deviceCgroupRule),
    DeviceRequests: null,
    MemoryReservation: size(flags.memoryReservation),
    MemorySwap: swap(flags),
    MemorySwappiness: flags.memorySwappiness === undefined ? null : whole(flags.memorySwappiness),
    OomKillDisable: flags.oomKillDisable === true,
    PidsLimit: flags.pidsLimit === undefined ? 2048 : whole(flags.pidsLimit),
    Ulimits: (flags.ulimit ?? []).flatMap(ulimit),
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
  };
}

function listOf(list: readonly Bytes[] | undefined): JsonValue {
  return list ?? null;
}

/** As docker keeps them since 19.03: with their prefix. */
function capability(name: Bytes): Bytes {
  const upper = name.toUpperCase();
  return upper === 'ALL' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
}

function whole(text: Bytes | undefined): number {
  return text === undefined ? 0 : Number(parseInteger(text) ?? 0);
}

function size(text: Bytes | undefined): number {
  if (text === '-1') return -1;
  return text === undefined ? 0 : Number(parseSize(text) ?? 0);
}

/** Without a flag it is twice the memory (docker-run(1)). */
function swap({ memory, memorySwap }: RunFlags): number {
  return memorySwap === undefined ? 2 * size(memory) : size(memorySwap);
}

function device(text: Bytes, field: 'Weight' | 'Rate', read: (text: Bytes) => number): JsonValue {
  const colon = text.lastIndexOf(':');
  return { Path: text.slice(0, colon), [field]: read(text.slice(colon + 1)) };
}

function deviceMapping(text: Bytes): JsonValue[] {
  try {
    const { hostPath, containerPath, access } = parseDevice(text);
    return [{ PathOnHost: hostPath, PathInContainer: containerPath, CgroupPermissions: access }];
  } catch {
    // A form of a later version, or a name of a device.
    return [];
  }
}

function ulimit(text: Bytes): JsonValue[] {
  try {
    const { type, hard, soft } = parseUlimit(text);
    const name = type.replace(/^RLIMIT_/, '').toLowerCase();
    const shown = (limit: number | bigint): number => (limit > 2n ** 63n ? -1 : Number(limit));
    return [{ Name: name, Hard: shown(hard), Soft: shown(soft) }];
  } catch {
    return [];
  }
}

function tmpfs(text: Bytes): [Bytes, Bytes] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
}

/** `NAME=VALUE` as a map; absent where there is none. */
function mapped(field: Bytes, list: readonly Bytes[] | undefined): Record<Bytes, JsonValue> {
  if (list === undefined) return {};
  return { [field]: Object.fromEntries(list.map(pairOf)) };
}

/** `NAME=VALUE`; a name alone has an empty value. */
export function pairOf(text: Bytes): [Bytes, Bytes] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}
