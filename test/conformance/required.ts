// Rows for what a configuration must have: fields that are required, and values that must be refused.
import type { Patch } from '../attack/patched-build.ts';
import { patch, type Requirement, rows, unit } from './requirement.ts';

const REQUIREMENTS = 'spec/requirements';

/** A field that must be there: without the line of the check that says so, its absence is accepted. */
function field(ids: readonly string[], pointer: string, mutation: readonly Patch[]): readonly Requirement[] {
  const what = `without ${pointer} there is an error`;
  return rows(
    Object.fromEntries(ids.map((id) => [id, what])),
    unit(REQUIREMENTS, `requirements: no ${pointer} is refused`),
    mutation,
  );
}

/** A field that must be there, and whose absence is taken for 0, as by runc and crun: nothing is refused for it. */
function zero(id: string, pointer: string, mutation: readonly Patch[]): readonly Requirement[] {
  return rows(
    { [id]: `${pointer} is as the configuration says; an absent one is 0, as with runc, and not refused` },
    unit(REQUIREMENTS, `requirements: no ${pointer} is 0, and another value stays`),
    mutation,
  );
}

/** Something that must be refused. */
function refused(id: string, what: string, test: string, mutation: readonly Patch[]): readonly Requirement[] {
  return rows({ [id]: what }, unit(REQUIREMENTS, `requirements: ${test} is refused`), mutation);
}

const spec = (name: string) => `src/spec/${name}.ts`;

/** A check of an absent field that is left out. */
const without = (name: string, object: string, key: string) =>
  patch(spec(name), `c.require(${object}, '${key}');`, '');

const PROCESS: readonly Requirement[] = [
  ...field(
    ['config.md#configSpecificationVersion.1'],
    '/ociVersion',
    without('validate', 'spec', 'ociVersion'),
  ),
  ...field(['config.md#configRoot.3'], '/root', without('validate', 'spec', 'root')),
  ...field(['config.md#configRoot.4'], '/root/path', without('validate', 'root', 'path')),
  ...field(
    ['config.md#configMounts.2'],
    '/mounts/0/destination',
    without('mount-check', 'mount', 'destination'),
  ),
  ...field(
    ['config.md#configProcess.3'],
    '/process/consoleSize/height',
    patch(spec('process-check'), 'c.require(box, side);', `if (side !== 'height') c.require(box, side);`),
  ),
  ...field(
    ['config.md#configProcess.4'],
    '/process/consoleSize/width',
    patch(spec('process-check'), 'c.require(box, side);', `if (side !== 'width') c.require(box, side);`),
  ),
  ...field(['config.md#configProcess.5'], '/process/cwd', without('process-check', 'process', 'cwd')),
  ...field(
    ['config.md#configProcess.7'],
    '/process/args',
    patch(spec('process-check'), 'if (process.args === undefined) c.fail', 'if (args === null) c.fail'),
  ),
  ...field(
    ['config.md#configPOSIXProcess.1'],
    '/process/rlimits/0/type',
    without('process-check', 'limit', 'type'),
  ),
  ...field(
    ['config.md#configPOSIXProcess.4'],
    '/process/rlimits/0/soft',
    without('process-check', 'limit', 'soft'),
  ),
  ...field(
    ['config.md#configPOSIXProcess.6'],
    '/process/rlimits/0/hard',
    without('process-check', 'limit', 'hard'),
  ),
  ...field(
    ['config.md#configLinuxProcess.5'],
    '/process/scheduler/policy',
    without('scheduler-check', 'scheduler', 'policy'),
  ),
  ...field(
    ['config.md#configLinuxProcess.6'],
    '/process/ioPriority/class',
    without('process-check', 'priority', 'class'),
  ),
  ...(['uid', 'gid'] as const).flatMap((key, index) =>
    zero(
      `config.md#configPOSIXUser.${index + 1}`,
      `/process/user/${key}`,
      patch(spec('process-check'), 'user[id] = 0;', `user[id] = id === '${key}' ? 1 : 0;`),
    ),
  ),
  ...zero(
    'config.md#configLinuxProcess.7',
    '/process/ioPriority/priority',
    patch(spec('process-check'), 'priority.priority = 0;', 'priority.priority = 4;'),
  ),
  ...field(['config.md#configHooks.1'], '/hooks/prestart/0/path', without('hook-check', 'hook', 'path')),
  ...field(['config.md#configHooks.6'], '/hooks/createRuntime/0/path', without('hook-check', 'hook', 'path')),
];

