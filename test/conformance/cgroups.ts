// Rows for control groups: config-linux.md from cgroupsPath to unified.
import { oci, patch, type Requirement, rows, unit } from './requirement.ts';

const CREATE = 'src/cgroups/create.ts';
const OWNERSHIP = 'src/cgroups/ownership.ts';
const PATH = 'src/cgroups/path.ts';
const RESOURCES = 'src/spec/resource-check.ts';
const C = 'config-linux.md#configLinuxCgroupsPath';

const required = (test: string) => unit('spec/requirements', `requirements: ${test} is refused`);

const PLACES: readonly Requirement[] = [
  ...rows(
    { 'config-linux.md#configLinuxControlGroups.1': 'a cgroup that is not fit to be used is an error' },
    unit('cgroups/create', 'an existing cgroup must be empty and not frozen'),
    patch(CREATE, '...(suspect ? thawedCheck(cgroup, check) : []),', ''),
  ),
  ...rows(
    { [`${C}.1`]: 'the path is absolute or relative, and each has its place' },
    oci('cgroups', 'without a path the id is below the own cgroup, a relative path too'),
    patch(PATH, `absolute: text.startsWith('/'), provenance`, 'absolute: true, provenance'),
  ),
  ...rows(
    {
      [`${C}.2`]: 'an absolute path begins at the mount of the cgroups',
      [`${C}.3`]: 'one path is one place',
    },
    unit('cgroups/path', 'an absolute path is below every mount point'),
    patch(
      PATH,
      'path.absolute ? hierarchy.mountPoint : relativeBase(hierarchy, path)',
      'relativeBase(hierarchy, path)',
    ),
  ),
  ...rows(
    { [`${C}.4`]: 'a path that cannot be one is an error' },
    oci('cgroups', 'paths that are no paths of cgroups'),
    patch(
      PATH,
      `if (components.length === 0) throw`,
      'if (components.length === 0) components.push("caisson-root");\n  if (components.length === 0) throw',
    ),
  ),
  ...rows(
    { [`${C}.6`]: 'the owner of cgroups changes with a new cgroup namespace only' },
    unit('cgroups/ownership', 'cgroup ownership: it stays without a new cgroup namespace'),
    patch(OWNERSHIP, `!isNew(spec, 'cgroup')`, 'false'),
  ),
  ...rows(
    { [`${C}.7`]: 'the owner of cgroups changes where they are mounted writable' },
    unit(
      'cgroups/ownership',
      'cgroup ownership: a new cgroup namespace and a writable mount of v2 give it to the user',
    ),
    patch(OWNERSHIP, 'return uid === 0 ? undefined : uid;', 'return uid === 0 ? uid : undefined;'),
  ),
  ...rows(
    { [`${C}.8`]: 'the owner of cgroups stays without such a mount' },
    unit('cgroups/ownership', 'cgroup ownership: it stays without a writable mount'),
    patch(OWNERSHIP, ' || !isWritable(spec)', ''),
  ),
  ...rows(
    { [`${C}.5`]: 'cgroups of v1 keep their owner' },
    unit('cgroups/create', 'a v2 cgroup can be given to the user inside'),
    patch(
      CREATE,
      'if (owner === undefined || cgroup.version === 1) return [];',
      'if (owner === undefined) return [];',
    ),
  ),
  ...rows(
    {
      [`${C}.9`]: 'only the directory and the delegated files change their owner',
      [`${C}.13`]: 'no other file changes its owner',
    },
    unit('cgroups/create', 'a v2 cgroup can be given to the user inside'),
    patch(
      CREATE,
      `const files = (owner.files ?? DELEGATED).filter((file) => !file.includes('/'));`,
      `const files = ['memory.max', ...(owner.files ?? DELEGATED)];`,
    ),
  ),
  ...rows(
    {
      [`${C}.10`]: 'a delegated file that is not there is no error',
      [`${C}.11`]: 'the delegated files that are there change their owner',
    },
    unit('cgroups/create', 'a v2 cgroup can be given to the user inside'),
    patch(
      CREATE,
      'fchownat(directory, file, uid, gid, 0, { tolerate: [ERRNO.ENOENT] })',
      'fchownat(directory, `${file}.not`, uid, gid, 0)',
    ),
  ),
  ...rows(
    { [`${C}.12`]: 'without a list of the kernel three files are delegated' },
    unit('cgroups/create', 'where the kernel does not say what is delegated it is three files'),
    patch(CREATE, `'cgroup.subtree_control', 'cgroup.threads'];`, `'cgroup.subtree_control'];`),
  ),
];

