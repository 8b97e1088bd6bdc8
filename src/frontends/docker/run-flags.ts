// The flags of `caisson run` as data: docker's, podman's where docker has none, and caisson's own.

import { boolean, camelCase, type Flag, type FlagValues, list, value } from '../flag.ts';

/** What neither docker nor every podman has stands apart in help. */
const OWN = { group: "Options beyond docker's" };

const IMAGE = [
  value('platform', 'Set platform if server is multi-platform capable', { takes: 'string' }),
  value('pull', 'Pull image before running ("always", "missing", "never")', {
    fallback: 'missing',
    completes: ['always', 'missing', 'never'],
  }),
  boolean('quiet', 'Suppress the pull output', { short: 'q' }),
] as const;

const PROCESS = [
  list('env', 'Set environment variables', { short: 'e' }),
  list('env-file', 'Read in a file of environment variables', { completes: 'file' }),
  value('workdir', 'Working directory inside the container', { short: 'w' }),
  value('user', 'Username or UID (format: <name|uid>[:<group|gid>])', { short: 'u' }),
  list('group-add', 'Add additional groups to join'),
  value('entrypoint', 'Overwrite the default ENTRYPOINT of the image'),
  boolean('interactive', 'Keep STDIN open even if not attached', { short: 'i' }),
  boolean('tty', 'Allocate a pseudo-TTY', { short: 't' }),
  value('detach-keys', 'Override the key sequence for detaching a container'),
  boolean('init', 'Run an init inside the container that forwards signals and reaps processes'),
  boolean('sig-proxy', 'Proxy received signals to the process', { fallback: 'true' }),
  value('stop-signal', 'Signal to stop the container'),
  value('timeout', 'Maximum time the container may run; then it is killed', { takes: 'duration', ...OWN }),
  list('ulimit', 'Ulimit options (nofile=1024:2048)', { takes: 'ulimit' }),
  value('oom-score-adj', "Tune host's OOM preferences (-1000 to 1000)", { takes: 'int' }),
  value('umask', 'Set the umask of the container process', { takes: 'octal', ...OWN }),
] as const;

const CONTAINER = [
  value('name', 'Assign a name to the container'),
  boolean('rm', 'Automatically remove the container when it exits'),
  value('hostname', 'Container host name', { short: 'h' }),
  value('domainname', 'Container NIS domain name'),
  list('label', 'Set meta data on a container', { short: 'l' }),
  list('label-file', 'Read in a line delimited file of labels', { completes: 'file' }),
  list('annotation', 'Add an annotation to the container (passed through to the runtime)', { takes: 'map' }),
  value('cidfile', 'Write the container ID to the file', { completes: 'file' }),
] as const;

const ENGINE = [
  list('attach', 'Attach to STDIN, STDOUT or STDERR', {
    short: 'a',
    completes: ['stdin', 'stdout', 'stderr'],
  }),
  boolean('detach', 'Run container in background and print container ID', { short: 'd' }),
  value('restart', 'Restart policy to apply when a container exits', {
    fallback: 'no',
    completes: ['no', 'always', 'unless-stopped', 'on-failure'],
  }),
  value('stop-timeout', 'Timeout (in seconds) to stop a container', { takes: 'int' }),
  value('log-driver', 'Logging driver for the container', { completes: ['json-file', 'k8s-file', 'none'] }),
  list('log-opt', 'Log driver options'),
  value('health-cmd', 'Command to run to check health'),
  value('health-interval', 'Time between running the check (ms|s|m|h)', { takes: 'duration' }),
  value('health-retries', 'Consecutive failures needed to report unhealthy', { takes: 'int' }),
  value('health-start-interval', 'Time between running the check during the start period (ms|s|m|h)', {
    takes: 'duration',
  }),
  value('health-start-period', 'Start period for the container to initialize (ms|s|m|h)', {
    takes: 'duration',
  }),
  value('health-timeout', 'Maximum time to allow one check to run (ms|s|m|h)', { takes: 'duration' }),
  boolean('no-healthcheck', 'Disable any container-specified HEALTHCHECK'),
  list('secret', 'Give a file in memory (id=NAME,src=FILE|env=NAME)', { takes: 'secret' }),
] as const;

