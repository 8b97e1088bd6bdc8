// The mounts that every container has, docker's, and how inherited namespaces and missing ids change them.

import type { Bytes } from '../../linux/bytes.ts';
import type { Int64, Mount } from '../../spec/runtime-spec.ts';
import type { IdMaps } from './facts.ts';
import { isMapped } from './id-maps.ts';
import type { NamespaceModes } from './namespaces.ts';
import type { Sourced } from './recorder.ts';

/** docker's default size of /dev/shm in bytes. */
export const SHM_SIZE = 64 * 1024 * 1024;

/** What the default mounts depend on. */
export interface DefaultMountInput {
  readonly modes: NamespaceModes;
  readonly maps: IdMaps | undefined;
  readonly privileged: boolean;
  readonly writableCgroups: boolean;
  readonly shmSize: Sourced<Int64>;
}

/** /proc, /dev and below, /sys and the cgroup tree. */
export function defaultMounts(input: DefaultMountInput): Sourced<Mount>[] {
  return [
    procMount(input),
    plain('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    devptsMount(input),
    sysMount(input),
    cgroupMount(input),
    ...ipcMounts(input),
  ];
}

function plain(destination: Bytes, type: Bytes, source: Bytes, options: readonly Bytes[]): Sourced<Mount> {
  return { value: { destination, type, source, options } };
}

/** A bind of the host's own, for what the kernel does not let a user namespace mount anew. */
function bind(path: Bytes, ...options: readonly Bytes[]): Sourced<Mount> {
  return plain(path, 'bind', path, ['rbind', 'nosuid', 'noexec', 'nodev', ...options]);
}

/** procfs belongs to the pid namespace: mounting it needs privilege over that one (user_namespaces(7)). */
function procMount({ modes, maps }: DefaultMountInput): Sourced<Mount> {
  if (maps !== undefined && modes.pid.value !== 'new') return bind('/proc');
  return plain('/proc', 'proc', 'proc', ['nosuid', 'noexec', 'nodev']);
}

/** Group 5 is tty on every distribution; without that id in the map the mount would fail. */
function devptsMount({ maps }: DefaultMountInput): Sourced<Mount> {
  const options = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'];
  if (maps === undefined || isMapped(maps.gidMappings, 5)) options.push('gid=5');
  return plain('/dev/pts', 'devpts', 'devpts', options);
}

/** sysfs belongs to the network namespace, as procfs to the pid namespace. */
function sysMount({ modes, maps, privileged }: DefaultMountInput): Sourced<Mount> {
  if (maps !== undefined && modes.network.value !== 'new')
    return bind('/sys', ...(privileged ? [] : ['rro']));
  return plain('/sys', 'sysfs', 'sysfs', ['nosuid', 'noexec', 'nodev', privileged ? 'rw' : 'ro']);
}

function cgroupMount({ privileged, writableCgroups }: DefaultMountInput): Sourced<Mount> {
  const access = privileged || writableCgroups ? 'rw' : 'ro';
  return plain('/sys/fs/cgroup', 'cgroup', 'cgroup', ['nosuid', 'noexec', 'nodev', 'relatime', access]);
}

/**
 * With the host's IPC namespace its message queues and shared memory (docker-run(1), --ipc). mqueue shows the
 * queues of the namespace wherever it is mounted, but a user namespace of its own has no right to mount the host's,
 * and a host need not have it mounted (mq_overview(7)): then it is left out, and mq_open(3) works as before.
 */
function ipcMounts({ modes, maps, shmSize }: DefaultMountInput): Sourced<Mount>[] {
  const { value: mode } = modes.ipc;
  const queues =
    maps !== undefined && mode !== 'new'
      ? []
      : [plain('/dev/mqueue', 'mqueue', 'mqueue', ['nosuid', 'noexec', 'nodev'])];
  if (mode === 'host') return [...queues, bind('/dev/shm')];
  const options = ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${shmSize.value}`];
  const shm: Mount = { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options };
  return [...queues, shmSize.source === undefined ? { value: shm } : { value: shm, source: shmSize.source }];
}