const LIMITS: readonly Requirement[] = [
  ...rows(
    { 'config-linux.md#configLinuxDeviceAllowedlist.1': 'rules of devices hold in their order' },
    unit('cgroups/devices', 'a later rule takes access back, from narrower exceptions too'),
    patch(
      'src/cgroups/device-list.ts',
      'const rule = rules[index] as LinuxDeviceCgroup;',
      'const rule = rules[rules.length - 1 - index] as LinuxDeviceCgroup;',
    ),
  ),
  ...rows(
    { 'config-linux.md#configLinuxMemory.1': 'with checkBeforeUpdate a limit below the usage is an error' },
    unit('cgroups/resources', 'checkBeforeUpdate refuses a limit below the usage'),
    patch(
      'src/cgroups/resource-fields.ts',
      'if (memory.checkBeforeUpdate !== true ||',
      'if (memory.checkBeforeUpdate === true ||',
    ),
  ),
  ...rows(
    {
      'config-linux.md#configLinuxCPU.1': 'a quota is no smaller than the burst',
      'config-linux.md#configLinuxCPU.2': 'a burst is no larger than the quota',
    },
    required('a burst above the quota'),
    patch(RESOURCES, 'if (quota > 0 && burst > quota)', 'if (quota < 0 && burst > quota)'),
  ),
  ...rows(
    { 'config-linux.md#configLinuxBlockIO.2': 'a device has weight or leafWeight' },
    required('a device without weights'),
    patch(
      RESOURCES,
      'if (device.weight === undefined && device.leafWeight === undefined)',
      'if (device.major === undefined)',
    ),
  ),
  ...rows(
    { 'config-linux.md#configLinuxRDMA.1': 'an RDMA device has hcaHandles or hcaObjects' },
    required('an RDMA device without limits'),
    patch(
      RESOURCES,
      'if (rdma.hcaHandles === undefined && rdma.hcaObjects === undefined)',
      'if (rdma.none === null)',
    ),
  ),
  ...rows(
    { 'config-linux.md#configLinuxPIDS.1': 'a limit of 0 processes is a limit' },
    unit('cgroups/resources', 'pids: 0 leaves room for the first process, below 0 is no limit'),
    patch('src/cgroups/resources-v1.ts', `pids.limit < 0 ? 'max'`, `pids.limit <= 0 ? 'max'`),
  ),
  ...rows(
    { 'config-linux.md#configLinuxUnified.1': 'the controllers of unified files are enabled' },
    unit('cgroups/create', 'beside v1 the controllers of v2 are enabled only for a limit that needs them'),
    patch(
      CREATE,
      `cgroup.version === 2 ? [controllerOf(limit.file)] : []`,
      `cgroup.version === 1 ? [controllerOf(limit.file)] : []`,
    ),
  ),
  ...rows(
    { 'config-linux.md#configLinuxUnified.2': 'a file that the runtime does not know is written' },
    unit('cgroups/resources', 'v2: everything that has an equal'),
    patch(
      'src/cgroups/resources-v2.ts',
      'Object.entries(unified ?? {}).flatMap(([file, text]) => {',
      `Object.entries(unified ?? {}).flatMap(([file, text]) => {\n    if (!file.startsWith('none.')) return [];`,
    ),
  ),
  ...rows(
    { 'config-linux.md#configLinuxUnified.3': 'a controller that is not there is an error' },
    unit('cgroups/resources', 'a limit without its controller is refused by field and controller'),
    patch('src/cgroups/resources.ts', 'const unified = has(2, v2);', 'const unified = cgroups[0];'),
  ),
  ...rows(
    { 'config-linux.md#configLinuxUnified.4': 'a v1 limit that has no equal on v2 is an error' },
    unit('cgroups/resources', 'what cgroup v2 has no equal for is refused'),
    patch(
      'src/cgroups/resources-v2.ts',
      "throw unsupported('memory.swappiness has no equal on cgroup v2', resource('memory', 'swappiness'));",
      'return [];',
    ),
  ),
];

export const CGROUPS: readonly Requirement[] = [...PLACES, ...LIMITS];