const FILES = [
  list('volume', 'Bind mount a volume, directory or file ([NAME:|/host:]/container[:ro,z,U,...])', {
    short: 'v',
    completes: 'directory',
  }),
  list('mount', 'Attach a filesystem mount to the container (type=volume|bind|tmpfs,...)', {
    takes: 'mount',
  }),
  list('volumes-from', 'Mount volumes from the specified container(s)'),
  value('volume-driver', 'Optional volume driver for the container (local)'),
  list('tmpfs', 'Mount a tmpfs directory'),
  value('shm-size', 'Size of /dev/shm', { takes: 'bytes', fallback: '64m' }),
  boolean('read-only', "Mount the container's root filesystem as read only"),
  value('rootfs', 'Use the directory DIR as the root filesystem, in place of an image', {
    takes: 'DIR',
    completes: 'directory',
    ...OWN,
  }),
  value('rootfs-tar', 'Unpack FILE, a tar archive of a root filesystem, and use it in place of an image', {
    takes: 'FILE',
    completes: 'file',
    ...OWN,
  }),
  value('upper', 'Keep the changes to the root filesystem in the directory DIR', {
    takes: 'DIR',
    completes: 'directory',
    ...OWN,
  }),
] as const;

const RESOURCES = [
  value('memory', 'Memory limit', { short: 'm', takes: 'bytes' }),
  value('memory-swap', "Swap limit equal to memory plus swap: '-1' to enable unlimited swap", {
    takes: 'bytes',
  }),
  value('memory-reservation', 'Memory soft limit', { takes: 'bytes' }),
  value('memory-swappiness', 'Tune container memory swappiness (0 to 100)', { takes: 'int', fallback: '-1' }),
  boolean('oom-kill-disable', 'Disable OOM Killer'),
  value('cpus', 'Number of CPUs', { takes: 'decimal' }),
  value('cpu-shares', 'CPU shares (relative weight)', { short: 'c', takes: 'int' }),
  value('cpu-units', 'Reserve CPU units (1024 per core); also the weight', { takes: 'int', ...OWN }),
  value('cpu-period', 'Limit CPU CFS (Completely Fair Scheduler) period', { takes: 'int' }),
  value('cpu-quota', 'Limit CPU CFS (Completely Fair Scheduler) quota', { takes: 'int' }),
  value('cpuset-cpus', 'CPUs in which to allow execution (0-3, 0,1)'),
  value('cpuset-mems', 'MEMs in which to allow execution (0-3, 0,1)'),
  value('pids-limit', 'Tune container pids limit (set -1 for unlimited)', { takes: 'int', fallback: '2048' }),
  value('blkio-weight', 'Block IO (relative weight), between 10 and 1000, or 0 to disable', {
    takes: 'uint16',
  }),
  list('blkio-weight-device', 'Block IO weight (relative device weight)'),
  list('device-read-bps', 'Limit read rate (bytes per second) from a device'),
  list('device-write-bps', 'Limit write rate (bytes per second) to a device'),
  list('device-read-iops', 'Limit read rate (IO per second) from a device'),
  list('device-write-iops', 'Limit write rate (IO per second) to a device'),
  value('cgroup-parent', 'Optional parent cgroup for the container'),
  list('cgroup-conf', 'Write KEY=VALUE to a cgroup v2 file of the container', { takes: 'map', ...OWN }),
] as const;

const SECURITY = [
  list('cap-add', 'Add Linux capabilities'),
  list('cap-drop', 'Drop Linux capabilities'),
  list('security-opt', 'Security Options'),
  boolean('privileged', 'Give extended privileges to this container'),
  list('device', 'Add a host device to the container'),
  value('gpus', "GPU devices to add to the container ('all' to pass all GPUs)"),
  list('device-cgroup-rule', 'Add a rule to the cgroup allowed devices list'),
  list('sysctl', 'Sysctl options', { takes: 'map' }),
] as const;

const HOST_OR_NEW = ['host', 'new'];

