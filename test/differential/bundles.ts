// The configurations that runc, crun and caisson are compared with: `runc spec`'s, each with one subject changed.

import { exampleSpec } from '../../src/spec/defaults.ts';
import type { LinuxNamespaceType } from '../../src/spec/linux-spec.ts';
import type { Mount, Spec } from '../../src/spec/runtime-spec.ts';

/** One configuration; the program is /bin/sh /report unless it says otherwise. */
export interface Bundle {
  readonly name: string;
  readonly spec: Spec;
}

/** Lies in every bundle's root beside busybox: what mounts and masks refer to. */
export const EXTRA_DIRECTORIES = ['covered/inside', 'work', 'var/filled'];
export const EXTRA_FILES = ['covered/file', 'var/filled/file'];

type Process = NonNullable<Spec['process']>;
type Linux = NonNullable<Spec['linux']>;

interface Change {
  readonly process?: Partial<Process>;
  readonly linux?: Partial<Linux>;
  readonly root?: Partial<NonNullable<Spec['root']>>;
  readonly spec?: Partial<Spec>;
  readonly mounts?: readonly Mount[];
}

function bundle(
  name: string,
  { process = {}, linux = {}, root = {}, spec = {}, mounts = [] }: Change = {},
): Bundle {
  const base = exampleSpec();
  if (base.process === undefined || base.root === undefined)
    throw new Error('the example has a process and a root');
  const changed: Spec = {
    ...base,
    ociVersion: '1.0.2',
    process: {
      ...base.process,
      terminal: false,
      args: ['/bin/sh', '/report'],
      env: ['PATH=/bin', 'LANG=C'],
      ...process,
    },
    root: { ...base.root, ...root },
    mounts: [...(base.mounts ?? []), ...mounts],
    linux: { ...base.linux, ...linux },
    ...spec,
  };
  return { name, spec: changed };
}

const TYPES: readonly LinuxNamespaceType[] = ['pid', 'network', 'ipc', 'uts', 'mount'];
const types = (...wanted: readonly LinuxNamespaceType[]) => wanted.map((type) => ({ type }));
const without = (type: LinuxNamespaceType) => types(...TYPES.filter((each) => each !== type));

const DEFAULT_MOUNTS = exampleSpec().mounts ?? [];
const withoutMount = (destination: string) =>
  DEFAULT_MOUNTS.filter((mount) => mount.destination !== destination);
const tmpfs = (destination: string, ...options: string[]): Mount => ({
  destination,
  type: 'tmpfs',
  source: 'tmpfs',
  options,
});
const bind = (source: string, destination: string, ...options: string[]): Mount => ({
  destination,
  type: 'bind',
  source,
  options,
});
const sets = (...names: string[]) => ({ bounding: names, effective: names, permitted: names });

const ALL_CAPABILITIES = [
  ...[
    'CHOWN',
    'DAC_OVERRIDE',
    'DAC_READ_SEARCH',
    'FOWNER',
    'FSETID',
    'KILL',
    'SETGID',
    'SETUID',
    'SETPCAP',
    'LINUX_IMMUTABLE',
  ],
  ...[
    'NET_BIND_SERVICE',
    'NET_BROADCAST',
    'NET_ADMIN',
    'NET_RAW',
    'IPC_LOCK',
    'IPC_OWNER',
    'SYS_RAWIO',
    'SYS_CHROOT',
    'SYS_PTRACE',
  ],
  ...[
    'SYS_ADMIN',
    'SYS_NICE',
    'SYS_TTY_CONFIG',
    'MKNOD',
    'LEASE',
    'AUDIT_WRITE',
    'AUDIT_CONTROL',
    'SETFCAP',
    'SYSLOG',
    'WAKE_ALARM',
  ],
].map((name) => `CAP_${name}`);

const exits = (name: string, ...args: string[]) => bundle(`exit: ${name}`, { process: { args } });

const seccomp = (
  names: string[],
  action: 'SCMP_ACT_ERRNO' | 'SCMP_ACT_KILL_PROCESS',
  errnoRet?: number,
): Partial<Linux> => ({
  seccomp: {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
    syscalls: [{ names, action, ...(errnoRet === undefined ? {} : { errnoRet }) }],
  },
});

const NAMESPACE_BUNDLES = [
  bundle('without a pid namespace', { linux: { namespaces: without('pid') } }),
  bundle('without a network namespace', { linux: { namespaces: without('network') } }),
  bundle('without an ipc namespace', {
    linux: { namespaces: without('ipc') },
    spec: { mounts: withoutMount('/dev/mqueue') },
  }),
  bundle('without a uts namespace', { linux: { namespaces: without('uts') }, spec: { hostname: undefined } }),
  bundle('with a cgroup namespace', { linux: { namespaces: types(...TYPES, 'cgroup') } }),
  bundle('with a user namespace', {
    linux: {
      namespaces: types(...TYPES, 'user'),
      uidMappings: [{ containerID: 0, hostID: 100_000, size: 1000 }],
      gidMappings: [{ containerID: 0, hostID: 100_000, size: 1000 }],
    },
  }),
  bundle('with a time namespace', {
    linux: {
      namespaces: types(...TYPES, 'time'),
      timeOffsets: { boottime: { secs: 86_400, nanosecs: 0 }, monotonic: { secs: 100, nanosecs: 5 } },
    },
  }),
  bundle('hostname and domain name', { spec: { hostname: 'other-host', domainname: 'example.org' } }),
  bundle('neither hostname nor domain name', { spec: { hostname: undefined } }),
];

