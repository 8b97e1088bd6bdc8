// Rows for namespaces, devices, network devices and the rest of config-linux.md, and for features-linux.md.
import { kernel, oci, patch, type Requirement, rows, unit } from './requirement.ts';

const NAMESPACE_CHECK = 'src/spec/namespace-check.ts';
const NAMESPACES_FILE = 'src/plan/compile/namespaces.ts';
const DEVICES = 'src/plan/compile/devices.ts';
const NET = 'src/plan/compile/net-devices.ts';
const LINUX_CHECK = 'src/spec/linux-check.ts';
const FEATURES = 'src/oci/commands/features.ts';

const N = 'config-linux.md#configLinuxNamespaces';
const D = 'config-linux.md#configLinuxNetworkDevices';
const R = 'config-linux.md#configLinuxIntelRdt';

const required = (test: string) => unit('spec/requirements', `requirements: ${test} is refused`);
const shown = (test: string) => oci('conformance-linux', test);
const features = (test: string) => unit('oci/commands/features', `features: ${test}`);

const NAMESPACES: readonly Requirement[] = [
  ...rows(
    {
      [`${N}.2`]: 'all types of namespaces are supported',
      'features-linux.md#linuxFeaturesNamespaces.1': 'the namespaces that features tells are recognised',
    },
    features('every namespace is accepted'),
    patch(NAMESPACE_CHECK, `'cgroup', 'time', ];`, `'cgroup', ];`),
  ),
  ...rows(
    { [`${N}.3`]: 'the path of a namespace is absolute' },
    required('a relative namespace'),
    patch(
      NAMESPACE_CHECK,
      `c.textOrNothing(namespace, 'path', absolutePathRule);`,
      `c.textOrNothing(namespace, 'path');`,
    ),
  ),
  ...rows(
    { [`${N}.4`]: 'a namespace with a path is joined' },
    shown('a namespace is joined by its path'),
    patch(
      NAMESPACES_FILE,
      'if (fd === undefined) return; c[actor]',
      'if (fd !== undefined) return; c[actor]',
    ),
  ),
  ...rows(
    { [`${N}.5`]: 'a path of a namespace of another type is an error' },
    shown('a namespace of another type is refused'),
    [
      ...patch(NAMESPACES_FILE, `sys.check(kind, 'EQ', CLONE_FLAG[type], ERRNO.EINVAL),`, ''),
      ...patch(NAMESPACES_FILE, 'sys.setns(fd, CLONE_FLAG[type]),', 'sys.setns(fd, 0),'),
    ],
  ),
  ...rows(
    { [`${N}.6`]: 'a namespace without a path is a new one' },
    shown('namespaces that are listed are new'),
    'the cgroup namespace of the host',
  ),
  ...rows(
    { [`${N}.7`]: 'a namespace that is not listed is the runtime’s' },
    shown("namespaces that are not listed are the runtime's"),
    patch(
      NAMESPACES_FILE,
      'reduce((sum, type) => sum + CLONE_FLAG[type], CLONE_PIDFD);',
      `reduce((sum, type) => sum + CLONE_FLAG[type], CLONE_PIDFD + (c.isNew('uts') ? 0 : CLONE_NEWUTS));`,
    ),
  ),
  ...rows(
    { [`${N}.8`]: 'two namespaces of one type are an error' },
    required('a namespace twice'),
    patch(NAMESPACE_CHECK, `if (own.has(type)) c.fail`, 'if (own.size > 99) c.fail'),
  ),
];

