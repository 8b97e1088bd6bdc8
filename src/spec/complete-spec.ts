// A configuration that sets every field of the specification: data for tests, of these checks and of others.

import type { LinuxResources } from './linux-resources.ts';
import type { Linux } from './linux-spec.ts';
import type { Spec } from './runtime-spec.ts';

const UNLIMITED = 18446744073709551615n;

/** A new object each time; it passes validateSpec without a warning. */
export function completeSpec(): Spec {
  const hook = { path: '/usr/bin/hook', args: ['hook', '-v'], env: ['A=b'], timeout: 5 };
  return {
    ociVersion: '1.3.0',
    process: {
      terminal: true,
      consoleSize: { height: 25, width: 80 },
      user: { uid: 1000, gid: 1000, umask: 18, additionalGids: [5, 6], username: 'user' },
      args: ['sh', '-c', 'true'],
      env: ['PATH=/bin', 'LATIN=\xe9'],
      cwd: '/root',
      capabilities: {
        bounding: ['CAP_KILL'],
        effective: ['CAP_KILL'],
        inheritable: ['CAP_KILL'],
        permitted: ['CAP_KILL'],
        ambient: ['CAP_KILL'],
      },
      rlimits: [
        { type: 'RLIMIT_NOFILE', hard: 1024, soft: 512 },
        { type: 'RLIMIT_CORE', hard: UNLIMITED, soft: UNLIMITED },
      ],
      noNewPrivileges: true,
      apparmorProfile: 'profile',
      oomScoreAdj: -500,
      scheduler: {
        policy: 'SCHED_DEADLINE',
        nice: 0,
        priority: 0,
        flags: ['SCHED_FLAG_RESET_ON_FORK'],
        runtime: 10000,
        deadline: 20000,
        period: 30000,
      },
      selinuxLabel: 'system_u:system_r:container_t:s0',
      ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 },
      execCPUAffinity: { initial: '7', final: '0-3,7' },
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'host',
    domainname: 'domain',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid'] },
      {
        destination: '/data',
        type: 'none',
        source: '/srv/data',
        options: ['rbind', 'ridmap', 'rslave', 'ro'],
        uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
        gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
      },
    ],
    hooks: {
      prestart: [hook],
      createRuntime: [hook],
      createContainer: [hook],
      startContainer: [hook],
      poststart: [hook],
      poststop: [hook],
    },
    annotations: { 'org.example.key': 'value' },
    linux: completeLinux(),
  };
}

function completeLinux(): Linux {
  return {
    uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
    gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
    sysctl: { 'net.ipv4.ip_forward': '1', 'kernel.sem': '250 32000 100 128' },
    resources: completeResources(),
    cgroupsPath: '/caisson/one',
    namespaces: [
      { type: 'pid' },
      { type: 'network', path: '/run/netns/one' },
      { type: 'mount' },
      { type: 'ipc' },
      { type: 'uts' },
      { type: 'user' },
      { type: 'cgroup' },
      { type: 'time' },
    ],
    devices: [
      { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 438, uid: 0, gid: 0 },
      { path: '/dev/pipe', type: 'p' },
    ],
    netDevices: { eth0: { name: 'inside%d' } },
    seccomp: {
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'],
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      listenerPath: '/run/agent.sock',
      listenerMetadata: 'data',
      syscalls: [
        { names: ['read', 'write'], action: 'SCMP_ACT_ALLOW' },
        {
          names: ['personality'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 1,
          args: [{ index: 0, value: UNLIMITED, valueTwo: 8, op: 'SCMP_CMP_MASKED_EQ' }],
        },
        { names: ['mount'], action: 'SCMP_ACT_NOTIFY' },
      ],
    },
    rootfsPropagation: 'slave',
    maskedPaths: ['/proc/kcore'],
    readonlyPaths: ['/proc/sys'],
    mountLabel: 'system_u:object_r:container_file_t:s0',
    intelRdt: {
      closID: 'guaranteed',
      schemata: ['L2:0=f'],
      l3CacheSchema: 'L3:0=7f0;1=1f',
      memBwSchema: 'MB:0=20;1=70',
      enableMonitoring: true,
    },
    memoryPolicy: { mode: 'MPOL_INTERLEAVE', nodes: '0-1', flags: ['MPOL_F_STATIC_NODES'] },
    personality: { domain: 'LINUX32', flags: [] },
    timeOffsets: { monotonic: { secs: 172800, nanosecs: 1 }, boottime: { secs: -604800, nanosecs: 0 } },
  };
}

function completeResources(): LinuxResources {
  const throttle = { major: 8, minor: 0, rate: UNLIMITED };
  return {
    devices: [{ allow: false, type: 'c', major: 10, minor: 229, access: 'rwm' }],
    memory: {
      limit: 536870912,
      reservation: 268435456,
      swap: 1073741824,
      swappiness: 0,
      disableOOMKiller: false,
      useHierarchy: true,
      checkBeforeUpdate: true,
    },
    cpu: {
      shares: 1024,
      quota: 1000000,
      burst: 1000000,
      period: 500000,
      realtimeRuntime: 950000,
      realtimePeriod: 1000000,
      cpus: '2-3',
      mems: '0-7',
      idle: 0,
    },
    pids: { limit: 20 },
    blockIO: {
      weight: 10,
      leafWeight: 1000,
      weightDevice: [{ major: 8, minor: 0, weight: 500, leafWeight: 300 }],
      throttleReadBpsDevice: [throttle],
      throttleWriteBpsDevice: [throttle],
      throttleReadIOPSDevice: [throttle],
      throttleWriteIOPSDevice: [throttle],
    },
    hugepageLimits: [{ pageSize: '2MB', limit: 9223372036854771712n }],
    network: { classID: 1048577, priorities: [{ name: 'eth0', priority: 500 }] },
    rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10000 } },
    unified: { 'io.max': '259:0 rbps=2097152' },
  };
}