const PATH_BUNDLES = [
  bundle('writable root', { root: { readonly: false } }),
  bundle('no masks and no read-only paths', { linux: { maskedPaths: [], readonlyPaths: [] } }),
  bundle('masks of files, directories and what is not there', {
    linux: { maskedPaths: ['/proc/keys', '/etc/group', '/var/filled', '/no/such', '/proc/bus'] },
  }),
  bundle('read-only paths of the image', {
    root: { readonly: false },
    linux: { readonlyPaths: ['/var', '/etc/group', '/no/such', '/proc/sys'] },
  }),
  bundle('root propagation shared', { linux: { rootfsPropagation: 'shared' } }),
  bundle('root propagation slave', { linux: { rootfsPropagation: 'slave' } }),
  bundle('root propagation private', { linux: { rootfsPropagation: 'private' } }),
];

const MOUNT_BUNDLES = [
  bundle('tmpfs with options', {
    mounts: [
      tmpfs('/tmp', 'nosuid', 'noexec', 'nodev', 'size=1m', 'mode=1770', 'nr_inodes=99', 'uid=7', 'gid=8'),
      tmpfs('/work', 'ro', 'noatime', 'nodiratime'),
      tmpfs('/var', 'strictatime', 'sync', 'dirsync', 'mode=700'),
    ],
  }),
  bundle('tmpfs that copies up', { mounts: [tmpfs('/var', 'tmpcopyup', 'mode=755')] }),
  bundle('binds', {
    root: { readonly: false },
    mounts: [
      bind('/etc', '/work', 'bind', 'ro'),
      bind('/usr/share', '/made/by/mount', 'rbind', 'nosuid', 'nodev', 'noexec', 'ro'),
      bind('/etc/passwd', '/etc/passwd', 'bind', 'ro', 'noatime'),
      bind('/etc/passwd', '/made/a-file', 'bind'),
    ],
  }),
  bundle('binds without a type, and with a type of their own', {
    mounts: [
      { destination: '/work', source: '/etc', options: ['bind', 'ro'] },
      { destination: '/var', source: '/etc', type: 'none', options: ['rbind', 'rw', 'nosuid'] },
    ],
  }),
  bundle('propagation of mounts', {
    mounts: [
      bind('/etc', '/work', 'rbind', 'rshared'),
      bind('/etc', '/var', 'bind', 'slave'),
      tmpfs('/tmp', 'unbindable'),
    ],
  }),
  bundle('recursively read-only', { mounts: [bind('/usr', '/work', 'rbind', 'rro', 'rnosuid')] }),
  bundle('mounts on mounts', {
    mounts: [tmpfs('/tmp', 'mode=755'), tmpfs('/tmp/deep/er', 'mode=711'), bind('/etc', '/tmp/etc', 'bind')],
  }),
  bundle('a proc with options', {
    spec: {
      mounts: [
        ...withoutMount('/proc'),
        {
          destination: '/proc',
          type: 'proc',
          source: 'proc',
          options: ['hidepid=2', 'nosuid', 'noexec', 'nodev'],
        },
      ],
    },
  }),
  bundle('no /dev/shm, no mqueue, no cgroup mount', {
    spec: { mounts: DEFAULT_MOUNTS.filter(({ destination }) => !/shm|mqueue|cgroup/.test(destination)) },
  }),
];