const NODES: readonly Requirement[] = [
  ...rows(
    { 'runtime-linux.md#runtimeLinuxDevSymbolicLinks.1': 'fd, stdin, stdout and stderr are links in /dev' },
    kernel('devices', '/dev has nothing else but links and the file systems in it'),
    patch(DEVICES, `['/proc/self/fd/2', 'stderr'],`, ''),
  ),
  ...rows(
    { 'config-linux.md#configLinuxDevices.1': 'the devices of the configuration are there' },
    kernel('devices', 'devices of the configuration are made as they say'),
    patch(DEVICES, `if (relative(device.path) === 'dev/ptmx') return;`, 'if (device.path) return;'),
  ),
  ...rows(
    { 'config-linux.md#configLinuxDevices.4': 'another file in the place of a device is an error' },
    kernel(
      'image-nodes',
      'nodes of the image are used when they are what was asked for, and refused when not',
    ),
    patch(
      'src/plan/compile/device-node.ts',
      'if (!isNew) calls.push(...proveNode(',
      'if (isNew) calls.push(...proveNode(',
    ),
  ),
  ...rows(
    {
      'config-linux.md#configLinuxDefaultDevices.1':
        '`null`, `zero`, `full`, `random`, `urandom`, `tty` and `ptmx` are there',
    },
    kernel('devices', 'the default devices are there, with their numbers and modes, and work'),
    patch(DEVICES, `['full', 1, 7],`, ''),
  ),
];

const KEEPS = oci('net-devices', 'a device keeps what it had, is up, and is gone from the host');
const RENAMED = oci('net-devices', "a device is renamed, and the name may be the kernel's to make");
const REFUSED = oci('net-devices', 'what cannot be moved ends the start');

const NET_DEVICES: readonly Requirement[] = [
  ...rows(
    { [`${D}.1`]: 'the network devices of the configuration are in the container' },
    KEEPS,
    patch(NET, '...moveRequest(made.socket, device, pid),', ''),
  ),
  ...rows(
    {
      [`${D}.2`]: 'it is checked whether a device can be moved',
      [`${D}.3`]: 'a name that is taken is an error',
    },
    REFUSED,
    patch(NET, `sys.check(found, 'EQ', -BigInt(ERRNO.ENODEV), ERRNO.EEXIST),`, ''),
  ),
  ...rows(
    { [`${D}.4`]: 'the kernel makes the number of a name with %d' },
    RENAMED,
    patch(
      NET,
      'newName: newName === undefined ||',
      `newName: newName?.includes('%') || newName === undefined ||`,
    ),
  ),
  ...rows(
    { [`${D}.5`]: 'a device keeps its global addresses' },
    KEEPS,
    patch(NET, 'of device.host.addresses.entries()', 'of device.host.addresses.slice(0, 0).entries()'),
  ),
  ...rows(
    {
      [`${D}.7`]: 'the life of a moved device is not managed',
      [`${D}.8`]: 'a moved device is not taken back',
    },
    oci('net-devices', 'a device stays where it was moved to, when the container has gone'),
    patch(NET, '...moveRequest(made.socket, device, pid),', ''),
  ),
  ...rows(
    { [`${D}.6`]: 'a device is up in the container' },
    KEEPS,
    patch(NET, 'linkMessage(place.index, IFF_UP, [])', 'linkMessage(place.index, 0, [])'),
  ),
];

const OTHERS: readonly Requirement[] = [
  ...rows(
    { 'config-linux.md#configLinuxUserNamespaceMappings.4': 'files keep their owners where ids are mapped' },
    oci('conformance-linux', 'files of the root keep their owners where ids are mapped'),
    patch(
      'src/plan/compile/root.ts',
      `c.child('private-root', 'keep mounts below the root private', '/root/path', [`,
      `c.child('private-root', 'keep mounts below the root private', '/root/path', [sys.fchownat(c.root, 'bin', 1, 1, 0),`,
    ),
  ),
  ...rows(
    { [`${R}.6`]: 'the cache schema is one line' },
    required('a cache in two lines'),
    patch(LINUX_CHECK, `c.textOrNothing(rdt, 'l3CacheSchema', lineRule);`, ''),
  ),
  ...rows(
    { [`${R}.7`]: 'the bandwidth schema begins with MB:' },
    required('a bandwidth without MB'),
    patch(LINUX_CHECK, `schema.startsWith('MB:') ? lineRule(schema)`, `schema.length > 0 ? lineRule(schema)`),
  ),
  ...rows(
    { [`${R}.8`]: 'the bandwidth schema is one line' },
    required('a bandwidth in two lines'),
    patch(LINUX_CHECK, `schema.startsWith('MB:') ? lineRule(schema)`, `schema.startsWith('MB:') ? undefined`),
  ),
  ...rows(
    { [`${R}.9`]: 'each schema is one line' },
    required('a schema in two lines'),
    patch(LINUX_CHECK, `c.texts(rdt, 'schemata', lineRule);`, `c.texts(rdt, 'schemata');`),
  ),
  ...rows(
    { 'config-linux.md#configLinuxMaskedPaths.1': 'masked paths are absolute' },
    required('a relative masked path'),
    patch(
      LINUX_CHECK,
      'c.texts(linux, key, absolutePathRule);',
      `c.texts(linux, key, key === 'maskedPaths' ? undefined : absolutePathRule);`,
    ),
  ),
  ...rows(
    { 'config-linux.md#configLinuxReadonlyPaths.1': 'read-only paths are absolute' },
    required('a relative read-only path'),
    patch(
      LINUX_CHECK,
      'c.texts(linux, key, absolutePathRule);',
      `c.texts(linux, key, key === 'readonlyPaths' ? undefined : absolutePathRule);`,
    ),
  ),
];

