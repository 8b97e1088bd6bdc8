// The configuration to begin with: what `runc spec` and `runc spec --rootless` (1.1.5) print, field by field.

import type { Bytes } from '../linux/bytes.ts';
import type { Linux, LinuxNamespaceType } from './linux-spec.ts';
import type { Mount, Spec } from './runtime-spec.ts';

/** The version that runc 1.1.5 writes; see OCI_VERSION for the one that caisson knows. */
const EXAMPLE_VERSION = '1.0.2-dev';

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'] as const;

/** Hidden from the container: they tell of the host, or let it be changed. */
export const MASKED_PATHS: readonly Bytes[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/sys/firmware',
  '/proc/scsi',
];

/** Readable in the container, for programs that look, and not writable. */
export const READONLY_PATHS: readonly Bytes[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** Host ids that an ordinary user has mapped to 0. */
export interface RootlessIDs {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The example configuration: a shell with a terminal on the root `rootfs`, read-only. With `rootless` it is the
 * one for an ordinary user: a user namespace, the host's network and /sys, no cgroup. A new object each time.
 */
export function exampleSpec(rootless?: RootlessIDs): Spec {
  return {
    ociVersion: EXAMPLE_VERSION,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: {
        bounding: [...CAPABILITIES],
        effective: [...CAPABILITIES],
        permitted: [...CAPABILITIES],
        ambient: [...CAPABILITIES],
      },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'runc',
    mounts: mounts(rootless !== undefined),
    linux: linux(rootless),
  };
}

function mounts(rootless: boolean): Mount[] {
  const guarded = ['nosuid', 'noexec', 'nodev'];
  // Group 5 (tty) is not mapped for an ordinary user.
  const tty = rootless ? [] : ['gid=5'];
  // Without a network namespace of its own the kernel gives nobody a sysfs of their own.
  const sysfs: Mount = rootless
    ? { destination: '/sys', type: 'none', source: '/sys', options: ['rbind', ...guarded, 'ro'] }
    : { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...guarded, 'ro'] };
  return [
    { destination: '/proc', type: 'proc', source: 'proc' },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', ...tty],
    },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: [...guarded, 'mode=1777', 'size=65536k'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: [...guarded] },
    sysfs,
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [...guarded, 'relatime', 'ro'],
    },
  ];
}

function linux(rootless: RootlessIDs | undefined): Linux {
  const types: LinuxNamespaceType[] =
    rootless === undefined
      ? ['pid', 'network', 'ipc', 'uts', 'mount']
      : ['pid', 'ipc', 'uts', 'mount', 'user'];
  const common = {
    namespaces: types.map((type) => ({ type })),
    maskedPaths: [...MASKED_PATHS],
    readonlyPaths: [...READONLY_PATHS],
  };
  if (rootless === undefined) return { resources: { devices: [{ allow: false, access: 'rwm' }] }, ...common };
  return {
    uidMappings: [{ containerID: 0, hostID: rootless.uid, size: 1 }],
    gidMappings: [{ containerID: 0, hostID: rootless.gid, size: 1 }],
    ...common,
  };
}
