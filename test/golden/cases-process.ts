// Golden cases: the process, its identity, limits, filter and program; and configurations that are refused.
import { type MonitorOptions, monitorPart } from '../../src/plan/compile/monitor.ts';
import type { Spec } from '../../src/spec/runtime-spec.ts';
import { defaultProfile } from '../../src/seccomp/default-profile.ts';
import { all, onlyMounts, withLinux, withMounts, withNamespace, withProcess, withoutMounts, withoutNamespace } from './fixtures.ts';
import type { GoldenCase } from './golden-case.ts';

const CAPABILITIES = ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'];
const seccomp = withLinux({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['getcwd'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }] } });
const named = (change: Partial<Spec>) => (spec: Spec): Spec => ({ ...spec, ...change });

const MONITOR: MonitorOptions = {
  program: '\x7fELF of monitor',
  place: '/var/lib/caisson/containers/golden',
  socket: '/run/caisson/golden/attach',
  input: false,
  run: 1,
  durable: true,
  log: { driver: 'json-file', name: 'golden-json.log', size: 0, files: 1 },
  environment: [],
  exitCommand: ['/usr/bin/caisson', 'system', 'event', 'exit', 'golden'],
  exitDelay: 0,
  keys: [],
  timers: [],
};

export const PROCESS_CASES: readonly GoldenCase[] = [
  { name: 'cwd', purpose: 'found and made below the root, entered after the pivot, proven to be inside', change: withProcess({ cwd: '/srv/app' }) },
  { name: 'cwd-in-mount', purpose: 'a working directory in a mount', change: withProcess({ cwd: '/dev/shm' }) },
  { name: 'user', purpose: 'an ordinary user', change: withProcess({ user: { uid: 1000, gid: 1000 } }) },
  { name: 'user-groups', purpose: 'with further groups', change: withProcess({ user: { uid: 1000, gid: 100, additionalGids: [5, 20, 4294967294] } }) },
  { name: 'user-groups-kept', purpose: 'the groups of the caller stay (podman --group-add keep-groups)', change: named({ annotations: { 'run.oci.keep_original_groups': '1' } }) },
  { name: 'user-umask', purpose: 'with a umask', change: withProcess({ user: { uid: 0, gid: 0, umask: 0o77 } }) },
  { name: 'user-umask-0', purpose: 'umask 0', change: withProcess({ user: { uid: 0, gid: 0, umask: 0 } }) },
  { name: 'capabilities-none', purpose: 'no capabilities: all sets empty', change: withProcess({ capabilities: {} }) },
  { name: 'capabilities-absent', purpose: 'the field is absent: as empty', change: (spec) => { const { capabilities: _none, ...process } = spec.process ?? { user: { uid: 0, gid: 0 }, cwd: '/' }; return { ...spec, process }; } },
  { name: 'capabilities-ambient', purpose: 'ambient capabilities for a user that is not root', change: withProcess({ user: { uid: 1000, gid: 1000 }, capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES, inheritable: CAPABILITIES, ambient: ['CAP_NET_BIND_SERVICE'] } }) },
  { name: 'capabilities-of-the-caller', purpose: 'the caller cannot give what it does not have', facts: { permitted: [0x20, 0] } },
  { name: 'capabilities-old-kernel', purpose: 'a kernel that knows fewer', facts: { lastCapability: 37 } },
  { name: 'no-new-privileges-off', purpose: 'no_new_privs is not set', change: withProcess({ noNewPrivileges: false }) },
  { name: 'seccomp', purpose: 'with no_new_privs: the filter is last', change: seccomp },
  { name: 'seccomp-with-privileges', purpose: 'without no_new_privs: before capabilities are dropped', change: all(seccomp, withProcess({ noNewPrivileges: false })) },
  { name: 'seccomp-flags', purpose: 'flags of the filter', change: withLinux({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW', flags: ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'] } }) },
  { name: 'seccomp-default', purpose: "caisson's own profile on x86-64", change: withLinux({ seccomp: defaultProfile('x86_64', CAPABILITIES) }) },
  { name: 'seccomp-default-aarch64', purpose: "caisson's own profile on arm64", arch: 'aarch64', change: withLinux({ seccomp: defaultProfile('aarch64', CAPABILITIES) }) },
  { name: 'apparmor', purpose: 'the profile of the next program, through a private procfs', change: withProcess({ apparmorProfile: 'docker-default' }) },
  { name: 'apparmor-rootless', purpose: 'the procfs is opened before the masks', rootless: true, change: withProcess({ apparmorProfile: 'docker-default' }) },
  { name: 'selinux', purpose: 'the label of the next program', facts: { selinux: true }, change: withProcess({ selinuxLabel: 'system_u:system_r:container_t:s0:c1,c2' }) },
  { name: 'rlimits', purpose: 'in order, 64 bits exact', change: withProcess({ rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 4096 }, { type: 'RLIMIT_CORE', soft: 0, hard: 2n ** 64n - 1n }, { type: 'RLIMIT_AS', soft: 2n ** 63n, hard: 2n ** 63n + 1n }] }) },
  { name: 'oom-score', purpose: 'first of all, while /proc is there', change: withProcess({ oomScoreAdj: 500 }) },
  { name: 'scheduler', purpose: 'SCHED_BATCH with a nice value', change: withProcess({ scheduler: { policy: 'SCHED_BATCH', nice: 5, flags: ['SCHED_FLAG_RESET_ON_FORK'] } }) },
  { name: 'scheduler-deadline', purpose: 'SCHED_DEADLINE, 64 bits exact', change: withProcess({ scheduler: { policy: 'SCHED_DEADLINE', runtime: 10000000, deadline: 30000000, period: 2n ** 60n } }) },
  { name: 'io-priority', purpose: 'class and priority', change: withProcess({ ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 } }) },
  { name: 'memory-policy', purpose: 'nodes as a bit mask', change: withLinux({ memoryPolicy: { mode: 'MPOL_BIND', nodes: '0-1,65', flags: ['MPOL_F_STATIC_NODES'] } }) },
  { name: 'personality', purpose: 'a 32-bit machine name', change: withLinux({ personality: { domain: 'LINUX32' } }) },
  { name: 'sysctl', purpose: 'through a private procfs, inside of it', change: withLinux({ sysctl: { 'net.ipv4.ip_forward': '1', 'kernel.msgmax': '65536' } }) },
  { name: 'hostname', purpose: 'host and domain name', change: named({ hostname: 'blue', domainname: 'example.org' }) },
  { name: 'hostname-none', purpose: 'the name of the host stays', change: named({ hostname: '' }) },
  { name: 'program-in-path', purpose: 'each directory of PATH is tried', change: withProcess({ args: ['sh', '-c', 'exit 7'] }) },
  { name: 'program-default-path', purpose: 'without PATH the usual directories', change: withProcess({ args: ['sh'], env: [] }) },
  { name: 'program-empty-path', purpose: 'an empty entry is the current directory; the last PATH counts', change: withProcess({ args: ['sh'], env: ['PATH=/x', 'PATH=:/bin:'] }) },
  { name: 'program-bytes', purpose: 'arguments are bytes', change: withProcess({ args: ['/bin/caf\xe9', 'two words', '"\n\x1b', ''] }) },
  { name: 'secrets-masked', purpose: 'values of the environment are not shown', change: withProcess({ env: ['TOKEN=hunter2', 'EMPTY=', 'NAMEONLY'] }) },
  { name: 'secrets-shown', purpose: 'unless asked for', change: withProcess({ env: ['TOKEN=hunter2', 'EMPTY=', 'NAMEONLY'] }), options: { showSecrets: true } },
  { name: 'init', purpose: 'PID 1 from a sealed memory file', options: { initProgram: '\x7fELF of init' } },
  { name: 'monitor', purpose: 'pipes, and a launcher that becomes the monitor', options: { monitor: monitorPart(MONITOR) } },
  { name: 'monitor-attached', purpose: 'the command stays, with its descriptors', options: { monitor: monitorPart({ ...MONITOR, input: true, attached: [0, 1, 2] }) } },
  { name: 'monitor-terminal', purpose: 'the master of the terminal is the monitor’s', change: withProcess({ terminal: true }), options: { monitor: monitorPart({ ...MONITOR, keys: [16, 17], attached: [0, 1, 2] }) } },
  { name: 'trace', purpose: 'the child answers before it executes', options: { trace: true } },
  { name: 'dies-with-parent', purpose: 'the death signal, after the change of user', options: { dieWithParent: true }, change: withProcess({ user: { uid: 1000, gid: 1000 } }) },
  { name: 'keyring-inherited', purpose: 'no session keyring', options: { noNewKeyring: true } },
  { name: 'everything', purpose: 'many things at once, in order', show: 'full', cgroup: 'v2', options: { dieWithParent: true }, change: all(seccomp, withNamespace('cgroup'), withNamespace('time'), named({ domainname: 'example.org' }), withLinux({ sysctl: { 'kernel.shmmni': '4096' }, timeOffsets: { monotonic: { secs: 1, nanosecs: 0 } }, rootfsPropagation: 'rslave', personality: { domain: 'LINUX' } }), withProcess({ terminal: true, consoleSize: { height: 24, width: 80 }, user: { uid: 1000, gid: 1000, additionalGids: [10], umask: 0o27 }, cwd: '/home/app', apparmorProfile: 'docker-default', oomScoreAdj: 100, ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 0 }, scheduler: { policy: 'SCHED_OTHER', nice: 3 } })) },

  { name: 'refused-proc-destination', purpose: 'a mount below /proc', refused: true, change: withMounts({ destination: '/proc/self/attr', type: 'tmpfs', source: 'tmpfs' }) },
  { name: 'refused-typeless-mount', purpose: 'a mount of nothing', refused: true, change: withMounts({ destination: '/x', source: '/srv/data' }) },
  { name: 'refused-apparmor', purpose: 'a profile where AppArmor is off', refused: true, facts: { apparmor: false }, change: withProcess({ apparmorProfile: 'docker-default' }) },
  { name: 'refused-selinux', purpose: 'a label where SELinux is off', refused: true, change: withProcess({ selinuxLabel: 'x' }) },
  { name: 'ignored-signals', purpose: 'what the caller ignores is default again, what cannot be ignored is left', facts: { ignoredSignals: [1, 9, 15, 13, 64] } },
  { name: 'mount-label', purpose: 'the context of every new file system but the kernel’s own', facts: { selinux: true }, change: withLinux({ mountLabel: 'system_u:object_r:container_file_t:s0:c1,c2' }) },
  { name: 'mount-label-root-context', purpose: 'only the root of each new file system', facts: { selinux: true }, change: all(withLinux({ mountLabel: 'system_u:object_r:container_file_t:s0' }), named({ annotations: { 'run.oci.mount_context_type': 'rootcontext' } })) },
  { name: 'refused-mount-label', purpose: 'a label for mounts where SELinux is off', refused: true, change: withLinux({ mountLabel: 'system_u:object_r:container_file_t:s0' }) },
  { name: 'refused-idmap', purpose: 'an id-mapped mount without a user namespace to take the mapping from', refused: true, change: withMounts({ destination: '/x', source: '/srv/data', options: ['bind', 'idmap'] }) },
  { name: 'refused-mounts-without-namespace', purpose: 'mounts would be the host\'s', refused: true, change: withoutNamespace('mount') },
  { name: 'refused-terminal-without-namespace', purpose: 'a terminal needs a devpts', refused: true, change: all(withoutMounts, withoutNamespace('mount'), withProcess({ terminal: true })) },
  { name: 'refused-masks-without-namespace', purpose: 'masks would be the host\'s', refused: true, change: all(onlyMounts(), withoutNamespace('mount')) },
];