const L = 'features-linux.md#linuxFeatures';

const FEATURES_ROWS: readonly Requirement[] = [
  ...rows(
    { [`${L}Capabilities.1`]: 'the capabilities that features tells are recognised' },
    features('every capability is accepted'),
    patch(
      FEATURES,
      'capabilities: Object.keys(CAPABILITIES),',
      `capabilities: ['CAP_NONE', ...Object.keys(CAPABILITIES)],`,
    ),
  ),
  ...rows(
    { [`${L}Seccomp.1`]: 'the seccomp actions that features tells are recognised' },
    features('every seccomp action is accepted'),
    patch(FEATURES, `const actions = ['ALLOW',`, `const actions = ['NONE', 'ALLOW',`),
  ),
  ...rows(
    { [`${L}Seccomp.2`]: 'the seccomp operators that features tells are recognised' },
    features('every seccomp operator is accepted'),
    patch(FEATURES, `const operators = ['EQ',`, `const operators = ['NONE', 'EQ',`),
  ),
  ...rows(
    { [`${L}Seccomp.3`]: 'the architectures that features tells are recognised' },
    features('every seccomp architecture is accepted'),
    patch(FEATURES, `x86_64: ['SCMP_ARCH_X86',`, `x86_64: ['SCMP_ARCH_NONE',`),
  ),
  ...rows(
    { [`${L}Seccomp.4`]: 'the known seccomp flags that features tells are recognised' },
    features('every seccomp flag is accepted'),
    patch(FEATURES, 'knownFlags: flags,', `knownFlags: ['NONE'],`),
  ),
  ...rows(
    { [`${L}Seccomp.5`]: 'the supported seccomp flags that features tells are recognised' },
    features('every supported seccomp flag is accepted'),
    patch(FEATURES, 'supportedFlags: flags,', `supportedFlags: ['NONE'],`),
  ),
  ...rows(
    { [`${L}MemoryPolicy.1`]: 'the memory policies that features tells are recognised' },
    features('every memory policy is accepted'),
    patch(FEATURES, `...['MPOL_BIND',`, `...['MPOL_NONE',`),
  ),
  ...rows(
    { [`${L}MemoryPolicy.2`]: 'the flags of memory policies that features tells are recognised' },
    features('every flag of a memory policy is accepted'),
    patch(FEATURES, `flags: ['MPOL_F_NUMA_BALANCING',`, `flags: ['MPOL_F_NONE',`),
  ),
  ...rows(
    { [`${L}MountExtensions.1`]: 'features tells that id-mapped mounts are recognised' },
    features('id-mapped mounts are recognised'),
    patch(
      FEATURES,
      'mountExtensions: { idmap: { enabled: true } },',
      'mountExtensions: { idmap: { enabled: false } },',
    ),
  ),
];

export const LINUX: readonly Requirement[] = [
  ...NAMESPACES,
  ...NODES,
  ...NET_DEVICES,
  ...OTHERS,
  ...FEATURES_ROWS,
];