const device = patch(spec('resource-check'), `c.require(device, 'major');`, '');
const minor = patch(spec('resource-check'), `c.require(device, 'minor');`, '');
const BLOCK = '/linux/resources/blockIO';

const LINUX: readonly Requirement[] = [
  ...field(
    ['config-linux.md#configLinuxNamespaces.1'],
    '/linux/namespaces/0/type',
    without('namespace-check', 'namespace', 'type'),
  ),
  ...(['containerID', 'hostID', 'size'] as const).flatMap((key, index) =>
    field(
      [`config-linux.md#configLinuxUserNamespaceMappings.${index + 1}`],
      `/linux/uidMappings/0/${key}`,
      patch(
        spec('id-mapping-check'),
        'c.require(mapping, key);',
        `if (key !== '${key}') c.require(mapping, key);`,
      ),
    ),
  ),
  ...field(
    ['config-linux.md#configLinuxDevices.2'],
    '/linux/devices/0/type',
    without('device-check', 'device', 'type'),
  ),
  ...field(
    ['config-linux.md#configLinuxDevices.3'],
    '/linux/devices/0/path',
    without('device-check', 'device', 'path'),
  ),
  ...field(
    ['config-linux.md#configLinuxDevices.5'],
    '/linux/devices/0/major',
    without('device-check', 'device', 'major'),
  ),
  ...field(
    ['config-linux.md#configLinuxDeviceAllowedlist.2'],
    '/linux/resources/devices/0/allow',
    without('resource-check', 'rule', 'allow'),
  ),
  ...field(['config-linux.md#configLinuxBlockIO.1'], `${BLOCK}/weightDevice/0/major`, device),
  ...field(['config-linux.md#configLinuxBlockIO.3'], `${BLOCK}/throttleReadBpsDevice/0/minor`, minor),
  ...field(['config-linux.md#configLinuxBlockIO.5'], `${BLOCK}/throttleReadIOPSDevice/0/minor`, minor),
  ...field(
    ['config-linux.md#configLinuxBlockIO.4'],
    `${BLOCK}/throttleReadBpsDevice/0/rate`,
    without('resource-check', 'device', 'rate'),
  ),
  ...field(
    ['config-linux.md#configLinuxBlockIO.6'],
    `${BLOCK}/throttleReadIOPSDevice/0/rate`,
    without('resource-check', 'device', 'rate'),
  ),
  ...field(
    ['config-linux.md#configLinuxHugePageLimits.1'],
    '/linux/resources/hugepageLimits/0/pageSize',
    without('resource-check', 'limit', 'pageSize'),
  ),
  ...field(
    ['config-linux.md#configLinuxHugePageLimits.2'],
    '/linux/resources/hugepageLimits/0/limit',
    without('resource-check', 'limit', 'limit'),
  ),
  ...field(
    ['config-linux.md#configLinuxNetwork.1'],
    '/linux/resources/network/priorities/0/name',
    without('resource-check', 'priority', 'name'),
  ),
  ...field(
    ['config-linux.md#configLinuxNetwork.2'],
    '/linux/resources/network/priorities/0/priority',
    without('resource-check', 'priority', 'priority'),
  ),
  ...field(
    ['config-linux.md#configLinuxMemoryPolicy.1'],
    '/linux/memoryPolicy/mode',
    without('linux-check', 'policy', 'mode'),
  ),
  ...field(
    ['config-linux.md#configLinuxSeccomp.1'],
    '/linux/seccomp/defaultAction',
    without('seccomp-check', 'seccomp', 'defaultAction'),
  ),
  ...field(
    ['config-linux.md#configLinuxSeccomp.10'],
    '/linux/seccomp/syscalls/0/names',
    without('seccomp-check', 'rule', 'names'),
  ),
  ...field(
    ['config-linux.md#configLinuxSeccomp.12'],
    '/linux/seccomp/syscalls/0/action',
    without('seccomp-check', 'rule', 'action'),
  ),
  ...(['index', 'value', 'op'] as const).flatMap((key, index) =>
    field(
      [`config-linux.md#configLinuxSeccomp.${index + 14}`],
      `/linux/seccomp/syscalls/1/args/0/${key}`,
      patch(
        spec('seccomp-check'),
        'c.require(argument, key);',
        `if (key !== '${key}') c.require(argument, key);`,
      ),
    ),
  ),
  ...field(
    ['config-linux.md#configLinuxPersonality.1'],
    '/linux/personality/domain',
    without('linux-check', 'personality', 'domain'),
  ),
];

