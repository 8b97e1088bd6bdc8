// Golden cases: kernels, processors, namespaces, identity maps, cgroups.
import { all, withLinux, withNamespace, withoutMounts, withoutNamespace, withProcess, withUserNamespace } from './fixtures.ts';
import type { GoldenCase } from './golden-case.ts';

const limits = withLinux({
  resources: {
    memory: { limit: 64 * 1024 * 1024, reservation: 32 * 1024 * 1024, swap: 128 * 1024 * 1024 },
    cpu: { shares: 512, quota: 50000, period: 100000 },
    pids: { limit: 20 },
  },
});
const devices = withLinux({
  resources: {
    devices: [
      { allow: false, access: 'rwm' },
      { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
    ],
  },
});

export const NAMESPACE_CASES: readonly GoldenCase[] = [
  { name: 'base', purpose: 'the whole plan of runc spec, as root, on 6.18', show: 'full' },
  { name: 'base-rootless', purpose: 'the whole plan of runc spec --rootless, as an ordinary user', rootless: true, show: 'full' },
  { name: 'base-6.1', purpose: '6.1: every mask is a tmpfs of its own, a detached one cannot be cloned', level: '6.1', against: { level: '6.18' } },
  { name: 'base-5.15', purpose: '5.15, the floor: as 6.1', level: '5.15', against: { level: '6.1' } },
  { name: 'base-rootless-6.1', purpose: '6.1 for an ordinary user', level: '6.1', rootless: true, against: { level: '6.18' } },
  { name: 'base-rootless-5.15', purpose: '5.15 for an ordinary user: as 6.1', level: '5.15', rootless: true, against: { level: '6.1' } },
  { name: 'records-x86_64', purpose: 'system call numbers and open flags of x86-64', show: 'records' },
  { name: 'records-aarch64', purpose: 'system call numbers and open flags of arm64', arch: 'aarch64', show: 'records' },
  { name: 'aarch64', purpose: 'the text of a plan is the same for arm64', arch: 'aarch64', against: { arch: 'x86_64' } },
  { name: 'aarch64-rootless', purpose: 'and for an ordinary user', arch: 'aarch64', rootless: true, against: { arch: 'x86_64' } },

  { name: 'pid-inherited', purpose: 'no pid namespace: clone3 without CLONE_NEWPID', change: withoutNamespace('pid') },
  { name: 'network-inherited', purpose: 'host network: no loopback to bring up; root may still mount sysfs', change: withoutNamespace('network') },
  { name: 'ipc-inherited', purpose: 'no ipc namespace', change: withoutNamespace('ipc') },
  { name: 'uts-inherited', purpose: 'no uts namespace, and no host name to set', change: (spec) => ({ ...withoutNamespace('uts')(spec), hostname: '' }) },
  { name: 'mount-inherited', purpose: 'no mount namespace: chroot, and nothing is mounted', change: all(withoutMounts, withoutNamespace('mount')), show: 'full' },
  { name: 'mount-only', purpose: 'only the mounts are virtual', change: (spec) => ({ ...withoutNamespace('pid', 'network', 'ipc', 'uts')(spec), hostname: '' }) },
  { name: 'nothing-new', purpose: 'no namespace at all: a plain process with limits, user and capabilities', change: (spec) => ({ ...all(withoutMounts, withLinux({ namespaces: [] }))(spec), hostname: '', root: { path: '/' } }), show: 'full' },
  { name: 'cgroup-namespace', purpose: 'without cgroups the cgroup namespace is unshared in the child', change: withNamespace('cgroup') },
  { name: 'time-namespace', purpose: 'a time namespace without offsets: unshare before execve', change: withNamespace('time') },
  { name: 'time-offsets', purpose: 'offsets after unshare, through a private procfs', change: all(withNamespace('time'), withLinux({ timeOffsets: { boottime: { secs: 86400, nanosecs: 0 }, monotonic: { secs: -3600, nanosecs: 500 } } })) },
  { name: 'user-namespace', purpose: 'root with a user namespace: map, become root, then network and ipc; devices are bound', change: withUserNamespace },
  { name: 'user-namespace-helpers', purpose: 'newuidmap and newgidmap write the map during a pause', change: withUserNamespace, options: { mapHelpers: true } },
  { name: 'user-namespace-no-root', purpose: 'a map without id 0: nobody becomes root', change: all(withUserNamespace, withLinux({ uidMappings: [{ containerID: 1000, hostID: 100000, size: 1 }], gidMappings: [{ containerID: 1000, hostID: 100000, size: 1 }] })) },
  { name: 'user-and-cgroup-namespace', purpose: 'the cgroup namespace waits for the map, too', change: all(withUserNamespace, withNamespace('cgroup')) },
  { name: 'user-and-sysctl', purpose: 'the private procfs is opened before the masks', change: all(withUserNamespace, withLinux({ sysctl: { 'net.ipv4.ip_forward': '1' } })) },

  { name: 'join-network', purpose: 'opened and checked before anything exists, joined by the child', change: withNamespace('network', '/run/netns/blue') },
  { name: 'join-pid', purpose: 'joined by the parent before the clone', change: withNamespace('pid', '/proc/77/ns/pid') },
  { name: 'join-ipc', purpose: 'an ipc namespace by path', change: withNamespace('ipc', '/proc/77/ns/ipc') },
  { name: 'join-uts', purpose: 'the host name of a joined namespace is set', change: withNamespace('uts', '/proc/77/ns/uts') },
  { name: 'join-cgroup', purpose: 'a cgroup namespace by path', change: withNamespace('cgroup', '/proc/77/ns/cgroup') },
  { name: 'join-time', purpose: 'a time namespace by path', change: withNamespace('time', '/proc/77/ns/time') },
  { name: 'join-mount', purpose: 'the mount namespace of another: its root is taken, nothing is mounted', change: all(withoutMounts, withNamespace('mount', '/proc/77/ns/mnt'), (spec) => ({ ...spec, root: { path: '/' } })), show: 'full' },
  { name: 'join-user', purpose: 'the user namespace of another', change: withNamespace('user', '/proc/77/ns/user') },
  { name: 'join-network-user', purpose: "a new user namespace: the host's network is joined before, with the host's privilege", change: all(withUserNamespace, withNamespace('network', '/run/netns/blue')) },
  { name: 'join-network-rootless', purpose: 'an ordinary user joins inside of the own user namespace', rootless: true, change: withNamespace('network', '/run/netns/blue') },
  { name: 'join-pod', purpose: 'user, network and pid namespaces of another', change: all(withNamespace('user', '/proc/77/ns/user'), withNamespace('network', '/proc/77/ns/net'), withNamespace('pid', '/proc/77/ns/pid')) },
  { name: 'join-two', purpose: 'a pod: network and ipc of another container', change: all(withNamespace('network', '/proc/77/ns/net'), withNamespace('ipc', '/proc/77/ns/ipc')) },

  { name: 'rootless-network', purpose: 'own network: unshared after the map; sysfs can be mounted', rootless: true, change: withNamespace('network') },
  { name: 'rootless-range', purpose: 'subordinate ids through the helpers: setgroups may be called', rootless: true, options: { mapHelpers: true }, change: all(withLinux({ uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }, { containerID: 1, hostID: 100000, size: 65536 }], gidMappings: [{ containerID: 0, hostID: 1000, size: 1 }, { containerID: 1, hostID: 100000, size: 65536 }] }), withProcess({ user: { uid: 1000, gid: 1000, additionalGids: [5, 6] } })) },
  { name: 'rootless-time', purpose: 'time offsets for an ordinary user', rootless: true, change: all(withNamespace('time'), withLinux({ timeOffsets: { boottime: { secs: 5, nanosecs: 0 } } })) },
  { name: 'rootless-pid-inherited', purpose: "without a pid namespace the caller's procfs is used for sysctls", rootless: true, change: all(withoutNamespace('pid'), withNamespace('network'), withLinux({ sysctl: { 'net.ipv4.ip_forward': '1' } }), (spec) => ({ ...spec, mounts: (spec.mounts ?? []).filter(({ type }) => type !== 'proc') })) },

  { name: 'cgroup-v1', purpose: 'v1: directories, open doors, each joined by the child', cgroup: 'v1', show: 'full' },
  { name: 'cgroup-v2', purpose: 'v2: the clone is born in its cgroup', cgroup: 'v2', show: 'full' },
  { name: 'cgroup-v1-limits', purpose: 'limits of v1, each a step of its own', cgroup: 'v1', change: limits },
  { name: 'cgroup-v2-limits', purpose: 'limits of v2: shares become weight, swap is without memory', cgroup: 'v2', change: limits },
  { name: 'cgroup-hybrid-limits', purpose: 'hybrid: v1 controllers, and the v2 tree without any', cgroup: 'hybrid', change: limits },
  { name: 'cgroup-v1-devices', purpose: 'device rules of v1', cgroup: 'v1', change: devices },
  { name: 'cgroup-v2-devices', purpose: 'device rules of v2: an eBPF program', cgroup: 'v2', change: devices },
  { name: 'cgroup-v1-namespace', purpose: 'v1: joins, then the cgroup namespace', cgroup: 'v1', change: withNamespace('cgroup') },
  { name: 'cgroup-v2-namespace', purpose: 'v2: clone3 with NEWCGROUP and INTO_CGROUP', cgroup: 'v2', change: withNamespace('cgroup') },
  { name: 'cgroup-path', purpose: 'cgroupsPath names the directories', cgroup: 'v1', change: withLinux({ cgroupsPath: '/jobs/batch/one' }) },
  { name: 'cgroup-v2-rootless', purpose: 'an ordinary user with a delegated v2 tree', cgroup: 'v2', rootless: true, change: withNamespace('cgroup') },
];