const PROCESS_BUNDLES = [
  bundle('no capabilities', { process: { capabilities: sets() } }),
  bundle('no object of capabilities', { process: { capabilities: undefined } }),
  bundle('all capabilities', { process: { capabilities: sets(...ALL_CAPABILITIES) } }),
  bundle('inheritable and ambient capabilities of a user', {
    process: {
      user: { uid: 1000, gid: 1001 },
      capabilities: { ...sets('CAP_KILL', 'CAP_CHOWN'), inheritable: ['CAP_KILL'], ambient: ['CAP_KILL'] },
    },
  }),
  bundle('a bounding set that is larger than the rest', {
    process: {
      capabilities: {
        bounding: ['CAP_KILL', 'CAP_CHOWN', 'CAP_MKNOD'],
        effective: ['CAP_KILL'],
        permitted: ['CAP_KILL', 'CAP_CHOWN'],
      },
    },
  }),
  bundle('devices can be made', { process: { capabilities: sets(...ALL_CAPABILITIES, 'CAP_MKNOD') } }),
  bundle('a user with groups and a umask', {
    process: { user: { uid: 1000, gid: 1001, additionalGids: [5, 50, 63], umask: 0o27 } },
  }),
  bundle('the root user with groups', { process: { user: { uid: 0, gid: 0, additionalGids: [10, 20] } } }),
  bundle('resource limits', {
    process: {
      rlimits: [
        { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
        { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
        { type: 'RLIMIT_STACK', soft: 4 << 20, hard: 8 << 20 },
        { type: 'RLIMIT_NPROC', soft: 500, hard: 600 },
        { type: 'RLIMIT_FSIZE', soft: 1 << 30, hard: 1 << 30 },
        { type: 'RLIMIT_MSGQUEUE', soft: 1000, hard: 2000 },
      ],
    },
  }),
  bundle('no resource limits', { process: { rlimits: [] } }),
  bundle('new privileges allowed', { process: { noNewPrivileges: false } }),
  bundle('an out-of-memory score', { process: { oomScoreAdj: 500 } }),
  bundle('a working directory', { process: { cwd: '/home/alice' } }),
  bundle('a working directory that is made', { root: { readonly: false }, process: { cwd: '/made/below' } }),
  bundle('an environment', {
    process: {
      env: [
        'PATH=/bin',
        'EMPTY=',
        'SPACE=a b',
        'EQUALS=a=b',
        'TWICE=1',
        'TWICE=2',
        'HOME=/elsewhere',
        'UTF=äß',
      ],
    },
  }),
  bundle('an environment with an empty HOME', { process: { env: ['PATH=/bin', 'HOME='] } }),
  bundle('an environment without HOME for a user of the image', {
    process: { env: ['PATH=/bin'], user: { uid: 1000, gid: 1001 } },
  }),
  bundle('an I/O priority', { process: { ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 6 } } }),
  bundle('a scheduler', { process: { scheduler: { policy: 'SCHED_BATCH', nice: 5 } } }),
  bundle('a personality', { linux: { personality: { domain: 'LINUX32' } } }),
];

const KERNEL_BUNDLES = [
  bundle('sysctls', {
    linux: {
      sysctl: {
        'net.ipv4.ip_forward': '1',
        'net.ipv4.ip_unprivileged_port_start': '80',
        'kernel.msgmax': '9000',
        'net.core.somaxconn': '99',
        'fs.mqueue.msg_max': '20',
      },
    },
  }),
  bundle('seccomp: errors', { linux: seccomp(['mkdir', 'chown'], 'SCMP_ACT_ERRNO') }),
  bundle('seccomp: an error number', { linux: seccomp(['mkdir', 'getpid'], 'SCMP_ACT_ERRNO', 38) }),
  bundle('seccomp: with new privileges', {
    process: { noNewPrivileges: false },
    linux: seccomp(['mkdir'], 'SCMP_ACT_ERRNO'),
  }),
  bundle('seccomp: an argument', {
    linux: {
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [
          {
            names: ['personality'],
            action: 'SCMP_ACT_ERRNO',
            errnoRet: 7,
            args: [{ index: 0, value: 0xffffffff, op: 'SCMP_CMP_EQ' }],
          },
        ],
      },
    },
  }),
  bundle('seccomp: kill', { linux: seccomp(['mkdir'], 'SCMP_ACT_KILL_PROCESS') }),
  bundle('devices', {
    linux: {
      devices: [
        { path: '/dev/mine', type: 'c', major: 1, minor: 5, fileMode: 0o640, uid: 1000, gid: 1001 },
        { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 },
        { path: '/dev/block', type: 'b', major: 7, minor: 0, fileMode: 0o600, uid: 0, gid: 6 },
        { path: '/dev/pipe', type: 'p', fileMode: 0o622, uid: 0, gid: 0 },
      ],
      resources: {
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
        ],
      },
    },
    process: { capabilities: sets(...ALL_CAPABILITIES) },
  }),
  bundle('cgroup limits', {
    linux: {
      resources: {
        devices: [{ allow: false, access: 'rwm' }],
        memory: { limit: 64 << 20 },
        pids: { limit: 50 },
        cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: '0' },
      },
    },
  }),
  bundle('a cgroup path', { linux: { cgroupsPath: '/caisson-test/report-path' } }),
];

const EXIT_BUNDLES = [
  exits('a code', '/bin/sh', '-c', 'exit 42'),
  exits('a signal', '/bin/sh', '-c', 'kill -KILL $$; sleep 1; exit 3'),
  exits('output and error', '/bin/sh', '-c', 'echo out; echo err >&2; exit 1'),
  exits('no such program', '/no/such/program'),
  exits('a directory', '/etc'),
  exits('not executable', '/etc/passwd'),
  exits('found in PATH', 'echo', 'found'),
  exits('not found in PATH', 'no-such-program'),
];

/** All of them. */
export const BUNDLES: readonly Bundle[] = [
  bundle('the default'),
  ...NAMESPACE_BUNDLES,
  ...PATH_BUNDLES,
  ...MOUNT_BUNDLES,
  ...PROCESS_BUNDLES,
  ...KERNEL_BUNDLES,
  ...EXIT_BUNDLES,
];