const POSITIVE = patch(spec('hook-check'), `'timeout', 1,`, `'timeout', 0,`);
const ABSOLUTE_HOOK = patch(
  spec('hook-check'),
  `c.text(hook, 'path', absolutePathRule);`,
  `c.text(hook, 'path');`,
);

const REFUSED: readonly Requirement[] = [
  ...refused(
    'config.md#configSpecificationVersion.2',
    'the version has the form of semantic versioning',
    'a version that is no SemVer',
    patch(spec('validate'), String.raw`/^(\d+)\.(\d+)\.\d+(?:-[`, String.raw`/^(\d+)\.(\d+)(?:\.\d+)?(?:-[`),
  ),
  ...refused(
    'config.md#configProcess.6',
    'the working directory is absolute',
    'a relative working directory',
    patch(spec('process-check'), `c.text(process, 'cwd', absolutePathRule);`, `c.text(process, 'cwd');`),
  ),
  ...refused(
    'config.md#configPOSIXProcess.2',
    'a limit that the kernel has not is an error',
    'a limit that Linux has not',
    patch(
      spec('process-check'),
      `c.oneOf(limit, 'type', RLIMIT_NAMES, 'a limit that Linux has')`,
      `c.text(limit, 'type')`,
    ),
  ),
  ...refused(
    'config.md#configPOSIXProcess.8',
    'two entries for one limit are an error',
    'a limit twice',
    patch(spec('process-check'), 'if (type !== undefined && before !== undefined)', 'if (before === -1)'),
  ),
  ...refused(
    'config.md#configPOSIXMounts.3',
    'user id mappings of a mount come with group id mappings',
    'user ids without group ids',
    patch(spec('mount-check'), 'if (uids > 0 && gids === 0', 'if (uids < 0 && gids === 0'),
  ),
  ...refused(
    'config.md#configPOSIXMounts.6',
    'group id mappings of a mount come with user id mappings',
    'group ids without user ids',
    patch(spec('mount-check'), 'if (gids > 0 && uids === 0', 'if (gids < 0 && uids === 0'),
  ),
  ...refused(
    'config.md#configHooks.2',
    'the path of a prestart hook is absolute',
    'a relative prestart hook',
    ABSOLUTE_HOOK,
  ),
  ...refused(
    'config.md#configHooks.7',
    'the path of a createRuntime hook, and those of the later kinds, is absolute',
    'a relative other hook',
    ABSOLUTE_HOOK,
  ),
  ...refused(
    'config.md#configHooks.3',
    'the time limit of a prestart hook is above zero',
    'no time for a prestart hook',
    POSITIVE,
  ),
  ...refused(
    'config.md#configHooks.8',
    'the time limit of a createRuntime hook, and of the later kinds, is above zero',
    'no time for another hook',
    POSITIVE,
  ),
  ...refused(
    'config.md#configAnnotations.1',
    'annotations are an object',
    'annotations in a list',
    patch(
      spec('check'),
      'if (!isObject(value)) return this.wrong(key',
      'if (typeof value !== "object") return this.wrong(key',
    ),
  ),
  ...refused(
    'config.md#configAnnotations.3',
    'no annotation has an empty name',
    'an annotation without a name',
    patch(spec('annotation-check'), `if (key === '') c.fail`, `if (key === '\\0') c.fail`),
  ),
  ...refused(
    'config.md#configAnnotations.25',
    'the values of annotations are strings',
    'an annotation that is a number',
    patch(
      spec('annotation-check'),
      'c.text(map, key);',
      `typeof map[key] === 'string' ? map[key] : undefined;`,
    ),
  ),
  ...refused(
    'config.md#configExtensibility.2',
    'a value that is invalid is an error',
    'an unknown value',
    patch(
      spec('linux-check'),
      `c.oneOf(linux, 'rootfsPropagation', PROPAGATIONS, 'a mount propagation');`,
      `c.text(linux, 'rootfsPropagation');`,
    ),
  ),
];

export const REQUIRED: readonly Requirement[] = [...PROCESS, ...LINUX, ...REFUSED];