const NAMESPACES = [
  value('pid', 'PID namespace to use', { completes: ['host'] }),
  value('ipc', 'IPC mode to use', { completes: ['host', 'private', 'none'] }),
  value('uts', 'UTS namespace to use', { completes: ['host'] }),
  value('userns', 'User namespace to use', { completes: ['host', 'private', 'keep-id', 'nomap', 'auto'] }),
  value('cgroupns', 'Cgroup namespace to use (host|private)', { completes: ['host', 'private'] }),
  list('uidmap', 'Map user ids (container:host:count) in a new user namespace', { takes: 'map', ...OWN }),
  list('gidmap', 'Map group ids (container:host:count) in a new user namespace', { takes: 'map', ...OWN }),
  value('namespaces', 'Make only these namespaces new (mnt,pid,net,ipc,uts,user,cgroup,time)', OWN),
  value('mount-ns', 'Mount namespace: host, new, or a path to join', {
    takes: 'host|new|PATH',
    completes: HOST_OR_NEW,
    ...OWN,
  }),
  value('pid-ns', 'PID namespace: host, new, or a path to join', {
    takes: 'host|new|PATH',
    completes: HOST_OR_NEW,
    ...OWN,
  }),
  value('net-ns', 'Network namespace: host, new, or a path to join', {
    takes: 'host|new|PATH',
    completes: HOST_OR_NEW,
    ...OWN,
  }),
  value('ipc-ns', 'IPC namespace: host, new, or a path to join', {
    takes: 'host|new|PATH',
    completes: HOST_OR_NEW,
    ...OWN,
  }),
  value('uts-ns', 'UTS namespace: host, new, or a path to join', {
    takes: 'host|new|PATH',
    completes: HOST_OR_NEW,
    ...OWN,
  }),
  value('user-ns', 'User namespace: host, new, or a path to join', {
    takes: 'host|new|PATH',
    completes: HOST_OR_NEW,
    ...OWN,
  }),
  value('cgroup-ns', 'Cgroup namespace: host, new, or a path to join', {
    takes: 'host|new|PATH',
    completes: HOST_OR_NEW,
    ...OWN,
  }),
  value('time-ns', 'Time namespace: host, new, or a path to join', {
    takes: 'host|new|PATH',
    completes: HOST_OR_NEW,
    ...OWN,
  }),
  list('timens-offset', 'Offset of a clock of the time namespace (monotonic=3600, boottime=-5.5)', {
    takes: 'map',
    ...OWN,
  }),
] as const;

const NETWORK = [
  value('network', 'Connect a container to a network (none|host)', {
    fallback: 'none',
    completes: ['none', 'host'],
  }),
  list('add-host', 'Add a custom host-to-IP mapping (host:ip)'),
  list('dns', 'Set custom DNS servers'),
  list('dns-search', 'Set custom DNS search domains'),
  list('dns-option', 'Set DNS options'),
] as const;

const KERNEL = [
  value('scheduler', 'Scheduling policy (other, batch, idle, fifo:PRIORITY, rr:PRIORITY, ...)', OWN),
  value('ioprio', 'I/O priority (best-effort:4, realtime:0, idle)', OWN),
  value('cpu-affinity', 'CPUs that the process starts on (0-3,7)', OWN),
  value('memory-policy', 'NUMA memory policy (bind:0-1, interleave:0,1, preferred:0, local)', OWN),
  value('personality', 'Execution domain (linux, linux32)', { completes: ['linux', 'linux32'], ...OWN }),
] as const;

const SEEING = [
  boolean('trace', 'Show the birth of the container as a waterfall, microseconds per step', OWN),
  boolean('show-secrets', 'Do not mask the values of environment variables in plan, trace and errors', OWN),
] as const;

/** Every flag that holds today. */
export const RUN_FLAGS = [
  ...CONTAINER,
  ...ENGINE,
  ...IMAGE,
  ...PROCESS,
  ...FILES,
  ...RESOURCES,
  ...SECURITY,
  ...NAMESPACES,
  ...NETWORK,
  ...KERNEL,
  ...SEEING,
] as const satisfies readonly Flag[];

/** The values of the flags of `caisson run`, as byte strings exactly as they were typed. */
export type RunFlags = FlagValues<typeof RUN_FLAGS>;

/** Every text after a flag. */
export function flagTexts(flags: RunFlags): { readonly name: RunFlagName; readonly value: string }[] {
  return RUN_FLAGS.flatMap(({ name }) => {
    const found = flags[camelCase(name) as keyof RunFlags];
    const values = typeof found === 'string' ? [found] : Array.isArray(found) ? (found as string[]) : [];
    return values.map((value) => ({ name, value }));
  });
}

/** Name of a flag of `caisson run`. */
export type RunFlagName = (typeof RUN_FLAGS)[number]['name'];
